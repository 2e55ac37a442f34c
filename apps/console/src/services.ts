/** Where the services of the demo are. */
export interface Services {
  readonly identityServer: string
  readonly inventory: string
  readonly checkout: string
  /** Bootstrap secret of the visitor: a workload that may look at the stock and not reserve. */
  readonly visitorSecret: string
  /** The bearer token the visitor had before it had an identity. */
  readonly visitorToken: string
  /** Bearer token of a workload that has nothing else yet. */
  readonly latecomerToken: string
}
