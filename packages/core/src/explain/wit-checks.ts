import { readWorkloadIdentifier } from '../identity/workload-identifier.js'
import type { AlgorithmName } from '../jws/algorithms.js'
import type { PublicJwk } from '../jws/public-jwk.js'
import type { JsonObject } from '../jws/strict-json.js'
import type { CheckList } from './check-list.js'
import { readUsableJwk } from './key-set.js'
import type { ReadPolicy, ReadTrustDomain } from './policy.js'
import { checkSignature, type ExplainCrypto } from './signature-check.js'
import type { ReadToken } from './token-shape.js'

/** The key a WIT names, for the algorithms a proof may use. */
export interface NamedKey {
  readonly jwk: PublicJwk
  readonly names: readonly AlgorithmName[]
}

/** Checks everything of a WIT behind its shape. @returns the key it names, null when that cannot be used */
export async function checkWit(
  token: ReadToken,
  policy: ReadPolicy,
  crypto: ExplainCrypto,
  list: CheckList,
): Promise<NamedKey | null> {
  const { claims } = token
  const trustDomain = checkSubject(claims['sub'], list)
  const domain = trustDomain === null ? null : checkTrustDomain(trustDomain, policy, list)
  if (domain !== null) checkDomainRules(token, domain, list)
  checkTimes(claims, policy, list)
  if (domain !== null) await checkIssuerSignature(token, domain, crypto, list)
  return checkConfirmation(claims['cnf'], domain ?? policy.anyDomain, policy, list)
}

function checkSubject(sub: unknown, list: CheckList): string | null {
  const subject = readWorkloadIdentifier(sub)
  list.judge('wit.subject', subject !== null, {
    expected: 'a URI of scheme, trust domain and path, in canonical form',
    received: sub,
    reason: 'sub is not a workload identifier in canonical form',
  })
  return subject?.trustDomain ?? null
}

function checkTrustDomain(origin: string, policy: ReadPolicy, list: CheckList): ReadTrustDomain | null {
  const { trustDomains, anyDomain } = policy
  if (trustDomains === null) {
    list.doubt('wit.trust-domain', {
      received: origin,
      reason: 'nobody has said which trust domains are accepted',
    })
    return anyDomain
  }
  const domain = trustDomains.get(origin)
  list.judge('wit.trust-domain', domain !== undefined, {
    expected: [...trustDomains.keys()],
    received: origin,
    reason: 'the trust domain of sub is not configured',
  })
  return domain ?? null
}

function checkDomainRules(
  { parts, claims, algorithm }: ReadToken,
  { algorithms, profile, issuers }: ReadTrustDomain,
  list: CheckList,
): void {
  if (algorithm !== null) {
    list.judge('wit.domain-algorithm', algorithms.has(algorithm.name), {
      expected: [...algorithms],
      received: algorithm.name,
      reason: 'alg is not accepted for the trust domain',
    })
  }
  if (profile === 'wit-svid') {
    list.judge('wit.svid-key-id', parts.kid !== undefined, {
      expected: 'a kid',
      received: parts.kid,
      reason: 'a WIT-SVID must have a kid',
    })
    list.judge('wit.svid-audience', !('aud' in claims), {
      expected: 'no aud',
      received: claims['aud'],
      reason: 'a WIT-SVID must not have an aud',
    })
  } else {
    list.skip(
      ['wit.svid-key-id', 'wit.svid-audience'],
      'the trust domain is not held to the WIT-SVID profile',
    )
  }
  const { iss } = claims
  if (issuers === null) {
    list.skip(['wit.issuer'], 'iss plays no part where no issuer is configured')
  } else {
    list.judge('wit.issuer', iss === undefined || issuers.has(iss as string), {
      expected: [...issuers],
      received: iss,
      reason: 'iss is not an issuer of the trust domain',
    })
  }
}

function checkTimes(
  { exp, nbf }: JsonObject,
  { now, clockTolerance, maxTokenLifetime }: ReadPolicy,
  list: CheckList,
): void {
  const latest = now + maxTokenLifetime + clockTolerance
  list.judge('wit.lifetime', typeof exp === 'number' && exp <= latest, {
    expected: `exp up to ${latest}`,
    received: exp,
    instant: exp,
    reason: typeof exp === 'number' ? 'exp lies too far ahead' : 'exp is not a number',
  })
  list.judge('wit.not-before-form', nbf === undefined || typeof nbf === 'number', {
    expected: 'no nbf, or a number',
    received: nbf,
    reason: 'nbf is not a number',
  })
  if (typeof exp === 'number') {
    list.judge('wit.expiry', now < exp + clockTolerance, {
      expected: `exp after ${now - clockTolerance}`,
      received: exp,
      instant: exp,
      reason: 'exp has passed',
    })
  }
  if (nbf === undefined || typeof nbf === 'number') {
    list.judge('wit.not-before', nbf === undefined || now + clockTolerance >= nbf, {
      expected: `nbf up to ${now + clockTolerance}`,
      received: nbf,
      instant: nbf,
      reason: 'nbf lies ahead',
    })
  }
}

async function checkIssuerSignature(
  { parts, algorithm }: ReadToken,
  { keys }: ReadTrustDomain,
  crypto: ExplainCrypto,
  list: CheckList,
): Promise<void> {
  const received = parts.kid ?? 'no key id'
  if (keys === null) {
    const reason = 'the keys of the trust domain are not at hand'
    list.doubt('wit.key', { received, reason })
    list.doubt('wit.signature', { reason })
    return
  }
  if (algorithm === null) return
  const fitting = keys.keys.filter(
    ({ kid, algorithms }) =>
      (parts.kid === undefined || kid === parts.kid) && algorithms.includes(algorithm.name),
  )
  const found = list.judge('wit.key', fitting.length === 1, {
    expected: keys.keys.map(({ kid }) => kid ?? 'a key without id'),
    received,
    reason: `no single key of the trust domain fits the key id and ${algorithm.name}`,
  })
  if (found) await checkSignature('wit.signature', algorithm, fitting[0]!.jwk, parts, crypto, list)
}

function checkConfirmation(
  cnf: unknown,
  { confirmationAlgorithms }: ReadTrustDomain,
  { deriveConfirmationAlgorithm }: ReadPolicy,
  list: CheckList,
): NamedKey | null {
  const key = readConfirmation(cnf, confirmationAlgorithms, deriveConfirmationAlgorithm)
  const named = typeof key === 'string' ? null : key
  list.judge('wit.confirmation', named !== null, {
    expected: 'cnf.jwk with alg, a public key',
    received: named === null ? membersOf(cnf) : `${named.jwk.kty} ${named.jwk.crv ?? ''} ${named.names[0]}`,
    reason: typeof key === 'string' ? key : '',
  })
  return named
}

function readConfirmation(cnf: unknown, accepted: ReadonlySet<string>, derive: boolean): NamedKey | string {
  if (!isObject(cnf)) return 'cnf is not an object'
  if ('jwe' in cnf || 'jku' in cnf) return 'cnf names its key by jwe or jku'
  const { jwk } = cnf
  if (!isObject(jwk)) return 'cnf.jwk is not an object'
  if (jwk['alg'] === undefined && !derive) return 'cnf.jwk.alg is missing'
  const read = readUsableJwk(jwk, ['sig'])
  if (typeof read === 'string') return `cnf.jwk: ${read}`
  const names = read.algorithms.filter((name) => accepted.has(name))
  return names.length === 0 ? 'cnf.jwk.alg is not one of the accepted algorithms' : { jwk: read.jwk, names }
}

/** Names alone: a key that should not be there may be a private one. */
function membersOf(cnf: unknown): string {
  if (!isObject(cnf)) return cnf === undefined ? 'no cnf' : `a cnf of type ${typeof cnf}`
  const names = Object.keys(cnf).map((name) => `cnf.${name}`)
  const { jwk } = cnf
  return [...names, ...(isObject(jwk) ? Object.keys(jwk).map((name) => `jwk.${name}`) : [])].join(', ')
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
