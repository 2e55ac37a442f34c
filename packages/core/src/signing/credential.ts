import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { makeSignature, verifySignature } from '../crypto/signature.js'
import { thumbprintOf } from '../crypto/keys.js'
import { tokenHash } from '../crypto/token-hash.js'
import { SigningError } from '../errors.js'
import type { WorkloadIdentifier } from '../identity/workload-identifier.js'
import { ALGORITHM_NAMES, type SignatureAlgorithm } from '../jws/algorithms.js'
import { decodeBase64url } from '../jws/base64url.js'
import type { PublicJwk } from '../jws/public-jwk.js'
import { readConfirmationKey } from '../trust/confirmation.js'
import { parseWit } from '../trust/wit.js'

/**
 * An identity token together with the private key it names: all a workload needs to show who it is.
 * {@link importCredential} makes one. The key cannot be read back; neither it nor the token is printed or
 * serialised with it.
 */
export interface Credential {
  readonly wit: string
  /** The workload identifier the token is for. */
  readonly subject: string
  /** Epoch seconds. */
  readonly expiresAt: number
  /** RFC 7638 SHA-256 thumbprint of the key, base64url. */
  readonly keyThumbprint: string
}

/** What signing needs of a credential. */
export interface SigningMaterial {
  readonly algorithm: SignatureAlgorithm
  readonly privateKey: KeyObject
  /** Hash of the WIT, as `wth` has it. */
  readonly witHash: string
}

const materials = new WeakMap<Credential, SigningMaterial>()

const ALL_ALGORITHMS: ReadonlySet<string> = new Set(ALGORITHM_NAMES)

/**
 * Makes a credential of an identity token and its private key, and establishes that the key is the one the
 * token names: a test value signed with it verifies under `cnf.jwk`.
 *
 * This does NOT check who signed the identity token, nor that it is still valid; whoever is called does
 * the first, signing does the second.
 *
 * @param material `wit` as received; `key` a private JWK, or PKCS #8 or SEC 1 in PEM
 * @throws SigningError `WIMSE_CREDENTIAL_MISMATCH` when either cannot be read or they do not belong together
 */
export async function importCredential(material: {
  readonly wit: string
  readonly key: JWK | JsonWebKey | string
}): Promise<Credential> {
  const { wit, key } = material ?? {}
  const { subject, claims } = readWit(wit)
  const confirmation = readConfirmationKey(claims['cnf'], ALL_ALGORITHMS)
  if (typeof confirmation === 'string')
    throw mismatch(`the WIT has no usable confirmation key: ${confirmation}`)
  const { exp } = claims
  if (typeof exp !== 'number') throw mismatch('the WIT has no exp')

  const privateKey = readPrivateKey(key)
  const { algorithm } = confirmation
  if (typeof key === 'object' && thumbprintOf(key as PublicJwk) !== confirmation.thumbprint) {
    throw mismatch('the public members of the key are not those of cnf.jwk of the WIT')
  }
  // Node imports a JWK whose halves do not match, so only a signature tells.
  if (!canSignFor(algorithm, privateKey, confirmation.key)) {
    throw mismatch('a value signed with the key does not verify under cnf.jwk of the WIT')
  }
  const facts = { subject: subject.id, expiresAt: exp, keyThumbprint: confirmation.thumbprint }
  // Not enumerable, so that a credential can be logged and its token not.
  const credential = Object.freeze(
    Object.defineProperty(facts as Credential, 'wit', { value: wit, enumerable: false }),
  )
  materials.set(credential, { algorithm, privateKey, witHash: tokenHash(wit) })
  return credential
}

/** What {@link importCredential} established. @throws SigningError `WIMSE_CREDENTIAL_MISSING` */
export function signingMaterialOf(credential: Credential): SigningMaterial {
  const material =
    typeof credential === 'object' && credential !== null ? materials.get(credential) : undefined
  if (material !== undefined) return material
  throw new SigningError('WIMSE_CREDENTIAL_MISSING', { reason: 'not a credential made by importCredential' })
}

function readWit(wit: string): { subject: WorkloadIdentifier; claims: Readonly<Record<string, unknown>> } {
  try {
    if (typeof wit !== 'string') throw new TypeError('not a string')
    const { subject, jws } = parseWit(wit, tokenHash(wit), ALL_ALGORITHMS)
    return { subject, claims: jws.claims }
  } catch (cause) {
    throw mismatch('the WIT cannot be read', cause)
  }
}

function readPrivateKey(key: JWK | JsonWebKey | string): KeyObject {
  try {
    if (typeof key === 'string') return createPrivateKey(key)
    // Node takes a JWK whose parts have any length; its halves are compared with the WIT's key afterwards.
    if (typeof key.d !== 'string' || decodeBase64url(key.d) === null)
      throw new TypeError('no private member d')
    return createPrivateKey({ key: key as JsonWebKey, format: 'jwk' })
  } catch {
    // Not the cause: messages of key parsers quote what they could not read.
    throw mismatch('the key is not a private JWK or PEM')
  }
}

function canSignFor(algorithm: SignatureAlgorithm, privateKey: KeyObject, publicKey: KeyObject): boolean {
  const sample = 'a value that is signed only to see whether two keys belong together'
  try {
    const signature = decodeBase64url(makeSignature(algorithm, privateKey, sample))!
    return verifySignature(algorithm, publicKey, sample, signature)
  } catch {
    return false
  }
}

function mismatch(reason: string, cause?: unknown): SigningError {
  return new SigningError('WIMSE_CREDENTIAL_MISMATCH', { reason, cause })
}
