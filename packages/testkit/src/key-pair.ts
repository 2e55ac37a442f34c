import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import type { AlgorithmName } from 'wimse'

/** A fresh key pair as JWKs, each with its `alg`. */
export interface TestKeyPair {
  readonly privateJwk: JWK
  readonly publicJwk: JWK
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

/** Makes a key pair for an algorithm. */
export function generateTestKeyPair(algorithm: AlgorithmName): TestKeyPair {
  // Through DER: on Node 20 exporting a fresh key object as JWK can hang when done thousands of times.
  const der = generateKey(algorithm).export({ format: 'der', type: 'pkcs8' })
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return {
    privateJwk: { ...privateKey.export({ format: 'jwk' }), alg: algorithm },
    publicJwk: { ...createPublicKey(privateKey).export({ format: 'jwk' }), alg: algorithm },
  }
}

function generateKey(algorithm: AlgorithmName): KeyObject {
  const namedCurve = CURVES[algorithm]
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve }).privateKey
  return algorithm === 'EdDSA' || algorithm === 'Ed25519'
    ? generateKeyPairSync('ed25519').privateKey
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}
