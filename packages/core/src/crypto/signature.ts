import { constants, type KeyObject, sign, verify } from 'node:crypto'
import type { SignatureAlgorithm } from '../jws/algorithms.js'
import { ecdsaFromDer, ecdsaToDer } from './ecdsa-signature.js'

/** Checks a JWS signature with a key that has been read for this algorithm. */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signingInput: string,
  signature: Uint8Array,
): boolean {
  const data = Buffer.from(signingInput, 'latin1')
  switch (algorithm.kty) {
    case 'EC':
      return (
        signature.length === 2 * algorithm.size && verify(algorithm.hash, data, key, ecdsaToDer(signature))
      )
    case 'OKP':
      return verify(null, data, key, signature)
    case 'RSA':
      return verify(algorithm.hash, data, { key, ...rsaOptions(algorithm.padding) }, signature)
    default:
      return algorithm satisfies never
  }
}

/** Makes a JWS signature. @returns base64url */
export function makeSignature(algorithm: SignatureAlgorithm, key: KeyObject, signingInput: string): string {
  const data = Buffer.from(signingInput, 'latin1')
  switch (algorithm.kty) {
    case 'EC':
      return ecdsaFromDer(sign(algorithm.hash, data, key), algorithm.size).toString('base64url')
    case 'OKP':
      return sign(null, data, key).toString('base64url')
    case 'RSA':
      return sign(algorithm.hash, data, { key, ...rsaOptions(algorithm.padding) }).toString('base64url')
    default:
      return algorithm satisfies never
  }
}

function rsaOptions(padding: 'pss' | 'pkcs1'): { padding: number; saltLength?: number } {
  return padding === 'pkcs1'
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
