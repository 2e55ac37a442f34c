import type { KeyObject } from 'node:crypto'
import { importPublicKey } from '../crypto/keys.js'
import { type AlgorithmName, ALGORITHMS, type SignatureAlgorithm } from '../jws/algorithms.js'
import { readPublicJwk } from '../jws/public-jwk.js'
import type { JsonObject } from '../jws/strict-json.js'

/** The key an identity token is bound to: whoever signs with it is the workload. */
export interface ConfirmationKey {
  /** The algorithm of the key; of the two names of Ed25519 the first that may be meant. */
  readonly algorithm: SignatureAlgorithm
  /** What a proof may call it: one name, or both of Ed25519 where the WIT does not say. */
  readonly names: readonly AlgorithmName[]
  readonly key: KeyObject
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly thumbprint: string
}

/**
 * Reads the confirmation key of a WIT from its `cnf` claim: a `jwk` with an `alg`, and nothing else that
 * could name a key. References (`kid`, `jku`) and encrypted keys (`jwe`) are not followed on this road.
 *
 * @param deriveAlgorithm takes a key without `alg` for the algorithm of its type and curve
 * @returns the key, or in words what is wrong with it
 * @see {@link https://www.rfc-editor.org/rfc/rfc7800#section-3.2}
 */
export function readConfirmationKey(
  cnf: unknown,
  accepted: ReadonlySet<string>,
  deriveAlgorithm = false,
): ConfirmationKey | string {
  if (!isObject(cnf)) return 'cnf is not an object'
  if ('jwe' in cnf || 'jku' in cnf) return 'cnf names its key by jwe or jku'
  const { jwk } = cnf
  if (!isObject(jwk)) return 'cnf.jwk is not an object'
  if (jwk['alg'] === undefined && !deriveAlgorithm) return 'cnf.jwk.alg is missing'
  const read = readPublicJwk(jwk, ['sig'])
  if (typeof read === 'string') return `cnf.jwk: ${read}`
  const names = read.algorithms.filter((name) => accepted.has(name))
  if (names.length === 0) return 'cnf.jwk.alg is not one of the accepted algorithms'
  const imported = importPublicKey(read.jwk)
  if (imported === null) return 'cnf.jwk is not on its curve'
  return { algorithm: ALGORITHMS.get(names[0]!)!, names, ...imported }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
