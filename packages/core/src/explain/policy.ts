import { isTrustDomain } from '../identity/workload-identifier.js'
import { ALGORITHM_NAMES, type AlgorithmName } from '../jws/algorithms.js'
import { readFieldNames, readNumber, readStrings, refuseUnknownOptions } from '../options.js'
import { type AudienceMatcher, type AudienceOptions, createAudienceMatcher } from '../proof/audience.js'
import { REVISIONS, type Revision } from '../revisions.js'
import { type KeySet, readKeySet } from './key-set.js'

/** How one trust domain is trusted, as far as that can be written down. */
export interface ExplainTrustDomain {
  /** A JWK set or a SPIFFE bundle. Without it nobody can tell who signed the WIT. */
  readonly jwks?: unknown
  /** Values of `iss` that may speak for the trust domain. */
  readonly issuer?: string | readonly string[]
  /** Algorithms of this domain's identity tokens. */
  readonly algorithms?: readonly AlgorithmName[]
  /** `'wit-svid'` holds tokens to the SPIFFE profile. Default `'wit'`. */
  readonly profile?: 'wit' | 'wit-svid'
}

/** How the service that gets the request is configured: the options of `createAuthenticator` by their names. */
export interface ExplainPolicy {
  /** Epoch seconds: the moment to explain for. */
  readonly now: number
  /** The origins the service is reached at. Default that of the request's `url`. */
  readonly audience?: string | readonly string[] | AudienceOptions
  /** By origin. Without it any trust domain may be accepted, and whether this one is stays unknown. */
  readonly trustDomains?: Readonly<Record<string, ExplainTrustDomain>>
  /** Keys of the trust domain of the WIT, whichever it is; used where `trustDomains` is not given. */
  readonly jwks?: unknown
  /** Default `['wpt-01']`. */
  readonly revisions?: readonly Revision[]
  /** Seconds. Default 5. */
  readonly clockTolerance?: number
  /** Seconds. Default 300. */
  readonly maxProofLifetime?: number
  /** Seconds. Default 86400. */
  readonly maxTokenLifetime?: number
  /** Bytes. Default 16384. */
  readonly maxTokenBytes?: number
  /** Default all this package knows. */
  readonly algorithms?: readonly AlgorithmName[]
  /** Names of header fields that carry tokens. Default none. */
  readonly otherTokens?: readonly string[]
  readonly interop?: { readonly confirmationAlgorithm?: 'derive' }
}

/** A trust domain ready to be checked against. */
export interface ReadTrustDomain {
  readonly keys: KeySet | null
  readonly issuers: ReadonlySet<string> | null
  readonly algorithms: ReadonlySet<string>
  readonly confirmationAlgorithms: ReadonlySet<string>
  readonly isSvid: boolean
}

/** A policy that has been checked. */
export interface ReadPolicy {
  readonly now: number
  readonly audience: AudienceMatcher
  /** Null where nobody said which are accepted. */
  readonly trustDomains: ReadonlyMap<string, ReadTrustDomain> | null
  /** For trust domains that nobody said anything about. */
  readonly anyDomain: ReadTrustDomain
  readonly revisions: readonly Revision[]
  readonly clockTolerance: number
  readonly maxProofLifetime: number
  readonly maxTokenLifetime: number
  readonly maxTokenBytes: number
  readonly algorithms: ReadonlySet<string>
  readonly otherTokens: readonly string[]
  readonly deriveConfirmationAlgorithm: boolean
}

const POLICY: readonly (keyof ExplainPolicy)[] = [
  'now',
  'audience',
  'trustDomains',
  'jwks',
  'revisions',
  'clockTolerance',
  'maxProofLifetime',
  'maxTokenLifetime',
  'maxTokenBytes',
  'algorithms',
  'otherTokens',
  'interop',
]

/** Checks a policy. @throws TypeError naming the member that is wrong */
export function readPolicy(policy: ExplainPolicy, origin: string | null): ReadPolicy {
  refuseUnknownOptions('explain', policy, POLICY)
  const { now, trustDomains, jwks } = policy
  if (!Number.isFinite(now)) throw new TypeError('option now must be epoch seconds')
  const audience = policy.audience === undefined ? origin : policy.audience
  if (audience === null) throw new TypeError('option audience is required, or the url of the request')
  const algorithms = readAlgorithms('algorithms', policy.algorithms, ALGORITHM_NAMES)
  return {
    now,
    audience: createAudienceMatcher(audience),
    trustDomains: trustDomains === undefined ? null : readTrustDomains(trustDomains, algorithms),
    anyDomain: {
      keys: readKeys('jwks', jwks),
      issuers: null,
      algorithms,
      confirmationAlgorithms: algorithms,
      isSvid: false,
    },
    revisions: readRevisions(policy.revisions),
    clockTolerance: readNumber('clockTolerance', policy.clockTolerance, { default: 5, min: 0, max: 60 }),
    maxProofLifetime: readNumber('maxProofLifetime', policy.maxProofLifetime, {
      default: 300,
      min: 1,
      max: 86_400,
    }),
    maxTokenLifetime: readNumber('maxTokenLifetime', policy.maxTokenLifetime, { default: 86_400, min: 1 }),
    maxTokenBytes: readNumber('maxTokenBytes', policy.maxTokenBytes, {
      default: 16_384,
      min: 256,
      integer: true,
    }),
    algorithms,
    otherTokens: readFieldNames('otherTokens', policy.otherTokens),
    deriveConfirmationAlgorithm: readInterop(policy.interop),
  }
}

function readTrustDomains(
  trustDomains: unknown,
  accepted: ReadonlySet<string>,
): ReadonlyMap<string, ReadTrustDomain> {
  if (typeof trustDomains !== 'object' || trustDomains === null || Array.isArray(trustDomains)) {
    throw new TypeError('option trustDomains must be an object: { "wimse://example.com": { jwks } }')
  }
  const entries = Object.entries(trustDomains as Record<string, ExplainTrustDomain>)
  if (entries.length === 0) throw new TypeError('option trustDomains names no trust domain')
  return new Map(entries.map(([origin, domain]) => [origin, readTrustDomain(origin, domain, accepted)]))
}

function readTrustDomain(
  origin: string,
  domain: ExplainTrustDomain,
  accepted: ReadonlySet<string>,
): ReadTrustDomain {
  const name = `trustDomains["${origin}"]`
  if (!isTrustDomain(origin)) {
    throw new TypeError(`option ${name} is not scheme and trust domain, such as wimse://example.com`)
  }
  refuseUnknownOptions(`option ${name}`, domain, ['jwks', 'issuer', 'algorithms', 'profile'])
  const { jwks, issuer, algorithms, profile = 'wit' } = domain
  if (profile !== 'wit' && profile !== 'wit-svid') {
    throw new TypeError(`option ${name}.profile must be wit or wit-svid`)
  }
  const isSvid = profile === 'wit-svid'
  if (isSvid && !origin.startsWith('spiffe://')) {
    throw new TypeError(`option ${name}.profile is wit-svid, which is for spiffe:// alone`)
  }
  const issuers =
    issuer === undefined
      ? null
      : new Set(readStrings(`${name}.issuer`, typeof issuer === 'string' ? [issuer] : issuer))
  if (issuers?.size === 0) throw new TypeError(`option ${name}.issuer must not be empty`)
  const within = (names: ReadonlySet<string>): ReadonlySet<string> =>
    isSvid ? new Set([...names].filter((one) => SVID_ALGORITHMS.test(one))) : names
  const own = within(readAlgorithms(`${name}.algorithms`, algorithms, [...accepted]))
  if (own.size === 0) throw new TypeError(`option ${name}.algorithms has none that a WIT-SVID may have`)
  return {
    keys: readKeys(`${name}.jwks`, jwks),
    issuers,
    algorithms: own,
    confirmationAlgorithms: within(accepted),
    isSvid,
  }
}

const SVID_ALGORITHMS = /^(?:RS|PS|ES)(?:256|384|512)$/

function readKeys(name: string, jwks: unknown): KeySet | null {
  if (jwks === undefined) return null
  try {
    return readKeySet(jwks)
  } catch (cause) {
    throw new TypeError(`option ${name}: ${(cause as Error).message}`, { cause })
  }
}

function readAlgorithms(name: string, value: unknown, known: readonly string[]): ReadonlySet<string> {
  const names = readStrings(name, value === undefined ? known : value)
  if (names.length === 0 || names.some((one) => !known.includes(one))) {
    throw new TypeError(`option ${name} must be some of ${known.join(', ')}`)
  }
  return new Set(names)
}

function readInterop(interop: ExplainPolicy['interop']): boolean {
  if (interop === undefined) return false
  refuseUnknownOptions('option interop', interop, ['confirmationAlgorithm'])
  const { confirmationAlgorithm } = interop
  if (confirmationAlgorithm === undefined || confirmationAlgorithm === 'derive') {
    return confirmationAlgorithm === 'derive'
  }
  throw new TypeError("option interop.confirmationAlgorithm must be 'derive'")
}

function readRevisions(value: unknown): readonly Revision[] {
  const names = readStrings('revisions', value === undefined ? ['wpt-01'] : value)
  if (names.length > 0 && names.every((name) => Object.hasOwn(REVISIONS, name))) return names as Revision[]
  throw new TypeError(`option revisions must be a list of ${Object.keys(REVISIONS).join(', ')}`)
}
