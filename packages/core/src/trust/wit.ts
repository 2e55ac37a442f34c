import { verifySignature } from '../crypto/signature.js'
import type { AuthenticationErrorCode } from '../codes.js'
import { AuthenticationError } from '../errors.js'
import { readWorkloadIdentifier, type WorkloadIdentifier } from '../identity/workload-identifier.js'
import { JwsRefused, parseCompactJws, type UnverifiedJws } from '../jws/compact-jws.js'
import type { JsonObject } from '../jws/strict-json.js'
import { type ConfirmationKey, readConfirmationKey } from './confirmation.js'
import type { DomainRules } from './domain-rules.js'
import { selectTrustKey, type TrustBundle } from './trust-bundle.js'

/** A workload identity token of the right shape. Nobody has vouched for it yet. */
export interface UnverifiedWit {
  readonly jws: UnverifiedJws
  /** Who it claims to be for: syntax only. */
  readonly subject: WorkloadIdentifier
  /** Hash of the token as it came, as `wth` has it. */
  readonly hash: string
}

declare const trusted: unique symbol

/** A workload identity token that its trust domain's identity server signed. Only {@link trustWit} makes one. */
export interface TrustedWit {
  readonly [trusted]: true
  readonly subject: WorkloadIdentifier
  readonly claims: JsonObject
  readonly hash: string
  readonly confirmation: ConfirmationKey
  readonly expiresAt: number
  readonly notBefore: number | null
}

/** What a trust domain's tokens have to keep to. */
export interface WitRules extends DomainRules {
  /** Takes confirmation keys without `alg` for the algorithm of their type and curve. */
  readonly deriveConfirmationAlgorithm: boolean
  /** Seconds. */
  readonly clockTolerance: number
  /** Seconds; an expiry further ahead is refused. */
  readonly maxTokenLifetime: number
}

/**
 * Takes a WIT apart: a compact JWS of type `wit+jwt` whose subject is a workload identifier.
 *
 * This does NOT check who signed it, nor whether it is still valid; {@link trustWit} does.
 *
 * @param hash hash of the token, as `wth` has it
 * @throws AuthenticationError `WIMSE_WIT_MALFORMED`, `_CRITICAL`, `_TYPE`, `_ALGORITHM`, `_SUBJECT`
 */
export function parseWit(token: string, hash: string, algorithms: ReadonlySet<string>): UnverifiedWit {
  let jws: UnverifiedJws
  try {
    jws = parseCompactJws(token, { typ: 'wit+jwt', algorithms })
  } catch (error) {
    if (!(error instanceof JwsRefused)) throw error
    throw refuse(`WIMSE_WIT_${error.fault}`, error.message, [...algorithms], error.received)
  }
  const subject = readWorkloadIdentifier(jws.claims['sub'])
  if (subject === null) {
    throw refuse(
      'WIMSE_WIT_SUBJECT',
      'sub is not a workload identifier in canonical form',
      undefined,
      jws.claims['sub'],
    )
  }
  return { jws, subject, hash }
}

/**
 * Establishes that the identity server of the subject's own trust domain signed this token, that it is
 * valid now, and which key it binds the workload to.
 *
 * This does NOT show that the caller holds that key; verifying the proof does.
 *
 * @param bundle keys of exactly the trust domain of `wit.subject`
 * @param now epoch seconds
 * @throws AuthenticationError `WIMSE_WIT_ALGORITHM`, `_KEY`, `_ISSUER`, `_EXPIRED`, `_NOT_YET_VALID`,
 *   `_LIFETIME`, `_SIGNATURE`, `_CONFIRMATION`
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-workload-creds-02.html#section-5.1}
 */
export function trustWit(wit: UnverifiedWit, bundle: TrustBundle, rules: WitRules, now: number): TrustedWit {
  const { jws, subject, hash } = wit
  const { claims } = jws
  const lifetime = checkWitClaims(wit, rules, now)
  const key = selectTrustKey(bundle, jws.kid, jws.algorithm.name)
  if (key === null) {
    throw refuse(
      'WIMSE_WIT_KEY',
      `no single key of the trust domain fits the key id and ${jws.algorithm.name}`,
      bundle.keys.map(({ kid }) => kid ?? 'a key without id'),
      jws.kid,
    )
  }
  // Nothing above costs much: whoever floods us with tokens of a past day pays for no signature of ours.
  if (!verifySignature(jws.algorithm, key.key, jws.signingInput, jws.signature)) {
    throw refuse('WIMSE_WIT_SIGNATURE', 'the signature does not verify', key.kid, jws.kid)
  }
  const confirmation = readConfirmationKey(
    claims['cnf'],
    rules.confirmationAlgorithms,
    rules.deriveConfirmationAlgorithm,
  )
  if (typeof confirmation === 'string') throw refuse('WIMSE_WIT_CONFIRMATION', confirmation)
  return { subject, claims: deepFreeze(claims), hash, confirmation, ...lifetime } as TrustedWit
}

/**
 * Checks all of a token that needs no key. What is refused here is refused whoever signed it, so it comes
 * before anything is waited for.
 *
 * This does NOT show that any of it is true; {@link trustWit} does.
 *
 * @param now epoch seconds
 * @throws AuthenticationError `WIMSE_WIT_ALGORITHM`, `_KEY` and `_MALFORMED` (for a WIT-SVID), `_ISSUER`,
 *   `_LIFETIME`, `_EXPIRED`, `_NOT_YET_VALID`
 */
export function checkWitClaims(
  { jws }: UnverifiedWit,
  rules: WitRules,
  now: number,
): Pick<TrustedWit, 'expiresAt' | 'notBefore'> {
  const { claims } = jws
  if (!rules.algorithms.has(jws.algorithm.name)) {
    throw refuse(
      'WIMSE_WIT_ALGORITHM',
      'alg is not accepted for the trust domain',
      [...rules.algorithms],
      jws.algorithm.name,
    )
  }
  if (rules.profile === 'wit-svid') checkSvidProfile(jws)
  const issuer = claims['iss']
  if (rules.issuers !== null && issuer !== undefined && !rules.issuers.has(issuer as string)) {
    throw refuse('WIMSE_WIT_ISSUER', 'iss is not an issuer of the trust domain', [...rules.issuers], issuer)
  }
  const lifetime = readLifetime(claims, now, rules)
  checkWitValidity(lifetime, now, rules.clockTolerance)
  return lifetime
}

/**
 * Checks a trusted WIT against the clock. Done anew for every request, because a WIT is remembered.
 *
 * @throws AuthenticationError `WIMSE_WIT_EXPIRED`, `WIMSE_WIT_NOT_YET_VALID`
 */
export function checkWitValidity(
  { expiresAt, notBefore }: Pick<TrustedWit, 'expiresAt' | 'notBefore'>,
  now: number,
  clockTolerance: number,
): void {
  if (now >= expiresAt + clockTolerance) {
    throw refuse('WIMSE_WIT_EXPIRED', 'exp has passed', `exp after ${now - clockTolerance}`, expiresAt)
  }
  if (notBefore !== null && now + clockTolerance < notBefore) {
    throw refuse('WIMSE_WIT_NOT_YET_VALID', 'nbf lies ahead', `nbf up to ${now + clockTolerance}`, notBefore)
  }
}

/** What SPIFFE asks of a WIT-SVID beyond a WIT; its algorithms are in the rules. */
function checkSvidProfile({ kid, claims }: UnverifiedJws): void {
  if (kid === undefined) throw refuse('WIMSE_WIT_KEY', 'a WIT-SVID must have a kid')
  if ('aud' in claims) throw refuse('WIMSE_WIT_MALFORMED', 'a WIT-SVID must not have an aud')
}

function readLifetime(
  { exp, nbf }: JsonObject,
  now: number,
  { maxTokenLifetime, clockTolerance }: WitRules,
): Pick<TrustedWit, 'expiresAt' | 'notBefore'> {
  if (typeof exp !== 'number') throw refuse('WIMSE_WIT_LIFETIME', 'exp is not a number', undefined, exp)
  const latest = now + maxTokenLifetime + clockTolerance
  if (exp > latest) {
    throw refuse('WIMSE_WIT_LIFETIME', 'exp lies too far ahead', `exp up to ${latest}`, exp)
  }
  if (nbf !== undefined && typeof nbf !== 'number') {
    throw refuse('WIMSE_WIT_NOT_YET_VALID', 'nbf is not a number', undefined, nbf)
  }
  return { expiresAt: exp, notBefore: nbf ?? null }
}

function refuse(
  code: AuthenticationErrorCode,
  reason: string,
  expected?: unknown,
  received?: unknown,
): AuthenticationError {
  return new AuthenticationError(code, { reason, expected, received })
}

function deepFreeze<T>(value: T): T {
  // As is everything that is no object.
  if (Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of Object.values(value as object)) deepFreeze(member)
  return value
}
