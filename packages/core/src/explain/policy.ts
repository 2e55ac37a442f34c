import { ALGORITHM_NAMES, type AlgorithmName } from '../jws/algorithms.js'
import { readAlgorithms, readFieldNames, readNumber, refuseUnknownOptions } from '../options.js'
import { type AudienceMatcher, type AudienceOptions, createAudienceMatcher } from '../proof/audience.js'
import { readRevisions, type Revision } from '../revisions.js'
import {
  DOMAIN_RULE_OPTIONS,
  type DomainRules,
  readDomainRules,
  readInterop,
  readTrustDomainOptions,
} from '../trust/domain-rules.js'
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
export interface ReadTrustDomain extends DomainRules {
  readonly keys: KeySet | null
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
    trustDomains:
      trustDomains === undefined
        ? null
        : readTrustDomainOptions(trustDomains, (domain, options, name) =>
            readTrustDomain(domain, options, name, algorithms),
          ),
    anyDomain: {
      keys: readKeys('jwks', jwks),
      issuers: null,
      algorithms,
      confirmationAlgorithms: algorithms,
      profile: 'wit',
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

function readTrustDomain(
  origin: string,
  domain: ExplainTrustDomain,
  name: string,
  accepted: ReadonlySet<string>,
): ReadTrustDomain {
  refuseUnknownOptions(`option ${name}`, domain, ['jwks', ...DOMAIN_RULE_OPTIONS])
  const { jwks, ...rules } = domain
  return { keys: readKeys(`${name}.jwks`, jwks), ...readDomainRules(origin, rules, name, accepted) }
}

function readKeys(name: string, jwks: unknown): KeySet | null {
  if (jwks === undefined) return null
  try {
    return readKeySet(jwks)
  } catch (cause) {
    throw new TypeError(`option ${name}: ${(cause as Error).message}`, { cause })
  }
}
