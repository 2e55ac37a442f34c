import type { AuthenticationErrorCode } from '../codes.js'
import type { AuthenticationError } from '../errors.js'
import type { JsonObject } from '../jws/strict-json.js'

/** Makes the error for a claim that is refused. */
export type Refuse = (
  code: AuthenticationErrorCode,
  reason: string,
  expected?: unknown,
  received?: unknown,
) => AuthenticationError

/** How long a proof may live, and how far clocks may differ; seconds. */
export interface ProofLifetime {
  readonly clockTolerance: number
  /** An expiry further ahead is refused. */
  readonly maxProofLifetime: number
}

const LONGEST_JTI = 256

/**
 * Reads when a proof expires: it must be there, ahead, and no further ahead than a proof may live.
 *
 * @param now epoch seconds
 * @returns epoch seconds
 */
export function readExpiry(
  { exp, nbf }: JsonObject,
  { clockTolerance, maxProofLifetime }: ProofLifetime,
  now: number,
  refuse: Refuse,
): number {
  if (typeof exp !== 'number') throw refuse('WIMSE_WPT_LIFETIME', 'exp is not a number', undefined, exp)
  if (now >= exp + clockTolerance) {
    throw refuse('WIMSE_WPT_EXPIRED', 'exp has passed', `exp after ${now - clockTolerance}`, exp)
  }
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= now + clockTolerance)) {
    throw refuse('WIMSE_WPT_NOT_YET_VALID', 'nbf lies ahead', `nbf up to ${now + clockTolerance}`, nbf)
  }
  const latest = now + maxProofLifetime + clockTolerance
  if (exp > latest) throw refuse('WIMSE_WPT_LIFETIME', 'exp lies too far ahead', `exp up to ${latest}`, exp)
  return exp
}

/** Reads what tells a proof from all others of its sender. */
export function readIdentifier({ jti }: JsonObject, refuse: Refuse): string {
  if (typeof jti === 'string' && jti !== '' && jti.length <= LONGEST_JTI) return jti
  throw refuse('WIMSE_WPT_JTI', `jti is not a string of 1 to ${LONGEST_JTI} characters`)
}
