import type { Instant } from '../clock.js'
import { SigningError } from '../errors.js'
import { readFieldNames, refuseUnknownOptions } from '../options.js'
import { REVISIONS, type Revision } from '../revisions.js'
import { beginSigning, tellSigned, tellUnsigned } from '../observation/signing.js'
import { trimmed } from '../field-value.js'
import { readAuthorization } from '../proof/authorization.js'
import type { Credential } from './credential.js'
import { signWpt } from './sign-wpt.js'

/** The header fields of a request: names in any case, values as they go out. */
export type HeaderFields =
  | Headers
  | readonly (readonly [string, string])[]
  | Readonly<Record<string, string | readonly string[] | undefined>>

/** One outgoing request. */
export interface SignRequestOptions {
  /** Absolute; the proof is for this URL without its query and fragment. */
  readonly url: string | URL
  /** The fields that will be sent with it, so that the tokens among them are covered. */
  readonly headers?: HeaderFields | undefined
  /** How the proof travels. Default `'wpt-01'`. */
  readonly revision?: Revision | undefined
  /** `aud` instead of the URL, where the called side has agreed on another. */
  readonly audience?: string | undefined
  /** Names of fields that carry tokens; covered by `oth` when they are there. Default none. */
  readonly otherTokens?: readonly string[] | undefined
  /** Seconds. Default 60; never past the expiry of the WIT. */
  readonly lifetime?: number | undefined
  /** Epoch seconds. Default now. */
  readonly now?: Instant | undefined
}

const OPTIONS: readonly (keyof SignRequestOptions)[] = [
  'url',
  'headers',
  'revision',
  'audience',
  'otherTokens',
  'lifetime',
  'now',
]

/**
 * Makes the header fields that show who sends a request. Add them to exactly the request described, and
 * make new ones for every attempt.
 *
 * An access token in `Authorization` (`Bearer` or `DPoP`), a `Txn-Token` and the `otherTokens` are covered
 * by the proof. Method, query and body are not.
 *
 * @throws SigningError `WIMSE_CREDENTIAL_EXPIRED`; `WIMSE_HEADER_RESERVED` when a field is set that only
 *   this function may set, or a field to be covered is there more than once; `WIMSE_BEARER_CONFLICT` when
 *   the proof needs the `Authorization` field itself; `WIMSE_TARGET_NOT_ALLOWED` when the URL is not one
 *   that a proof can name
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html#section-2}
 */
export function signRequest(credential: Credential, request: SignRequestOptions): Record<string, string> {
  const startedAt = beginSigning()
  return startedAt === null ? sign(credential, request) : signAndTell(credential, request, startedAt)
}

function signAndTell(
  credential: Credential,
  request: SignRequestOptions,
  startedAt: number,
): Record<string, string> {
  const { url, revision = 'wpt-01' } = request
  const target = originOf(url)
  try {
    const fields = sign(credential, request)
    tellSigned(startedAt, target, revision)
    return fields
  } catch (error) {
    const known = Object.hasOwn(REVISIONS, revision) ? revision : null
    const isNamed = !(error instanceof SigningError && error.code === 'WIMSE_TARGET_NOT_ALLOWED')
    tellUnsigned(error, isNamed ? target : null, known, performance.now() - startedAt)
    throw error
  }
}

function originOf(url: string | URL): string | null {
  return /^https?:/i.test(String(url)) && URL.canParse(String(url)) ? new URL(url).origin : null
}

function sign(credential: Credential, request: SignRequestOptions): Record<string, string> {
  refuseUnknownOptions('signRequest', request, OPTIONS)
  const { revision = 'wpt-01', audience = audienceOf(request.url), lifetime, now } = request
  if (!Object.hasOwn(REVISIONS, revision)) throw new TypeError('option revision is not one we know')
  const valuesOf = readFields(request.headers)
  for (const name of ['workload-identity-token', 'workload-proof-token']) {
    if (valuesOf(name).length > 0) {
      throw new SigningError('WIMSE_HEADER_RESERVED', {
        reason: 'only the signer sets this field',
        received: name,
      })
    }
  }
  const value = single(valuesOf, 'authorization')
  const authorization = value === undefined ? undefined : readAuthorization(value)
  const { proofField } = REVISIONS[revision]
  if (proofField === 'authorization' && authorization !== undefined) {
    throw new SigningError('WIMSE_BEARER_CONFLICT', {
      reason: `in ${revision} the proof is the Authorization field`,
    })
  }
  if (authorization?.scheme === 'wpt') {
    throw new SigningError('WIMSE_HEADER_RESERVED', {
      reason: 'only the signer sets a proof',
      received: 'authorization',
    })
  }
  const others = readFieldNames('otherTokens', request.otherTokens)
    .map((name) => [name, single(valuesOf, name)] as const)
    .filter((entry): entry is readonly [string, string] => entry[1] !== undefined)

  const wpt = signWpt(credential, {
    audience,
    accessToken: authorization?.accessToken,
    txnToken: single(valuesOf, 'txn-token'),
    otherTokens: Object.fromEntries(others),
    lifetime,
    now,
  })
  return {
    'Workload-Identity-Token': credential.wit,
    ...(proofField === 'authorization' ? { Authorization: `WPT ${wpt}` } : { 'Workload-Proof-Token': wpt }),
  }
}

/** The URL as a proof names it: without query and fragment. */
function audienceOf(url: string | URL): string {
  const parsed = url instanceof URL ? url : URL.canParse(url) ? new URL(url) : null
  if (
    parsed === null ||
    !/^https?:$/.test(parsed.protocol) ||
    parsed.username !== '' ||
    parsed.password !== ''
  ) {
    throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', {
      reason: 'the URL is not an absolute http or https URL without user information',
    })
  }
  return parsed.origin + parsed.pathname
}

function readFields(headers: HeaderFields | undefined): (name: string) => readonly string[] {
  const fields = new Map<string, string[]>()
  for (const [name, given] of entriesOf(headers)) {
    const values = Array.isArray(given) ? given : [given]
    if (values.some((value) => typeof value !== 'string')) {
      throw new TypeError(`option headers: the value of ${name} is not a string`)
    }
    const before = fields.get(name.toLowerCase()) ?? []
    fields.set(name.toLowerCase(), [...before, ...values.map(trimmed)])
  }
  return (name) => fields.get(name) ?? []
}

function entriesOf(
  headers: HeaderFields | undefined,
): Iterable<readonly [string, string | readonly string[]]> {
  if (headers === undefined) return []
  if (Symbol.iterator in headers) return headers as Iterable<readonly [string, string]>
  return Object.entries(headers).filter(
    (entry): entry is [string, string | readonly string[]] => entry[1] !== undefined,
  )
}

function single(valuesOf: (name: string) => readonly string[], name: string): string | undefined {
  const values = valuesOf(name)
  if (values.length > 1) {
    throw new SigningError('WIMSE_HEADER_RESERVED', {
      reason: 'a field that the proof covers is there more than once',
      received: name,
    })
  }
  return values[0]
}
