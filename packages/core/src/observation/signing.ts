import { openChannel } from '../channels.js'
import type { SigningErrorCode } from '../codes.js'
import { SigningError } from '../errors.js'
import type { Revision } from '../revisions.js'

/**
 * What became of one attempt to sign a request, as published on the channel `wimse.sign`. It has no part of a
 * token, no identifier of a workload and no path.
 */
export interface SignMessage {
  /** `refused` for every attempt that ended with an error. */
  readonly outcome: 'signed' | 'refused'
  /** Null when signed, and when something failed that is none of our refusals. */
  readonly code: SigningErrorCode | null
  /**
   * Origin the request is for: one of the configured, where `fastify-wimse-client` signs. Null when a proof
   * cannot name it, or it is none of the configured.
   */
  readonly target: string | null
  /** How the proof travels; null when it was refused before that mattered. */
  readonly revision: Revision | null
  /** Milliseconds the signing took; 0 when it did not come to that. */
  readonly durationMs: number
}

const signatures = openChannel<SignMessage>('wimse.sign')

/** The moment when signing begins, if anybody listens; else null. */
export function beginSigning(): number | null {
  return signatures.hasSubscribers ? performance.now() : null
}

/** Tells that a request was signed. */
export function tellSigned(startedAt: number, target: string | null, revision: Revision): void {
  const durationMs = performance.now() - startedAt
  signatures.publish({ outcome: 'signed', code: null, target, revision, durationMs })
}

/**
 * Tells that a request was not signed. For those who sign through `signRequest`, which tells of its own: what
 * comes before it, such as a credential that cannot be had.
 *
 * @param error what was thrown
 * @param target the origin, where it is one of those configured; else null
 */
export function tellUnsigned(
  error: unknown,
  target: string | null,
  revision: Revision | null,
  durationMs = 0,
): void {
  if (!signatures.hasSubscribers) return
  const code = error instanceof SigningError ? error.code : null
  signatures.publish({ outcome: 'refused', code, target, revision, durationMs })
}
