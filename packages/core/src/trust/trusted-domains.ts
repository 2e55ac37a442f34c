import { tokenHash } from '../crypto/token-hash.js'
import { beforeDeadline, isPromise } from '../deadline.js'
import { AuthenticationError, UnavailableError } from '../errors.js'
import type { TrustBundleSource } from './sources.js'
import { isTrustBundle, selectTrustKey, type TrustBundle } from './trust-bundle.js'
import {
  checkWitClaims,
  checkWitValidity,
  parseWit,
  trustWit,
  type UnverifiedWit,
  type WitRules,
} from './wit.js'
import { createWitCache, type KnownWit } from './wit-cache.js'

/** A trust domain as configured. */
export interface TrustedDomain {
  /** Scheme and trust domain. */
  readonly origin: string
  readonly source: TrustBundleSource
  readonly rules: WitRules
}

/** The trust domains of one authenticator. */
export interface TrustedDomains {
  /**
   * Establishes that a WIT was signed by its own trust domain and is valid now, or was known to be.
   *
   * @param now epoch seconds
   * @throws AuthenticationError any `WIMSE_WIT_*` of parsing and trusting, `WIMSE_WIT_TRUST_DOMAIN`
   * @throws UnavailableError `WIMSE_TRUST_UNAVAILABLE` when the keys of its trust domain are not there
   */
  trust(token: string, now: number): KnownWit | Promise<KnownWit>
  /** Whether this very finding was remembered before. */
  remembers(known: KnownWit): boolean
  /** Remembers a WIT, once a proof with it was verified. */
  remember(known: KnownWit): void
  /** Settles once the keys of every trust domain have been there. Rejects after five seconds. */
  readonly ready: () => Promise<void>
  /** Whether the keys of every trust domain are there now. */
  readonly haveKeys: () => Promise<boolean>
  /** Lets go of what the sources hold. */
  readonly close: () => Promise<void>
}

const LONGEST_WAIT_MS = 30_000
const LONGEST_WARM_UP_MS = 5000

/** Makes the trust domains of one authenticator, with one cache for them all. */
export function createTrustedDomains(
  domains: ReadonlyMap<string, TrustedDomain>,
  algorithms: ReadonlySet<string>,
  witCacheSize: number,
): TrustedDomains {
  const sources = new Set([...domains.values()].map(({ source }) => source))
  const cache = createWitCache(witCacheSize)
  const inUse = new Map<string, TrustBundle>()

  /** Not async where nothing has to be waited for: a token that is known and keys that are at hand. */
  function trust(token: string, now: number): KnownWit | Promise<KnownWit> {
    const hash = tokenHash(token)
    const known = cache.find(hash)
    if (known === undefined) return trustUnknown(token, hash, now)
    const bundle = bundleOf(domains.get(known.wit.subject.trustDomain)!)
    return isPromise(bundle)
      ? bundle.then((awaited) => trustKnown(known, awaited, token, now))
      : trustKnown(known, bundle, token, now)
  }

  function trustKnown(
    known: KnownWit,
    bundle: TrustBundle,
    token: string,
    now: number,
  ): KnownWit | Promise<KnownWit> {
    const { wit } = known
    if (bundle !== known.bundle) return trustUnknown(token, wit.hash, now)
    checkWitValidity(wit, now, domains.get(wit.subject.trustDomain)!.rules.clockTolerance)
    return known
  }

  async function trustUnknown(token: string, hash: string, now: number): Promise<KnownWit> {
    const wit = parseWit(token, hash, algorithms)
    const domain = domainOf(wit)
    // Before anything is waited for: nobody looks for the key of a token that is no good in any case.
    checkWitClaims(wit, domain.rules, now)
    const bundle = await bundleFor(wit, domain)
    return { wit: trustWit(wit, bundle, domain.rules, now), bundle }
  }

  function domainOf({ subject }: UnverifiedWit): TrustedDomain {
    const domain = domains.get(subject.trustDomain)
    if (domain !== undefined) return domain
    throw new AuthenticationError('WIMSE_WIT_TRUST_DOMAIN', {
      reason: 'the trust domain of sub is not configured',
      expected: [...domains.keys()].slice(0, 8),
      received: subject.trustDomain,
    })
  }

  /** The keys to check a token with; newer ones when none of those at hand fits and there may be some. */
  async function bundleFor({ jws }: UnverifiedWit, domain: TrustedDomain): Promise<TrustBundle> {
    const bundle = await bundleOf(domain)
    const { source, origin } = domain
    if (source.refreshedFor === undefined || selectTrustKey(bundle, jws.kid, jws.algorithm.name) !== null) {
      return bundle
    }
    return inUseFrom(domain, () => source.refreshedFor!(origin))
  }

  function bundleOf(domain: TrustedDomain): TrustBundle | Promise<TrustBundle> {
    return inUseFrom(domain, () => domain.source.bundleFor(domain.origin))
  }

  function inUseFrom(
    domain: TrustedDomain,
    ask: () => TrustBundle | Promise<TrustBundle>,
  ): TrustBundle | Promise<TrustBundle> {
    let bundle: unknown
    try {
      bundle = ask()
    } catch (cause) {
      throw unavailable(domain, cause)
    }
    return isPromise(bundle) ? awaitBundle(domain, bundle) : takeIntoUse(domain, bundle)
  }

  async function awaitBundle(domain: TrustedDomain, asked: PromiseLike<unknown>): Promise<TrustBundle> {
    let bundle: unknown
    try {
      bundle = await beforeDeadline(asked, LONGEST_WAIT_MS)
    } catch (cause) {
      throw unavailable(domain, cause)
    }
    return takeIntoUse(domain, bundle)
  }

  function takeIntoUse(domain: TrustedDomain, bundle: unknown): TrustBundle {
    const { origin } = domain
    const before = inUse.get(origin)
    if (before !== undefined && before === bundle) return before
    if (!isTrustBundle(bundle)) {
      throw unavailable(domain, new TypeError('the source gave no bundle made by readTrustBundle'))
    }
    inUse.set(origin, bundle)
    if (before !== undefined) cache.forgetBundle(before)
    return bundle
  }

  async function ready(): Promise<void> {
    await beforeDeadline(
      Promise.all([...sources].map(async (source) => source.ready?.())),
      LONGEST_WARM_UP_MS,
    )
  }

  async function haveKeys(): Promise<boolean> {
    return Promise.all([...domains.values()].map(async (domain) => bundleOf(domain))).then(
      () => true,
      () => false,
    )
  }

  async function close(): Promise<void> {
    await Promise.all([...sources].map(async (source) => source.close?.()))
  }

  return {
    trust,
    remembers: (known) => cache.find(known.wit.hash) === known,
    remember: (known) => cache.remember(known),
    ready,
    haveKeys,
    close,
  }
}

function unavailable({ origin }: TrustedDomain, cause: unknown): UnavailableError {
  return new UnavailableError('WIMSE_TRUST_UNAVAILABLE', {
    reason: 'the keys of the trust domain are not available',
    received: origin,
    cause,
  })
}
