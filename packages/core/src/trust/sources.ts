import { readTrustBundle, type TrustBundle } from './trust-bundle.js'

/** Where the keys of one or many trust domains come from. */
export interface TrustBundleSource {
  /**
   * The keys of a trust domain, right now. Asked for every request, so it answers from memory.
   * Rejecting, throwing or giving anything but a bundle is answered with 503.
   */
  bundleFor(trustDomain: string): TrustBundle | Promise<TrustBundle>
  /** Settles once the first keys are there. */
  ready?(): Promise<void>
  /** Lets go of timers, sockets and watches. */
  close?(): void | Promise<void>
}

/** How to get the keys of one trust domain: exactly one of the members. */
export interface TrustBundleSourceOptions {
  /** A JWK set, such as `{ keys: [...] }`, that never changes while the process runs. */
  readonly jwks?: { readonly keys: readonly object[] }
  /** A source of one's own; one may serve many trust domains. */
  readonly source?: TrustBundleSource
}

/**
 * Makes a source of trust bundles.
 *
 * @throws TypeError when not exactly one way is given, or the key set cannot be used
 */
export function createTrustBundleSource(options: TrustBundleSourceOptions): TrustBundleSource {
  const { jwks, source } = options
  if ((jwks === undefined) === (source === undefined)) throw new TypeError('give exactly one of jwks, source')
  if (source !== undefined) {
    if (typeof source.bundleFor !== 'function') throw new TypeError('source has no function bundleFor')
    return source
  }
  const bundle = readTrustBundle(jwks)
  return { bundleFor: () => bundle }
}
