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
  const { now, trustDomains, jwks, interop = {} } = policy
  if (!Number.isFinite(now)) throw new TypeError('option now must be epoch seconds')
  const audience = policy.audience ?? origin
  if (audience === null) throw new TypeError('option audience is required, or the url of the request')
  const algorithms = readAlgorithms('algorithms', policy.algorithms, ALGORITHM_NAMES)
  refuseUnknownOptions('option interop', interop, ['confirmationAlgorithm'])
  return {
    now,
    audience: createAudienceMatcher(audience),
    trustDomains:
      trustDomains === undefined
        ? null
        : new Map(
            Object.entries(trustDomains).map(([name, domain]) => [
              name,
              readDomain(name, domain, algorithms),
            ]),
          ),
    anyDomain: {
      keys: jwks === undefined ? null : readKeySet(jwks),
      issuers: null,
      algorithms,
      confirmationAlgorithms: algorithms,
      isSvid: false,
    },
    revisions: readRevisions(policy.revisions),
    clockTolerance: readNumber('clockTolerance', policy.clockTolerance, { default: 5, min: 0, max: 60 }),
    maxProofLifetime: readNumber('maxProofLifetime', policy.maxProofLifetime, { default: 300, min: 1 }),
    maxTokenLifetime: readNumber('maxTokenLifetime', policy.maxTokenLifetime, { default: 86_400, min: 1 }),
    maxTokenBytes: readNumber('maxTokenBytes', policy.maxTokenBytes, { default: 16_384, min: 256 }),
    algorithms,
    otherTokens: readFieldNames('otherTokens', policy.otherTokens),
    deriveConfirmationAlgorithm: interop.confirmationAlgorithm === 'derive',
  }
}

function readDomain(
  origin: string,
  { jwks, issuer, algorithms, profile = 'wit' }: ExplainTrustDomain,
  accepted: ReadonlySet<string>,
): ReadTrustDomain {
  const name = `trustDomains["${origin}"]`
  if (!isTrustDomain(origin)) throw new TypeError(`option ${name} is not scheme and trust domain`)
  const isSvid = profile === 'wit-svid'
  const within = (names: ReadonlySet<string>): ReadonlySet<string> =>
    isSvid ? new Set([...names].filter((one) => SVID_ALGORITHMS.test(one))) : names
  return {
    keys: jwks === undefined ? null : readKeySet(jwks),
    issuers:
      issuer === undefined
        ? null
        : new Set(readStrings(`${name}.issuer`, typeof issuer === 'string' ? [issuer] : issuer)),
    algorithms: within(readAlgorithms(`${name}.algorithms`, algorithms, [...accepted])),
    confirmationAlgorithms: within(accepted),
    isSvid,
  }
}

const SVID_ALGORITHMS = /^(?:RS|PS|ES)(?:256|384|512)$/

function readAlgorithms(name: string, value: unknown, known: readonly string[]): ReadonlySet<string> {
  const names = readStrings(name, value === undefined ? known : value)
  if (names.length === 0 || names.some((one) => !known.includes(one))) {
    throw new TypeError(`option ${name} must be some of ${known.join(', ')}`)
  }
  return new Set(names)
}

function readRevisions(value: unknown): readonly Revision[] {
  const names = readStrings('revisions', value === undefined ? ['wpt-01'] : value)
  if (names.length > 0 && names.every((name) => Object.hasOwn(REVISIONS, name))) return names as Revision[]
  throw new TypeError(`option revisions must be a list of ${Object.keys(REVISIONS).join(', ')}`)
}
