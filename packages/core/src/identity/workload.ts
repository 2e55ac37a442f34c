import type { Revision } from '../revisions.js'

/** Tokens that came with the request and that the proof covers. They are covered, not verified. */
export interface BoundTokens {
  /** The access token in `Authorization`, by `ath`. */
  readonly accessToken: boolean
  /** The transaction token in `Txn-Token`, by `tth`. */
  readonly txnToken: boolean
  /** Lower-case names of further fields, by `oth`. */
  readonly otherTokens: readonly string[]
}

/**
 * A workload that has shown who it is. Frozen all the way down: the identity token behind it is
 * remembered across requests, and nothing one handler writes may reach the next.
 */
export interface Workload {
  /** The workload identifier: the subject of the identity token. */
  readonly id: string
  /** Scheme and trust domain, such as `wimse://example.com`. */
  readonly trustDomain: string
  /** The identifier's path. It means nothing outside its trust domain. */
  readonly path: string
  /** How it showed who it is: with proof of possession, or with a token anyone could have carried. */
  readonly via: 'wit' | 'bearer'
  /** Revision of the proof; null for a bearer token. */
  readonly revision: Revision | null
  /** All claims of the identity token, as signed by the identity server. */
  readonly claims: Readonly<Record<string, unknown>>
  /** RFC 7638 SHA-256 thumbprint of the confirmation key; null for a bearer token. */
  readonly keyThumbprint: string | null
  /** When the identity token expires, in epoch seconds. */
  readonly expiresAt: number
  readonly boundTokens: BoundTokens
}
