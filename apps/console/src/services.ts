/** Where the services of the demo are. */
export interface Services {
  readonly identityServer: string
  readonly inventory: string
  readonly checkout: string
  /** Bootstrap secret of the visitor: a workload that may look at the stock and not reserve. */
  readonly visitorSecret: string
}
