import { LRUCache } from 'lru-cache'
import type { TrustBundle } from './trust-bundle.js'
import type { TrustedWit } from './wit.js'

/** An identity token that was trusted before, and the keys it was trusted by. */
export interface KnownWit {
  readonly wit: TrustedWit
  readonly bundle: TrustBundle
}

/**
 * Remembers identity tokens that have been trusted, so that a caller's token is verified once and not with
 * each of its requests. Bounded by count; forgetting one costs a verification and nothing else.
 */
export interface WitCache {
  /**
   * What is known of a token, by the SHA-256 of its whole text. It holds only under the very bundle it was
   * trusted by, and has to be checked against the clock.
   */
  find(hash: string): KnownWit | undefined
  /** Only once a proof with it was verified: nobody without its key can fill the cache. */
  remember(known: KnownWit): void
  /** Forgets all that was trusted by keys that are no longer in use. */
  forgetBundle(bundle: TrustBundle): void
  readonly size: number
}

/** Makes a cache for so many tokens. */
export function createWitCache(maxEntries: number): WitCache {
  const entries = new LRUCache<string, KnownWit>({ max: maxEntries })
  return {
    find: (hash) => entries.get(hash),
    remember(known) {
      entries.set(known.wit.hash, known)
    },
    forgetBundle(bundle) {
      for (const [hash, known] of entries.entries()) if (known.bundle === bundle) entries.delete(hash)
    },
    get size() {
      return entries.size
    },
  }
}
