import { ALGORITHMS, type AlgorithmName, namesWithoutAlg, type SignatureAlgorithm } from './algorithms.js'
import { decodeBase64url } from './base64url.js'
import { isRocaModulus } from './roca-modulus.js'
import type { JsonObject } from './strict-json.js'

/** A public key whose members have been checked one by one, reduced to those that make the key. */
export interface PublicJwk {
  readonly kty: 'EC' | 'OKP' | 'RSA'
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/** A public key off the wire, with the algorithms it may be used for: one, under one or two names. */
export interface ReadJwk {
  readonly jwk: PublicJwk
  readonly kid: string | undefined
  readonly algorithms: readonly AlgorithmName[]
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

/**
 * Reads a JWK that is to verify signatures. Refuses keys with private members (they are no secret any
 * more), keys for other uses, and keys whose members are not exactly as long as their type demands.
 *
 * This does NOT check that a point is on its curve; importing the key does.
 *
 * @returns the key, or in words what is wrong with it
 * @see {@link https://www.rfc-editor.org/rfc/rfc7518#section-6}
 */
export function readPublicJwk(jwk: JsonObject, acceptedUses: readonly string[]): ReadJwk | string {
  const { kty, crv, use, key_ops: operations, alg, kid } = jwk
  const privateMember = PRIVATE_MEMBERS.find((member) => member in jwk)
  if (privateMember !== undefined) return `the key carries the private member ${privateMember}`
  if (use !== undefined && !acceptedUses.includes(use as string)) return 'use is not for signatures'
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return 'key_ops does not include verify'
  }
  if (kid !== undefined && typeof kid !== 'string') return 'kid is not a string'

  const names = namesWithoutAlg(kty, crv)
  if (names.length === 0) return 'kty or crv is not one of the supported'
  const algorithms = alg === undefined ? names : namesFor(alg, kty, crv)
  if (algorithms.length === 0) return 'alg is not a signature algorithm for this type of key'

  const { size } = ALGORITHMS.get(names[0]!) as { size?: number }
  const minimal = readKeyMembers(jwk, size ?? ED25519_BYTES)
  return typeof minimal === 'string' ? minimal : { jwk: minimal, kid, algorithms }
}

const ED25519_BYTES = 32

function namesFor(alg: unknown, kty: unknown, crv: unknown): readonly AlgorithmName[] {
  const algorithm = ALGORITHMS.get(alg as string)
  return algorithm !== undefined && fits(algorithm, kty, crv) ? [algorithm.name] : []
}

function fits(algorithm: SignatureAlgorithm, kty: unknown, crv: unknown): boolean {
  return algorithm.kty === kty && (algorithm.kty === 'RSA' || algorithm.crv === crv)
}

function readKeyMembers({ kty, crv, x, y, n, e }: JsonObject, size: number): PublicJwk | string {
  if (kty === 'RSA') {
    const modulus = readModulus(n)
    if (modulus === null || !readExponent(e)) {
      return 'n must have 2048 to 4096 bits, e be odd from 3 to 2^32 - 1'
    }
    if (isRocaModulus(modulus)) return 'n is a product whose factors can be computed (ROCA)'
    return { kty, n: n as string, e: e as string }
  }
  if (!isBytes(x, size)) return `x is not ${size} bytes`
  if (kty === 'OKP') return { kty, crv: crv as string, x }
  return isBytes(y, size) ? { kty: 'EC', crv: crv as string, x, y } : `y is not ${size} bytes`
}

function isBytes(text: unknown, length: number): text is string {
  return typeof text === 'string' && decodeBase64url(text)?.length === length
}

function readModulus(n: unknown): Uint8Array | null {
  const bytes = typeof n === 'string' ? decodeBase64url(n) : null
  if (bytes === null || bytes.length < 256 || bytes.length > 512) return null
  const [first, last] = [bytes[0]!, bytes.at(-1)!]
  // 256 bytes make 2048 bits only when the first bit is set; Base64urlUInt has no leading zero.
  return first !== 0 && (bytes.length > 256 || first >= 0x80) && (last & 1) === 1 ? bytes : null
}

function readExponent(e: unknown): boolean {
  const bytes = typeof e === 'string' ? decodeBase64url(e) : null
  if (bytes === null || bytes.length === 0 || bytes.length > 4 || bytes[0] === 0) return false
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  return value >= 3 && value % 2 === 1
}
