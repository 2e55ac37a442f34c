/**
 * Who has shown a valid WIT, and since when: such a caller does not come back with a bearer token. Never
 * evicts: full counts as unavailable.
 */
export interface CallerMemory {
  /**
   * Remembers that a caller has shown a WIT. The first time counts; later ones change nothing.
   *
   * @param caller workload identifier
   * @param at epoch seconds
   */
  remember(caller: string, at: number): void | Promise<void>
  /**
   * Tells since when a caller is known: epoch seconds, null when it is not. Rejects when that cannot be told.
   */
  since(caller: string): number | null | Promise<number | null>
  /** Forgets a caller, so that its bearer tokens are taken again. */
  forget(caller: string): void | Promise<void>
}
