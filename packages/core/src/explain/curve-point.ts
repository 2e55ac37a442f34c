import { decodeBase64url } from '../jws/base64url.js'
import { isEdwardsPublicKey, toInteger } from '../jws/edwards-point.js'
import type { PublicJwk } from '../jws/public-jwk.js'

/** y² = x³ - 3x + b over the integers modulo p. */
interface Curve {
  readonly p: bigint
  readonly b: bigint
}

/** FIPS 186-4, appendix D.1.2. */
const CURVES: Readonly<Record<string, Curve>> = {
  'P-256': {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  'P-384': {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  'P-521': {
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
}

/**
 * Tells whether the point of a public key is one that a signature can be checked with. Importing a key says
 * the same on a server; browsers differ in what they import.
 */
export function isOnCurve(jwk: PublicJwk): boolean {
  if (jwk.kty === 'RSA') return true
  if (jwk.kty === 'OKP') return isEdwardsPublicKey(decodeBase64url(jwk.x!)!)
  const { p, b } = CURVES[jwk.crv!]!
  const [x, y] = [toInteger(decodeBase64url(jwk.x!)!), toInteger(decodeBase64url(jwk.y!)!)]
  return x < p && y < p && (y * y - x * x * x + 3n * x - b) % p === 0n
}
