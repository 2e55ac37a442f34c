import type { Credential } from './credential.js'

/** Where the credential for the next request comes from; it may be another for each. */
export interface CredentialSource {
  /** The credential to sign with now. Asked for every request. */
  current(): Credential | Promise<Credential>
  /** Lets go of timers, sockets and watches. */
  close?(): void | Promise<void>
}

/** Something happened to a credential that renews itself. */
export interface CredentialEvent {
  readonly type: 'refreshed' | 'failed'
  /** Workload identifier and expiry (epoch seconds) of the new credential, for `refreshed`. */
  readonly subject?: string
  readonly expiresAt?: number
  /** What went wrong, for `failed`; never anything from a token or a key. */
  readonly reason?: string
}
