import { tokenHash } from '../crypto/token-hash.js'
import { beforeDeadline } from '../deadline.js'
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
  trust(token: string, now: number): Promise<KnownWit>
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

  async function trust(token: string, now: number): Promise<KnownWit> {
    const hash = tokenHash(token)
    const known = cache.find(hash)
    if (known !== undefined) {
      const domain = domains.get(known.wit.subject.trustDomain)!
      if ((await bundleOf(domain)) === known.bundle) {
        checkWitValidity(known.wit, now, domain.rules.clockTolerance)
        return known
      }
    }
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

  async function bundleOf(domain: TrustedDomain): Promise<TrustBundle> {
    return inUseFrom(domain, () => domain.source.bundleFor(domain.origin))
  }

  async function inUseFrom(
    { origin }: TrustedDomain,
    ask: () => TrustBundle | Promise<TrustBundle>,
  ): Promise<TrustBundle> {
    let bundle: unknown
    try {
      bundle = await beforeDeadline(ask(), LONGEST_WAIT_MS)
      if (!isTrustBundle(bundle)) throw new TypeError('the source gave no bundle made by readTrustBundle')
    } catch (cause) {
      throw new UnavailableError('WIMSE_TRUST_UNAVAILABLE', {
        reason: 'the keys of the trust domain are not available',
        received: origin,
        cause,
      })
    }
    const before = inUse.get(origin)
    if (before !== bundle) {
      inUse.set(origin, bundle)
      if (before !== undefined) cache.forgetBundle(before)
    }
    return bundle
  }

  async function ready(): Promise<void> {
    await beforeDeadline(
      Promise.all([...sources].map(async (source) => source.ready?.())),
      LONGEST_WARM_UP_MS,
    )
  }

  async function haveKeys(): Promise<boolean> {
    return Promise.all([...domains.values()].map(bundleOf)).then(
      () => true,
      () => false,
    )
  }

  async function close(): Promise<void> {
    await Promise.all([...sources].map(async (source) => source.close?.()))
  }

  return { trust, remember: (known) => cache.remember(known), ready, haveKeys, close }
}
