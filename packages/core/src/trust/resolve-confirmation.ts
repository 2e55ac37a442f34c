import { decryptCompactJwe } from '../crypto/compact-jwe.js'
import { beforeDeadline } from '../deadline.js'
import { AuthenticationError, UnavailableError } from '../errors.js'
import { type JsonObject, parseJsonObject } from '../jws/strict-json.js'
import {
  type ConfirmationOptions,
  type ConfirmationSettings,
  readConfirmationOptions,
} from './confirmation-options.js'
import {
  type Confirmation,
  type ConfirmationMethod,
  type ConfirmedKey,
  confirmKey,
  importPublicConfirmedKey,
  importSecretConfirmedKey,
} from './confirmed-key.js'
import { fetchDocument } from './fetch-document.js'

/**
 * Finds the key that a JWT is bound to, by any of the methods of RFC 7800: `cnf.jwk` (a public key),
 * `cnf.jwe` (a symmetric key encrypted to us), `cnf.kid` alone (a key in a directory of ours), `cnf.jku` (a
 * key in a set that is fetched). A key without `alg` has one all the same: that of its curve, `RS256` for
 * RSA, `HS256` for a symmetric key.
 *
 * `claims` MUST be those of a JWT whose signature, expiry and audience the caller has checked already: a key
 * that anyone could have written confirms nothing, and `cnf.jku` is fetched here. This does NOT show that
 * the presenter holds the key; `verifyPossession` does. Nothing is remembered: each call with a `jku`
 * fetches, so keep the confirmation for as long as the JWT is used, and no longer.
 *
 * This is for JWTs at large. Workload identity tokens take `cnf.jwk` with an `alg` and nothing else, and do
 * not come this way.
 *
 * @throws AuthenticationError `WIMSE_WIT_CONFIRMATION`; its diagnostics name an option that is missing
 * @throws UnavailableError `WIMSE_TRUST_UNAVAILABLE` when a key set or the directory cannot be reached
 * @throws TypeError naming an option that is wrong
 * @see {@link https://www.rfc-editor.org/rfc/rfc7800#section-3}
 */
export async function resolveConfirmation(
  claims: Readonly<Record<string, unknown>>,
  options: ConfirmationOptions = {},
): Promise<Confirmation> {
  const settings = readConfirmationOptions(options)
  const named = readConfirmationClaim(claims)
  const key = await findKey(named, settings)
  if (named.kid !== undefined && key.kid !== undefined && named.kid !== key.kid && named.method !== 'kid') {
    throw refuse('cnf.kid is not the id of the key beside it')
  }
  return confirmKey(named.method, key)
}

/** What a `cnf` claim says about its key. */
interface NamedKey {
  readonly method: ConfirmationMethod
  readonly value: unknown
  readonly kid: string | undefined
}

const KEY_MEMBERS = ['jwk', 'jwe', 'jku'] as const

function readConfirmationClaim(claims: unknown): NamedKey {
  if (!isObject(claims)) throw refuse('the claims are not an object')
  const { sub, iss, cnf } = claims
  if (sub === undefined && iss === undefined) throw refuse('the JWT has neither sub nor iss')
  if ([sub, iss].some((name) => name !== undefined && (typeof name !== 'string' || name === ''))) {
    throw refuse('sub or iss is not a string with something in it')
  }
  if (!isObject(cnf)) throw refuse('cnf is not an object')
  const [method, second] = KEY_MEMBERS.filter((member) => Object.hasOwn(cnf, member))
  if (second !== undefined) throw refuse('cnf names more than one key')
  const kid = Object.hasOwn(cnf, 'kid') ? cnf['kid'] : undefined
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) {
    throw refuse('cnf.kid is not a string with something in it')
  }
  if (method !== undefined) return { method, value: cnf[method], kid }
  if (kid === undefined) throw refuse('cnf has none of jwk, jwe, jku and kid')
  return { method: 'kid', value: kid, kid }
}

async function findKey(
  { method, value, kid }: NamedKey,
  settings: ConfirmationSettings,
): Promise<ConfirmedKey> {
  switch (method) {
    case 'jwk':
      return readPublic('cnf.jwk', value, settings)
    case 'jwe':
      return decryptKey(value, settings)
    case 'kid':
      return lookUpKey(kid!, settings)
    case 'jku':
      return fetchKey(value, kid, settings)
    default:
      return method satisfies never
  }
}

async function decryptKey(jwe: unknown, settings: ConfirmationSettings): Promise<ConfirmedKey> {
  if (settings.decryptionKey === null) throw refuse('cnf.jwe needs the option decryptionKey')
  if (typeof jwe !== 'string') throw refuse('cnf.jwe is not a string')
  const plaintext = await decryptCompactJwe(jwe, settings.decryptionKey)
  if (typeof plaintext === 'string') throw refuse(`cnf.jwe: ${plaintext}`)
  return readSecret('the key in cnf.jwe', parseJsonObject(plaintext), settings)
}

async function lookUpKey(kid: string, settings: ConfirmationSettings): Promise<ConfirmedKey> {
  const { directory, timeoutMs } = settings
  if (directory === null) throw refuse('cnf.kid alone needs the option directory')
  let jwk: unknown
  try {
    jwk = await beforeDeadline(directory(kid), timeoutMs)
    if (jwk !== null && jwk !== undefined && !isObject(jwk)) throw new TypeError('the answer is not a JWK')
  } catch (cause) {
    throw unavailable('the directory of keys gives no answer', cause)
  }
  if (!isObject(jwk)) throw refuse('the directory has no key of the id in cnf.kid', kid)
  const read = jwk['kty'] === 'oct' ? readSecret : readPublic
  return read('the key in the directory', jwk, settings)
}

async function fetchKey(
  jku: unknown,
  kid: string | undefined,
  { allowedJku, algorithms, timeoutMs, fetching }: ConfirmationSettings,
): Promise<ConfirmedKey> {
  if (allowedJku === null) throw refuse('cnf.jku needs the option allowedJku')
  const named = typeof jku === 'string' && URL.canParse(jku) ? new URL(jku) : null
  if (named?.protocol !== 'https:') throw refuse('cnf.jku is not an https URL', jku)
  // What was configured is fetched and not what came, though the two are the same.
  const url = allowedJku.get(named.href)
  if (url === undefined) throw refuse('cnf.jku is not one of allowedJku', jku)
  let entries: unknown
  try {
    const document = await fetchDocument(url, fetching, AbortSignal.timeout(timeoutMs))
    entries = parseJsonObject(document)?.['keys']
    if (!Array.isArray(entries)) throw new TypeError('not a JWK set')
  } catch (cause) {
    throw unavailable('the key set at cnf.jku cannot be had', cause, url.href)
  }
  return readPublic('the key at cnf.jku', selectEntry(entries, kid), { algorithms })
}

/** Entries that are no usable key count too: a set with two of them is not one that needs no id. */
function selectEntry(entries: readonly unknown[], kid: string | undefined): unknown {
  if (kid === undefined) {
    if (entries.length !== 1) throw refuse('the set at cnf.jku has not exactly one key, and cnf no kid')
    return entries[0]
  }
  const [entry, second] = entries.filter((one) => isObject(one) && one['kid'] === kid)
  if (entry === undefined || second !== undefined) {
    throw refuse('not exactly one key of the set at cnf.jku has the id in cnf.kid', kid)
  }
  return entry
}

type Accepted = Pick<ConfirmationSettings, 'algorithms'>

function readPublic(what: string, jwk: unknown, { algorithms }: Accepted): ConfirmedKey {
  if (!isObject(jwk)) throw refuse(`${what} is not an object`)
  if (jwk['kty'] === 'oct') throw refuse(`${what} is a symmetric key in clear`)
  return usable(what, importPublicConfirmedKey(jwk, algorithms))
}

function readSecret(what: string, jwk: unknown, { algorithms }: Accepted): ConfirmedKey {
  if (!isObject(jwk)) throw refuse(`${what} is not one strict JSON object`)
  return usable(what, importSecretConfirmedKey(jwk, algorithms))
}

function usable(what: string, key: ConfirmedKey | string): ConfirmedKey {
  if (typeof key === 'string') throw refuse(`${what}: ${key}`)
  return key
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(reason: string, received?: unknown): AuthenticationError {
  return new AuthenticationError('WIMSE_WIT_CONFIRMATION', { reason, received })
}

function unavailable(reason: string, cause: unknown, received?: string): UnavailableError {
  return new UnavailableError('WIMSE_TRUST_UNAVAILABLE', { reason, received, cause })
}
