import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import type { AlgorithmName } from 'wimse'

/** A fresh key pair as JWKs, each with its `alg`. */
export interface TestKeyPair {
  readonly privateJwk: JWK
  readonly publicJwk: JWK
}

const RSA = 'rsa'
const ED25519 = 'ed25519'

/** The kind of key that each algorithm takes: one of these two, or a curve. */
const KINDS: Readonly<Record<AlgorithmName, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  EdDSA: ED25519,
  Ed25519: ED25519,
  PS256: RSA,
  PS384: RSA,
  PS512: RSA,
  RS256: RSA,
  RS384: RSA,
  RS512: RSA,
}

/** Makes a key pair for an algorithm. @throws TypeError for one that WITs and proofs are not signed by */
export function generateTestKeyPair(algorithm: AlgorithmName): TestKeyPair {
  if (!Object.hasOwn(KINDS, algorithm)) {
    throw new TypeError(`algorithm must be one of ${Object.keys(KINDS).join(', ')}`)
  }
  // Through DER: on Node 20 exporting a fresh key object as JWK can hang when done thousands of times.
  const der = generateKey(KINDS[algorithm]).export({ format: 'der', type: 'pkcs8' })
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return {
    privateJwk: { ...privateKey.export({ format: 'jwk' }), alg: algorithm },
    publicJwk: { ...createPublicKey(privateKey).export({ format: 'jwk' }), alg: algorithm },
  }
}

function generateKey(kind: string): KeyObject {
  if (kind === RSA) return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  if (kind === ED25519) return generateKeyPairSync('ed25519').privateKey
  return generateKeyPairSync('ec', { namedCurve: kind }).privateKey
}
