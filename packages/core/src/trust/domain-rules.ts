import { isTrustDomain } from '../identity/workload-identifier.js'
import { readAlgorithms, readStrings, refuseUnknownOptions } from '../options.js'

/** What the tokens of one trust domain have to keep to, as far as its own options say so. */
export interface DomainRules {
  /** `'wit-svid'` holds the token to the SPIFFE profile as well. */
  readonly profile: 'wit' | 'wit-svid'
  /** Issuers that may speak for the trust domain; null when `iss` plays no part. */
  readonly issuers: ReadonlySet<string> | null
  /** Algorithms of identity tokens accepted, by name. */
  readonly algorithms: ReadonlySet<string>
  /** Algorithms of confirmation keys accepted, by name. */
  readonly confirmationAlgorithms: ReadonlySet<string>
}

/** Options of a trust domain that are about its tokens; the others tell where its keys are. */
export const DOMAIN_RULE_OPTIONS = ['issuer', 'algorithms', 'profile'] as const

/** These options, which nobody has looked at. */
export type DomainRuleOptions = { readonly [Name in (typeof DOMAIN_RULE_OPTIONS)[number]]?: unknown }

/** What SPIFFE has for WIT-SVIDs. */
const SVID_ALGORITHMS = /^(?:RS|PS|ES)(?:256|384|512)$/

/**
 * Reads the option `trustDomains`: an object with one member a trust domain, at least one.
 *
 * @throws TypeError naming the member that is wrong
 */
export function readTrustDomainOptions<Options, Read>(
  trustDomains: Readonly<Record<string, Options>>,
  read: (origin: string, options: Options, name: string) => Read,
): ReadonlyMap<string, Read> {
  const given: unknown = trustDomains
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError('option trustDomains is required: { "wimse://example.com": { jwks } }')
  }
  const entries = Object.entries(trustDomains)
  if (entries.length === 0) throw new TypeError('option trustDomains names no trust domain')
  return new Map(
    entries.map(([origin, options]) => {
      const name = `trustDomains["${origin}"]`
      if (isTrustDomain(origin)) return [origin, read(origin, options, name)]
      throw new TypeError(`option ${name} is not scheme and trust domain, such as wimse://example.com`)
    }),
  )
}

/**
 * Reads what a trust domain says of its tokens.
 *
 * @param name of the trust domain's options, for errors
 * @param accepted algorithms accepted at all, by name
 * @throws TypeError naming the option that is wrong
 */
export function readDomainRules(
  origin: string,
  { issuer, algorithms, profile = 'wit' }: DomainRuleOptions,
  name: string,
  accepted: ReadonlySet<string>,
): DomainRules {
  if (profile !== 'wit' && profile !== 'wit-svid') {
    throw new TypeError(`option ${name}.profile must be wit or wit-svid`)
  }
  if (profile === 'wit-svid' && !origin.startsWith('spiffe://')) {
    throw new TypeError(`option ${name}.profile is wit-svid, which is for spiffe:// alone`)
  }
  const issuers =
    issuer === undefined
      ? null
      : new Set(readStrings(`${name}.issuer`, typeof issuer === 'string' ? [issuer] : issuer))
  if (issuers?.size === 0) throw new TypeError(`option ${name}.issuer must not be empty`)
  const within = (names: ReadonlySet<string>): ReadonlySet<string> => {
    const left = profile === 'wit' ? names : new Set([...names].filter((one) => SVID_ALGORITHMS.test(one)))
    if (left.size > 0) return left
    throw new TypeError(`option ${name}.profile is wit-svid, which takes none of ${[...names].join(', ')}`)
  }
  const own = readAlgorithms(`${name}.algorithms`, algorithms, [...accepted])
  return { profile, issuers, algorithms: within(own), confirmationAlgorithms: within(accepted) }
}

/** Reads the option `interop`: whether the algorithm of a confirmation key may be derived. @throws TypeError */
export function readInterop(interop: unknown): boolean {
  if (interop === undefined) return false
  refuseUnknownOptions('option interop', interop, ['confirmationAlgorithm'])
  const { confirmationAlgorithm } = interop as { readonly confirmationAlgorithm?: unknown }
  if (confirmationAlgorithm === undefined) return false
  if (confirmationAlgorithm === 'derive') return true
  throw new TypeError("option interop.confirmationAlgorithm must be 'derive'")
}
