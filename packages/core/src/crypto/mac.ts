import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { MacAlgorithm } from '../jws/symmetric-jwk.js'

/** Imports a secret, which cannot be printed or serialised from then on. */
export function importSecret(secret: Uint8Array): KeyObject {
  return createSecretKey(secret)
}

/** Checks the MAC of a JWS with a key that has been read for this algorithm. A MAC cut short is none. */
export function verifyMac(
  { hash }: MacAlgorithm,
  key: KeyObject,
  signingInput: string,
  mac: Uint8Array,
): boolean {
  const expected = createHmac(hash, key).update(signingInput, 'latin1').digest()
  return mac.length === expected.length && timingSafeEqual(expected, mac)
}
