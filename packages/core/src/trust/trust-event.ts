/** Something happened to the keys of a trust domain. */
export interface TrustEvent {
  /**
   * `refreshed` once a key set was read, `failed` when it could not be; `key-added` and `key-removed` for each key
   * that was not in the set before, or is not in it any more.
   */
  readonly type: 'refreshed' | 'failed' | 'key-added' | 'key-removed'
  /** Scheme and trust domain. */
  readonly trustDomain: string
  /** RFC 7638 thumbprint of the key, for `key-added` and `key-removed`. */
  readonly keyThumbprint?: string
  /** Its id, when it has one. */
  readonly kid?: string
  /** For `failed`, what went wrong; for `refreshed`, entries of the key set that were left out. */
  readonly reason?: string
}

/** What a source of one trust domain tells. */
export type SourceEvent = Omit<TrustEvent, 'trustDomain'>
