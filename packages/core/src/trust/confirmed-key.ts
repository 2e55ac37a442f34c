import type { KeyObject } from 'node:crypto'
import { importPublicKey } from '../crypto/keys.js'
import { importSecret } from '../crypto/mac.js'
import { ALGORITHM_NAMES, type AlgorithmName } from '../jws/algorithms.js'
import { readPublicJwk } from '../jws/public-jwk.js'
import type { JsonObject } from '../jws/strict-json.js'
import { MAC_ALGORITHMS, type MacAlgorithmName, readSymmetricJwk } from '../jws/symmetric-jwk.js'

/** How a `cnf` claim names its key. */
export type ConfirmationMethod = 'jwk' | 'jwe' | 'kid' | 'jku'

/** Name of an algorithm that possession can be shown with: a signature, or a MAC. */
export type PossessionAlgorithm = AlgorithmName | MacAlgorithmName

/** Every {@link PossessionAlgorithm}. */
export const POSSESSION_ALGORITHMS: readonly PossessionAlgorithm[] = [
  ...ALGORITHM_NAMES,
  ...[...MAC_ALGORITHMS.values()].map(({ name }) => name),
]

/**
 * The key a JWT confirms: whoever shows possession of it is the presenter. `resolveConfirmation` makes one,
 * `verifyPossession` takes it. The key itself cannot be read back, printed or serialised.
 */
export interface Confirmation {
  /** Member of `cnf` the key came by. */
  readonly method: ConfirmationMethod
  /** The one algorithm of the key. An Ed25519 key without `alg` answers to `EdDSA` too. */
  readonly algorithm: PossessionAlgorithm
  /** RFC 7638 SHA-256 thumbprint, base64url; null for a symmetric key, of which it would tell something. */
  readonly keyThumbprint: string | null
}

/** A key that has been read and imported. */
export interface ConfirmedKey {
  readonly key: KeyObject
  /** One algorithm, under one or two names. */
  readonly algorithms: readonly PossessionAlgorithm[]
  readonly kid: string | undefined
  readonly thumbprint: string | null
}

const keys = new WeakMap<Confirmation, ConfirmedKey>()

/** Makes the confirmation of a key. */
export function confirmKey(method: ConfirmationMethod, key: ConfirmedKey): Confirmation {
  // The last name: of the two names of Ed25519 the one that is not deprecated.
  const confirmation = Object.freeze({
    method,
    algorithm: key.algorithms.at(-1)!,
    keyThumbprint: key.thumbprint,
  })
  keys.set(confirmation, key)
  return confirmation
}

/** The key of a confirmation. @throws TypeError when it only looks like one */
export function confirmedKeyOf(confirmation: Confirmation): ConfirmedKey {
  const key = keys.get(confirmation)
  if (key !== undefined) return key
  throw new TypeError('not a confirmation made by resolveConfirmation')
}

/** Imports a public key. @returns the key, or in words what is wrong with it */
export function importPublicConfirmedKey(
  jwk: JsonObject,
  accepted: ReadonlySet<string>,
): ConfirmedKey | string {
  const read = readPublicJwk(jwk, ['sig'])
  if (typeof read === 'string') return read
  const algorithms = read.algorithms.filter((name) => accepted.has(name))
  if (algorithms.length === 0) return NOT_ACCEPTED
  const imported = importPublicKey(read.jwk)
  return imported === null ? 'the key is not on its curve' : { ...imported, algorithms, kid: read.kid }
}

/** Imports a symmetric key. @returns the key, or in words what is wrong with it */
export function importSecretConfirmedKey(
  jwk: JsonObject,
  accepted: ReadonlySet<string>,
): ConfirmedKey | string {
  const read = readSymmetricJwk(jwk)
  if (typeof read === 'string') return read
  const { secret, kid, algorithm } = read
  if (!accepted.has(algorithm.name)) return NOT_ACCEPTED
  return { key: importSecret(secret), algorithms: [algorithm.name], kid, thumbprint: null }
}

const NOT_ACCEPTED = 'its algorithm is not one of the accepted algorithms'
