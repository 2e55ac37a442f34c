import { type Instant, readInstant } from '../clock.js'
import { makeSignature } from '../crypto/signature.js'
import { randomIdentifier } from '../crypto/random-identifier.js'
import { tokenHash } from '../crypto/token-hash.js'
import { SigningError } from '../errors.js'
import { ALGORITHM_NAMES } from '../jws/algorithms.js'
import { readNumber, refuseUnknownOptions } from '../options.js'
import { trimmed } from '../field-value.js'
import { type Credential, signingMaterialOf } from './credential.js'

/** What one proof is made for. */
export interface WptOptions {
  /** `aud`: the target URI without query and fragment, or what the called side has agreed on instead. */
  readonly audience: string
  /** The access token in the same request, without its scheme; covered by `ath`. */
  readonly accessToken?: string | undefined
  /** The transaction token in the same request; covered by `tth`. */
  readonly txnToken?: string | undefined
  /** Further tokens in the same request, field value by field name; covered by `oth`. */
  readonly otherTokens?: Readonly<Record<string, string>> | undefined
  /** Seconds. Default 60, at most 300; never past the expiry of the WIT. */
  readonly lifetime?: number | undefined
  /** Epoch seconds. Default now. */
  readonly now?: Instant | undefined
}

const OPTIONS: readonly (keyof WptOptions)[] = [
  'audience',
  'accessToken',
  'txnToken',
  'otherTokens',
  'lifetime',
  'now',
]

/** Seconds a proof lives unless told otherwise. */
export const DEFAULT_PROOF_LIFETIME = 60

const LONGEST_PROOF_LIFETIME = 300

/** The header of every proof by a key of an algorithm, encoded. */
const HEADERS: ReadonlyMap<string, string> = new Map(
  ALGORITHM_NAMES.map((alg) => [alg, encodeJson({ alg, typ: 'wpt+jwt' })]),
)

/**
 * Signs a proof for one request. Make a new one for every attempt: a service accepts each only once.
 *
 * @throws SigningError `WIMSE_CREDENTIAL_EXPIRED`, `WIMSE_CREDENTIAL_MISSING`
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html#section-2}
 */
export function signWpt(credential: Credential, options: WptOptions): string {
  refuseUnknownOptions('signWpt', options, OPTIONS)
  const { algorithm, privateKey, witHash } = signingMaterialOf(credential)
  const { audience, accessToken, txnToken, otherTokens = {} } = options
  if (typeof audience !== 'string' || audience === '') throw new TypeError('option audience is required')
  const lifetime = readNumber('lifetime', options.lifetime, {
    default: DEFAULT_PROOF_LIFETIME,
    min: 1,
    max: LONGEST_PROOF_LIFETIME,
  })
  const now = readInstant(options.now)
  if (now >= credential.expiresAt) {
    throw new SigningError('WIMSE_CREDENTIAL_EXPIRED', {
      reason: 'exp of the WIT has passed',
      expected: `exp after ${now}`,
      received: credential.expiresAt,
    })
  }
  const oth = Object.entries(otherTokens).map(([name, value]) => [
    name.toLowerCase(),
    tokenHash(trimmed(value)),
  ])
  const claims = {
    aud: audience,
    exp: Math.floor(Math.min(now + lifetime, credential.expiresAt)),
    jti: randomIdentifier(),
    wth: witHash,
    ...(accessToken === undefined ? {} : { ath: tokenHash(accessToken) }),
    ...(txnToken === undefined ? {} : { tth: tokenHash(txnToken) }),
    ...(oth.length === 0 ? {} : { oth: Object.fromEntries(oth) as Record<string, string> }),
  }
  const signingInput = `${HEADERS.get(algorithm.name)!}.${encodeJson(claims)}`
  return `${signingInput}.${makeSignature(algorithm, privateKey, signingInput)}`
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
