import type { Credential } from './credential.js'

/** Where the credential for the next request comes from; it may be another for each. */
export interface CredentialSource {
  /** The credential to sign with now. Asked for every request. */
  current(): Credential | Promise<Credential>
  /**
   * Another credential than one that was refused. Asked at most once for a request, when the called side says
   * that its identity token has expired or is signed with a key it does not know. Whoever is asked decides how
   * often it looks; the same credential, or rejecting, means that there is no other. Left out: a refusal is final.
   */
  renewed?(refused: Credential): Credential | Promise<Credential>
  /** Lets go of timers, sockets and watches. */
  close?(): void | Promise<void>
}

/** Something happened to a credential that renews itself. */
export interface CredentialEvent {
  /** `refreshed` when there is a new credential, `failed` when an attempt to get one came to nothing. */
  readonly type: 'refreshed' | 'failed'
  /** Workload identifier of the new credential, for `refreshed`. */
  readonly subject?: string
  /** Epoch seconds: when it expires, for `refreshed`. */
  readonly expiresAt?: number
  /** What went wrong, for `failed`; never anything from a token or a key. */
  readonly reason?: string
}
