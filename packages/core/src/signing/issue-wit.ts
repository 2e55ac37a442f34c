import { importJWK, type JWK, SignJWT } from 'jose'
import { type Instant, readInstant } from '../clock.js'
import { randomIdentifier } from '../crypto/random-identifier.js'
import { parseWorkloadIdentifier } from '../identity/workload-identifier.js'
import { ALGORITHM_NAMES } from '../jws/algorithms.js'
import { readNumber, refuseUnknownOptions } from '../options.js'
import { readConfirmationKey } from '../trust/confirmation.js'

/** What an identity server puts into one token. */
export interface IssueWitOptions {
  /** Private JWK of the identity server, with `alg` and, unless it has but one key, `kid`. */
  readonly issuerKey: JWK
  /** Workload identifier the token is for. */
  readonly subject: string
  /** Public JWK of the workload, with `alg`. */
  readonly confirmationKey: JWK
  /** `iss`: URI of the identity server, for audit. */
  readonly issuer?: string | undefined
  /** Seconds. Default 3600. */
  readonly lifetime?: number | undefined
  /** Further claims. Those this function sets cannot be set. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Epoch seconds. Default now. */
  readonly now?: Instant | undefined
}

const OPTIONS: readonly (keyof IssueWitOptions)[] = [
  'issuerKey',
  'subject',
  'confirmationKey',
  'issuer',
  'lifetime',
  'claims',
  'now',
]

const OWN_CLAIMS: ReadonlySet<string> = new Set(['sub', 'cnf', 'iss', 'exp', 'iat', 'jti', 'aud'])

/**
 * Signs an identity token that binds a workload identifier to a public key.
 *
 * This does NOT check that whoever asks for it is that workload, nor that it holds the key. An identity
 * server does both before it calls this.
 *
 * @throws TypeError naming the option that is wrong, such as a confirmation key with private members
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-workload-creds-02.html#section-5.1}
 */
export async function issueWit(options: IssueWitOptions): Promise<string> {
  refuseUnknownOptions('issueWit', options, OPTIONS)
  const { issuerKey, subject, confirmationKey, issuer, claims = {} } = options
  const lifetime = readNumber('lifetime', options.lifetime, { default: 3600, min: 1 })
  const now = Math.floor(readInstant(options.now))
  const { id } = parseWorkloadIdentifier(subject)
  const own = Object.keys(claims).find((name) => OWN_CLAIMS.has(name))
  if (own !== undefined) throw new TypeError(`option claims must not contain ${own}`)
  const { alg, kid } = issuerKey
  if (alg === undefined || !(ALGORITHM_NAMES as readonly string[]).includes(alg)) {
    throw new TypeError('option issuerKey must have an asymmetric signature alg')
  }
  const cnf = { jwk: { ...confirmationKey } }
  const confirmation = readConfirmationKey(cnf, new Set(ALGORITHM_NAMES))
  if (typeof confirmation === 'string') throw new TypeError(`option confirmationKey: ${confirmation}`)

  return new SignJWT({ ...claims, ...(issuer === undefined ? {} : { iss: issuer }), cnf })
    .setProtectedHeader({ alg, typ: 'wit+jwt', ...(kid === undefined ? {} : { kid }) })
    .setSubject(id)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime)
    .setJti(randomIdentifier())
    .sign(await importJWK(issuerKey, alg))
}
