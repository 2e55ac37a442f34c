import { type Clock, steadyClock, systemClock } from './clock.js'
import type { Workload } from './identity/workload.js'
import { ALGORITHM_NAMES, type AlgorithmName } from './jws/algorithms.js'
import { readAlgorithms, readFieldNames, readFunction, readNumber, refuseUnknownOptions } from './options.js'
import { tellTrustEvent } from './observation/trust.js'
import { type AudienceMatcher, type AudienceOptions, createAudienceMatcher } from './proof/audience.js'
import { memoryReplayStore } from './replay/memory-replay-store.js'
import type { ReplayStore } from './replay/replay-store.js'
import type { StoreFailurePolicy } from './replay/store-failure.js'
import { readRevisions, type Revision } from './revisions.js'
import {
  DOMAIN_RULE_OPTIONS,
  readDomainRules,
  readInterop,
  readTrustDomainOptions,
} from './trust/domain-rules.js'
import {
  SOURCE_OPTIONS,
  createTrustBundleSource,
  type TrustBundleSource,
  type TrustBundleSourceOptions,
} from './trust/sources.js'
import type { TrustEvent } from './trust/trust-event.js'
import type { TrustedDomain } from './trust/trusted-domains.js'
import type { WitRules } from './trust/wit.js'

/** How one trust domain is trusted: where its keys come from, and what its tokens have to keep to. */
export interface TrustDomainOptions extends TrustBundleSourceOptions {
  /** `'wit-svid'` holds tokens to the SPIFFE profile: `kid`, no `aud`, no EdDSA. Default `'wit'`. */
  readonly profile?: 'wit' | 'wit-svid'
  /** Values of `iss` that may speak for the trust domain. Without it `iss` plays no part. */
  readonly issuer?: string | readonly string[]
  /** Algorithms of this domain's identity tokens. Default the authenticator's. */
  readonly algorithms?: readonly AlgorithmName[]
}

/** Leniencies towards tokens that do not keep to the drafts. Each makes a check weaker. */
export interface InteropOptions {
  /** `'derive'` takes a `cnf.jwk` without `alg` for the algorithm of its key type and curve. */
  readonly confirmationAlgorithm?: 'derive'
}

/** Options of {@link createAuthenticator}. What is needed for safety has no default. */
export interface AuthenticatorOptions {
  /** The origins this service is reached at. Never taken from `Host` or `X-Forwarded-*`. */
  readonly audience: string | readonly string[] | AudienceOptions
  /** By origin, scheme and trust domain: `{ 'wimse://example.com': { jwks } }`. */
  readonly trustDomains: Readonly<Record<string, TrustDomainOptions>>
  /** Where used proofs are remembered; `false` accepts replays. Default {@link memoryReplayStore}. */
  readonly replay?: ReplayStore | false
  /**
   * `'allow'` lets requests in while the replay store cannot be reached, and replays with them. A store that
   * is full refuses all the same. Default `'reject'`.
   */
  readonly onStoreFailure?: StoreFailurePolicy
  /** Milliseconds the replay store may take; later counts as unavailable. Default 250, at most 30,000. */
  readonly storeTimeoutMs?: number
  /** Revisions of the proof accepted. Default `['wpt-01']`; both only while migrating. */
  readonly revisions?: readonly Revision[]
  /** Seconds both clocks may differ, on top of every limit. Default 5, at most 60. */
  readonly clockTolerance?: number
  /** Seconds; a proof that expires later is refused. Default 300. */
  readonly maxProofLifetime?: number
  /** Seconds; an identity token that expires later is refused. Default 86400. */
  readonly maxTokenLifetime?: number
  /** Bytes; longer tokens are refused before anything is decoded. Default 16384. */
  readonly maxTokenBytes?: number
  /** Algorithms of identity tokens and proofs. Default all this package knows; each is asymmetric. */
  readonly algorithms?: readonly AlgorithmName[]
  /** Names of header fields that carry tokens, so that the proof has to cover them by `oth`. Default none. */
  readonly otherTokens?: readonly string[]
  /** Asked on every request once all else is verified. Anything but `false`, also throwing, refuses. */
  readonly isRevoked?: (workload: Workload) => boolean | Promise<boolean>
  /** Leniencies that some meshes need today. Default none. */
  readonly interop?: InteropOptions
  /** Told when keys are refreshed, added or removed, and when that fails. Default nobody. */
  readonly onTrustEvent?: (event: TrustEvent) => void
  /**
   * Identity tokens remembered, so that each is verified once. Default 10000. Some 6 KB each, or three times the
   * token where that is more.
   */
  readonly witCacheSize?: number
  /** Epoch seconds. Default the system clock. Anything not finite admits nobody. */
  readonly now?: Clock
}

/** Names of {@link AuthenticatorOptions}, for packages that pass options on. */
export const AUTHENTICATOR_OPTIONS: readonly (keyof AuthenticatorOptions)[] = [
  'audience',
  'trustDomains',
  'replay',
  'onStoreFailure',
  'storeTimeoutMs',
  'revisions',
  'clockTolerance',
  'maxProofLifetime',
  'maxTokenLifetime',
  'maxTokenBytes',
  'algorithms',
  'otherTokens',
  'isRevoked',
  'interop',
  'onTrustEvent',
  'witCacheSize',
  'now',
]

/** No entry of a replay store outlives its proof by so much that a claim could come later than this. */
export const LONGEST_STORE_CALL_MS = 30_000

/** Options that have been checked. */
export interface AuthenticatorSettings {
  readonly audience: AudienceMatcher
  readonly domains: ReadonlyMap<string, TrustedDomain>
  readonly replay: ReplayStore | false
  readonly onStoreFailure: StoreFailurePolicy
  readonly storeTimeoutMs: number
  readonly revisions: readonly Revision[]
  readonly clockTolerance: number
  readonly maxProofLifetime: number
  readonly maxTokenBytes: number
  readonly algorithms: ReadonlySet<string>
  readonly otherTokens: readonly string[]
  readonly isRevoked: ((workload: Workload) => boolean | Promise<boolean>) | null
  readonly witCacheSize: number
  readonly clock: () => number | null
}

/** Checks every option. @throws TypeError naming the one that is wrong or missing */
export function readAuthenticatorOptions(options: AuthenticatorOptions): AuthenticatorSettings {
  refuseUnknownOptions('wimse', options, AUTHENTICATOR_OPTIONS)
  const clockTolerance = readNumber('clockTolerance', options.clockTolerance, { default: 5, min: 0, max: 60 })
  const maxTokenLifetime = readNumber('maxTokenLifetime', options.maxTokenLifetime, {
    default: 86_400,
    min: 1,
  })
  const algorithms = readAlgorithms('algorithms', options.algorithms, ALGORITHM_NAMES)
  if (options.audience === undefined) throw new TypeError('option audience is required')
  const replay = readReplayStore(options.replay)
  const defaults: TrustDefaults = {
    algorithms,
    clockTolerance,
    maxTokenLifetime,
    deriveConfirmationAlgorithm: readInterop(options.interop),
    onTrustEvent: readFunction('onTrustEvent', options.onTrustEvent, () => undefined),
  }
  return {
    audience: createAudienceMatcher(options.audience),
    domains: readTrustDomainOptions(options.trustDomains, (origin, own, name) =>
      readTrustDomain(origin, own, name, defaults),
    ),
    replay,
    onStoreFailure: readStoreFailurePolicy(options.onStoreFailure),
    storeTimeoutMs: readNumber('storeTimeoutMs', options.storeTimeoutMs, {
      default: 250,
      min: 1,
      max: LONGEST_STORE_CALL_MS,
    }),
    revisions: readRevisions(options.revisions),
    clockTolerance,
    maxProofLifetime: readNumber('maxProofLifetime', options.maxProofLifetime, {
      default: 300,
      min: 1,
      max: 86_400,
    }),
    maxTokenBytes: readNumber('maxTokenBytes', options.maxTokenBytes, {
      default: 16_384,
      min: 256,
      integer: true,
    }),
    algorithms,
    otherTokens: readFieldNames('otherTokens', options.otherTokens),
    isRevoked: readFunction('isRevoked', options.isRevoked, null),
    witCacheSize: readNumber('witCacheSize', options.witCacheSize, {
      default: 10_000,
      min: 1,
      max: 10_000_000,
      integer: true,
    }),
    clock: readClock(options.now, replay),
  }
}

/**
 * The clock of the machine, made steady once for all that claim in one store: none of them may stand behind the
 * one by which another has claimed.
 */
const clocksByStore = new WeakMap<ReplayStore, () => number | null>()

function readClock(now: Clock | undefined, replay: ReplayStore | false): () => number | null {
  const clock = readFunction('now', now, systemClock)
  if (clock !== systemClock || replay === false) return steadyClock(clock)
  const steady = clocksByStore.get(replay) ?? steadyClock(clock)
  clocksByStore.set(replay, steady)
  return steady
}

/** What trust domains have in common unless they say otherwise. */
interface TrustDefaults
  extends Pick<
    WitRules,
    'algorithms' | 'clockTolerance' | 'maxTokenLifetime' | 'deriveConfirmationAlgorithm'
  > {
  readonly onTrustEvent: (event: TrustEvent) => void
}

function readTrustDomain(
  origin: string,
  options: TrustDomainOptions,
  name: string,
  { onTrustEvent, algorithms, ...defaults }: TrustDefaults,
): TrustedDomain {
  refuseUnknownOptions(`option ${name}`, options, [...SOURCE_OPTIONS, ...DOMAIN_RULE_OPTIONS])
  const { issuer, algorithms: own, profile, ...from } = options
  const rules = readDomainRules(origin, { issuer, algorithms: own, profile }, name, algorithms)
  let source: TrustBundleSource
  try {
    source = createTrustBundleSource(from, {
      onEvent: (event) => {
        tellTrustEvent({ ...event, trustDomain: origin })
        return onTrustEvent({ ...event, trustDomain: origin })
      },
    })
  } catch (cause) {
    throw new TypeError(`option ${name}: ${(cause as Error).message}`, { cause })
  }
  return { origin, source, rules: { ...defaults, ...rules } }
}

function readReplayStore(replay: unknown): ReplayStore | false {
  if (replay === undefined) return memoryReplayStore()
  if (replay === false) return false
  if (typeof (replay as ReplayStore | null)?.claim === 'function') return replay as ReplayStore
  throw new TypeError('option replay must be a replay store or false')
}

function readStoreFailurePolicy(value: unknown): StoreFailurePolicy {
  if (value === undefined) return 'reject'
  if (value === 'reject' || value === 'allow') return value
  throw new TypeError("option onStoreFailure must be 'reject' or 'allow'")
}
