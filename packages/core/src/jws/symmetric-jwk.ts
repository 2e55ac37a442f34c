import { decodeBase64url } from './base64url.js'
import type { JsonObject } from './strict-json.js'

/** Name of a JWS algorithm whose one key makes and checks a MAC. */
export type MacAlgorithmName = 'HS256' | 'HS384' | 'HS512'

/** What a MAC algorithm fixes: the hash, and the length of a MAC and of the shortest key. */
export interface MacAlgorithm {
  readonly name: MacAlgorithmName
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Bytes. */
  readonly size: 32 | 48 | 64
}

const TABLE: readonly MacAlgorithm[] = [
  { name: 'HS256', hash: 'sha256', size: 32 },
  { name: 'HS384', hash: 'sha384', size: 48 },
  { name: 'HS512', hash: 'sha512', size: 64 },
]

/** The MAC algorithms by name. Not among the signature algorithms, so that no WIT or proof can name one. */
export const MAC_ALGORITHMS: ReadonlyMap<string, MacAlgorithm> = new Map(
  TABLE.map((algorithm) => [algorithm.name, algorithm]),
)

/** A symmetric key whose members have been checked, with the one algorithm it may be used for. */
export interface ReadSymmetricJwk {
  readonly secret: Uint8Array
  readonly kid: string | undefined
  readonly algorithm: MacAlgorithm
}

/**
 * Reads a JWK of type `oct` that is to check MACs. Without `alg` it is for `HS256`. The key is at least as
 * long as the hash, so never shorter than 256 bits.
 *
 * @returns the key, or in words what is wrong with it
 * @see {@link https://www.rfc-editor.org/rfc/rfc7518#section-3.2}
 */
export function readSymmetricJwk(jwk: JsonObject): ReadSymmetricJwk | string {
  const { kty, k, use, key_ops: operations, alg = 'HS256', kid } = jwk
  if (kty !== 'oct') return 'kty is not oct'
  if (use !== undefined && use !== 'sig') return 'use is not for signatures'
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return 'key_ops does not include verify'
  }
  if (kid !== undefined && typeof kid !== 'string') return 'kid is not a string'
  const algorithm = MAC_ALGORITHMS.get(alg as string)
  if (algorithm === undefined) return 'alg is not a MAC algorithm'
  const secret = typeof k === 'string' ? decodeBase64url(k) : null
  if (secret === null) return 'k is not canonical base64url'
  if (secret.length < algorithm.size) return `k is shorter than the ${algorithm.size} bytes of its hash`
  return { secret, kid, algorithm }
}
