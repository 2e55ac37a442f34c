import type { KeyObject } from 'node:crypto'
import { importPublicKey } from '../crypto/keys.js'
import { ALGORITHMS, type SignatureAlgorithm } from '../jws/algorithms.js'
import { readPublicJwk } from '../jws/public-jwk.js'
import type { JsonObject } from '../jws/strict-json.js'

/** The key an identity token is bound to: whoever signs with it is the workload. */
export interface ConfirmationKey {
  readonly algorithm: SignatureAlgorithm
  readonly key: KeyObject
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly thumbprint: string
}

/**
 * Reads the confirmation key of a WIT from its `cnf` claim: a `jwk` with an `alg`, and nothing else that
 * could name a key. References (`kid`, `jku`) and encrypted keys (`jwe`) are not followed on this road.
 *
 * @returns the key, or in words what is wrong with it
 * @see {@link https://www.rfc-editor.org/rfc/rfc7800#section-3.2}
 */
export function readConfirmationKey(cnf: unknown, accepted: ReadonlySet<string>): ConfirmationKey | string {
  if (!isObject(cnf)) return 'cnf is not an object'
  if ('jwe' in cnf || 'jku' in cnf) return 'cnf names its key by jwe or jku'
  const { jwk } = cnf
  if (!isObject(jwk)) return 'cnf.jwk is not an object'
  if (jwk['alg'] === undefined) return 'cnf.jwk.alg is missing'
  const read = readPublicJwk(jwk, ['sig'])
  if (typeof read === 'string') return `cnf.jwk: ${read}`
  const [name] = read.algorithms
  if (!accepted.has(name!)) return 'cnf.jwk.alg is not one of the accepted algorithms'
  const imported = importPublicKey(read.jwk)
  if (imported === null) return 'cnf.jwk is not on its curve'
  return { algorithm: ALGORITHMS.get(name!)!, ...imported }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
