import type { AuthenticationErrorCode } from '../codes.js'
import { verifyMac } from '../crypto/mac.js'
import { verifySignature } from '../crypto/signature.js'
import { AuthenticationError } from '../errors.js'
import { ALGORITHMS } from '../jws/algorithms.js'
import { JwsRefused, type JwsParts, refuseCritical, splitCompactJws } from '../jws/compact-jws.js'
import type { JsonObject } from '../jws/strict-json.js'
import { MAC_ALGORITHMS } from '../jws/symmetric-jwk.js'
import { type Confirmation, type ConfirmedKey, confirmedKeyOf } from './confirmed-key.js'

/** A message that the holder of a confirmed key has signed, or made a MAC of. */
export interface ConfirmedMessage {
  /** Protected header. */
  readonly header: JsonObject
  /** As signed: any bytes. */
  readonly payload: Uint8Array
}

/**
 * Checks that a compact JWS was made with a confirmed key, by the algorithm of that key and no other. Keys
 * in its header are never read. Its payload may be anything, only not empty.
 *
 * This does NOT check that the message is fresh, meant for us, or of the kind we expect: `typ`, time,
 * audience and a nonce that we chose are for the caller to compare, and a message accepted before to
 * remember. Whoever has seen a JWS can send it again, and a MAC can be made by everyone who can check it,
 * us and the issuer included.
 *
 * @throws AuthenticationError `WIMSE_WPT_MALFORMED`, `WIMSE_WPT_CRITICAL` (`crit`, or `b64` that is not
 *   true), `WIMSE_WPT_ALGORITHM`, `WIMSE_WPT_SIGNATURE`
 * @throws TypeError when the confirmation was not made by `resolveConfirmation`
 * @see {@link https://www.rfc-editor.org/rfc/rfc7800#section-3.6}
 */
export function verifyPossession(confirmation: Confirmation, jws: string): ConfirmedMessage {
  const confirmed = confirmedKeyOf(confirmation)
  const parts = split(jws)
  const { header, payload } = parts
  const { alg, b64 = true } = header
  if (b64 !== true) throw refuse('WIMSE_WPT_CRITICAL', 'the payload is not encoded')
  const algorithm = confirmed.algorithms.find((name) => name === alg)
  if (algorithm === undefined) {
    throw refuse('WIMSE_WPT_ALGORITHM', 'alg is not that of the confirmed key', confirmed.algorithms, alg)
  }
  if (!isMadeWith(confirmed, algorithm, parts)) {
    throw refuse('WIMSE_WPT_SIGNATURE', 'the signature does not verify with the confirmed key')
  }
  // A copy: what the decoder gives may be a part of memory that it uses for other texts too.
  return Object.freeze({ header: Object.freeze(header), payload: payload.slice() })
}

function split(jws: unknown): JwsParts {
  if (typeof jws !== 'string') throw refuse('WIMSE_WPT_MALFORMED', 'not a string')
  try {
    const parts = splitCompactJws(jws)
    refuseCritical(parts.header)
    return parts
  } catch (error) {
    if (!(error instanceof JwsRefused)) throw error
    throw refuse(`WIMSE_WPT_${error.fault}`, error.message)
  }
}

function isMadeWith(
  { key }: ConfirmedKey,
  algorithm: string,
  { signingInput, signature }: JwsParts,
): boolean {
  const mac = MAC_ALGORITHMS.get(algorithm)
  return mac === undefined
    ? verifySignature(ALGORITHMS.get(algorithm)!, key, signingInput, signature)
    : verifyMac(mac, key, signingInput, signature)
}

function refuse(
  code: AuthenticationErrorCode,
  reason: string,
  expected?: unknown,
  received?: unknown,
): AuthenticationError {
  return new AuthenticationError(code, { reason, expected, received })
}
