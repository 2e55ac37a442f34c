import { ALGORITHM_NAMES, type AlgorithmName } from '../jws/algorithms.js'
import { tellTrustEvent } from '../observation/trust.js'
import { readStrings, refuseUnknownOptions } from '../options.js'
import {
  createTrustBundleSource,
  type SourceContext,
  type TrustBundleSource,
  type TrustBundleSourceOptions,
} from '../trust/sources.js'

/** JWTs of one issuer as bearer tokens. Its keys come from `jwks`, `jwksFile` or `jwksUri`. */
export interface JwtBearerOptions
  extends Omit<TrustBundleSourceOptions, 'source' | 'issuerMetadata' | 'allowedOrigins'> {
  /** `iss`, letter for letter. Null for JWT-SVIDs, which need not have one: `sub` says whose they are. */
  readonly issuer: string | null
  /** Values of `aud` that mean this service; one has to be among the token's. */
  readonly audience: string | readonly string[]
  /** Default all asymmetric ones this package knows. */
  readonly algorithms?: readonly AlgorithmName[]
  /** Media type the header's `typ` has to convey, such as `at+jwt`. Default any but those of WIT and WPT. */
  readonly typ?: string
  /** Which `use` of a SPIFFE bundle signs these tokens: `'jwt-svid'` for JWT-SVIDs. Default none. */
  readonly use?: 'jwt-svid'
  /**
   * Names the workload in the same identifiers as WITs, so that rules and memory see one caller whichever
   * way it came. Null refuses the token; throwing is answered with 503.
   */
  readonly identify: (claims: Readonly<Record<string, unknown>>) => string | null | Promise<string | null>
  /** Trust domains it may name. Default all that are configured; required when there are several entries. */
  readonly trustDomains?: readonly string[]
}

/** Bearer tokens that only a function of the operator's can read. */
export interface OpaqueBearerOptions {
  /** Gives the workload identifier, or null for a token that is not good. Throwing is answered with 503. */
  readonly verify: (token: string) => string | null | Promise<string | null>
  /** Trust domains it may name. Default all that are configured; required when there are several entries. */
  readonly trustDomains?: readonly string[]
}

/** How bearer tokens are read while callers move to WITs. */
export type BearerOptions = JwtBearerOptions | OpaqueBearerOptions

/** What bearer options stand in. */
export interface BearerContext extends SourceContext {
  /** Trust domains that are configured for WITs. */
  readonly trustDomains: readonly string[]
  /** Seconds. */
  readonly clockTolerance: number
}

/** One way of reading a bearer token, checked. */
export type BearerEntry =
  | {
      readonly kind: 'jwt'
      readonly issuer: string | null
      readonly audience: readonly string[]
      readonly algorithms: ReadonlySet<AlgorithmName>
      readonly typ: string | undefined
      readonly source: TrustBundleSource
      readonly identify: JwtBearerOptions['identify']
      readonly trustDomains: ReadonlySet<string>
      readonly clockTolerance: number
    }
  | {
      readonly kind: 'opaque'
      readonly verify: OpaqueBearerOptions['verify']
      readonly trustDomains: ReadonlySet<string>
    }

const KEY_OPTIONS = [
  'jwks',
  'jwksFile',
  'jwksUri',
  'maxStale',
  'cooldown',
  'timeoutMs',
  'maxBytes',
  'ca',
  'allowInsecure',
]
const JWT_OPTIONS = [
  'issuer',
  'audience',
  'algorithms',
  'typ',
  'use',
  'identify',
  'trustDomains',
  ...KEY_OPTIONS,
]

/** Checks every entry. @throws TypeError naming the option that is wrong */
export function readBearerOptions(
  options: BearerOptions | readonly BearerOptions[],
  context: BearerContext,
): readonly BearerEntry[] {
  const list: readonly BearerOptions[] = [options].flat()
  if (list.length === 0) throw new TypeError('option bearer must not be an empty list')
  return list.map((entry, index) => {
    const name = Array.isArray(options) ? `bearer[${index}]` : 'bearer'
    if (list.length > 1 && entry?.trustDomains === undefined) {
      throw new TypeError(`option ${name}.trustDomains is required when there are several entries`)
    }
    return typeof (entry as OpaqueBearerOptions | null)?.verify === 'function'
      ? readOpaque(name, entry as OpaqueBearerOptions, context)
      : readJwtEntry(name, entry as JwtBearerOptions, context)
  })
}

function readOpaque(name: string, entry: OpaqueBearerOptions, context: BearerContext): BearerEntry {
  refuseUnknownOptions(`option ${name}`, entry, ['verify', 'trustDomains'])
  return { kind: 'opaque', verify: entry.verify, trustDomains: readDomains(name, entry, context) }
}

function readJwtEntry(name: string, entry: JwtBearerOptions, context: BearerContext): BearerEntry {
  refuseUnknownOptions(`option ${name}`, entry, JWT_OPTIONS)
  const { issuer, audience, algorithms = ALGORITHM_NAMES, typ, use, identify } = entry
  if (typeof identify !== 'function') throw new TypeError(`option ${name} needs identify, or verify`)
  if (issuer === null ? use !== 'jwt-svid' : typeof issuer !== 'string' || issuer === '') {
    throw new TypeError(`option ${name}.issuer is required`)
  }
  const audiences = readStrings(`${name}.audience`, typeof audience === 'string' ? [audience] : audience)
  if (audiences.length === 0) throw new TypeError(`option ${name}.audience must not be empty`)
  const unknown = readStrings(`${name}.algorithms`, algorithms).find(
    (algorithm) => !(ALGORITHM_NAMES as readonly string[]).includes(algorithm),
  )
  if (unknown !== undefined || algorithms.length === 0) {
    throw new TypeError(`option ${name}.algorithms must be some of ${ALGORITHM_NAMES.join(', ')}`)
  }
  if (
    typ !== undefined &&
    (typeof typ !== 'string' || typ === '' || /^(?:application\/)?w[ip]t\+jwt$/i.test(typ))
  )
    throw new TypeError(`option ${name}.typ must be a media type, and not that of a WIT or a proof`)
  if (use !== undefined && use !== 'jwt-svid') throw new TypeError(`option ${name}.use must be jwt-svid`)
  return {
    kind: 'jwt',
    issuer,
    audience: audiences,
    algorithms: new Set(algorithms),
    typ,
    identify,
    source: readSource(name, entry, context),
    trustDomains: readDomains(name, entry, context),
    clockTolerance: context.clockTolerance,
  }
}

function readSource(name: string, entry: JwtBearerOptions, context: BearerContext): TrustBundleSource {
  const from = Object.fromEntries(Object.entries(entry).filter(([option]) => KEY_OPTIONS.includes(option)))
  try {
    return createTrustBundleSource(from, {
      ...context,
      onEvent: (event) => {
        tellTrustEvent({ ...event, trustDomain: 'bearer' })
        return context.onEvent?.(event)
      },
      ...(entry.use === undefined ? {} : { use: entry.use }),
    })
  } catch (cause) {
    throw new TypeError(`option ${name}: ${(cause as Error).message}`, { cause })
  }
}

function readDomains(
  name: string,
  { trustDomains }: { readonly trustDomains?: readonly string[] },
  context: BearerContext,
): ReadonlySet<string> {
  if (trustDomains === undefined) return new Set(context.trustDomains)
  const domains = readStrings(`${name}.trustDomains`, trustDomains)
  const stranger = domains.find((domain) => !context.trustDomains.includes(domain))
  if (domains.length > 0 && stranger === undefined) return new Set(domains)
  throw new TypeError(`option ${name}.trustDomains must be some of the option trustDomains`)
}
