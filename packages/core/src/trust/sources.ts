import { readNumber, readStrings, refuseUnknownOptions } from '../options.js'
import { isSecureUrl } from '../secure-url.js'
import { readCertificates } from './certificates.js'
import type { FetchOptions } from './fetch-document.js'
import { fileLoader, type KeySetLoader, metadataLoader, uriLoader } from './key-set-loader.js'
import { createRefreshingSource, type RefreshOptions, type Timing } from './refreshing-source.js'
import { readTrustBundle, type SvidUse, type TrustBundle } from './trust-bundle.js'
import { tell } from '../tell.js'

/** Where the keys of one or many trust domains come from. */
export interface TrustBundleSource {
  /**
   * The keys of a trust domain, right now. Asked for every request, so it answers from memory.
   * Rejecting, throwing or giving anything but a bundle is answered with 503.
   */
  bundleFor(trustDomain: string): TrustBundle | Promise<TrustBundle>
  /**
   * The keys of a trust domain after a look whether there are newer ones, when a token names a key that
   * `bundleFor` did not have. Anyone can send such a token: it is up to the source how often it looks and
   * how many may wait for it.
   */
  refreshedFor?(trustDomain: string): TrustBundle | Promise<TrustBundle>
  /** Settles once the first keys are there. */
  ready?(): Promise<void>
  /** Lets go of timers, sockets and watches. */
  close?(): void | Promise<void>
}

/**
 * How to get the keys of one trust domain: exactly one of the first five members. Those after it are for what
 * they have a meaning for: a file has no certificates, and `jwks` and `source` nothing but themselves.
 */
export interface TrustBundleSourceOptions {
  /** A JWK set or SPIFFE bundle, `{ keys: [...] }`, that never changes while the process runs. */
  readonly jwks?: { readonly keys: readonly object[] }
  /** Path of a file with one, watched; a half-written file is ignored until it can be read. */
  readonly jwksFile?: string
  /** URL of one. */
  readonly jwksUri?: string
  /** URL of an RFC 8414 (or OpenID Connect) metadata document that names one in `jwks_uri`. */
  readonly issuerMetadata?: string
  /** A source of one's own; one may serve many trust domains. */
  readonly source?: TrustBundleSource
  /** Seconds that the last good keys serve on, past their next refresh, while that fails. Default 3600. */
  readonly maxStale?: number
  /** Seconds between two refreshes for the sake of unknown key ids. Default 5. */
  readonly cooldown?: number
  /** Milliseconds one refresh may take, all told. Default 5000. */
  readonly timeoutMs?: number
  /** Bytes a key set may have. Default 1 MiB. */
  readonly maxBytes?: number
  /** Origins `jwks_uri` may be on, beside that of `issuerMetadata`. */
  readonly allowedOrigins?: readonly string[]
  /** PEM certificates to trust for these URLs instead of the system's. Host names are checked all the same. */
  readonly ca?: string | readonly string[]
  /** Allows http beyond loopback. Default false. */
  readonly allowInsecure?: boolean
}

/** Names of {@link TrustBundleSourceOptions}. */
export const SOURCE_OPTIONS: readonly (keyof TrustBundleSourceOptions)[] = [
  'jwks',
  'jwksFile',
  'jwksUri',
  'issuerMetadata',
  'source',
  'maxStale',
  'cooldown',
  'timeoutMs',
  'maxBytes',
  'allowedOrigins',
  'ca',
  'allowInsecure',
]

/** What a source tells as it goes along, and the time it goes by. */
export interface SourceContext {
  readonly onEvent?: RefreshOptions['onEvent']
  readonly timing?: Timing
  /** Which keys of a SPIFFE bundle count. Default those for identity tokens. */
  readonly use?: SvidUse
}

/**
 * Makes a source of trust bundles. Nothing is loaded before it is asked for keys or made ready.
 *
 * @throws TypeError naming the option that is wrong, not known, or without a meaning for the way that is given
 */
export function createTrustBundleSource(
  options: TrustBundleSourceOptions,
  context: SourceContext = {},
): TrustBundleSource {
  refuseUnknownOptions('trust bundle source', options, SOURCE_OPTIONS)
  const { onEvent = () => undefined, timing, use } = context
  const { jwks, jwksFile, jwksUri, issuerMetadata, source } = options
  const given = WAYS.filter((way) => options[way] !== undefined)
  if (given.length !== 1) throw new TypeError(`give exactly one of ${WAYS.join(', ')}`)
  const settings = readSettings(options)
  refuseMeaningless(given[0]!, options)
  if (source !== undefined) {
    if (typeof source?.bundleFor !== 'function') throw new TypeError('source has no function bundleFor')
    return source
  }
  if (jwks !== undefined) {
    const bundle = readTrustBundle(jwks, use)
    if (bundle.skipped.length > 0) tell(onEvent, { type: 'refreshed', reason: bundle.skipped.join('; ') })
    return { bundleFor: () => bundle }
  }
  const { cooldown, maxStale, timeoutMs } = settings
  return createRefreshingSource(readLoader({ jwksFile, jwksUri, issuerMetadata }, settings), {
    cooldown,
    maxStale,
    timeoutMs,
    onEvent,
    ...(use === undefined ? {} : { use }),
    ...(timing === undefined ? {} : { timing }),
  })
}

const WAYS = ['jwks', 'jwksFile', 'jwksUri', 'issuerMetadata', 'source'] as const

/** Options beside the way itself that have a meaning for it. */
const MEANINGFUL: Readonly<Record<(typeof WAYS)[number], readonly (keyof TrustBundleSourceOptions)[]>> = {
  jwks: [],
  jwksFile: ['maxStale', 'cooldown', 'timeoutMs', 'maxBytes'],
  jwksUri: ['maxStale', 'cooldown', 'timeoutMs', 'maxBytes', 'ca', 'allowInsecure'],
  issuerMetadata: SOURCE_OPTIONS.slice(WAYS.length),
  source: [],
}

/** Whoever gives an option expects something of it. */
function refuseMeaningless(way: (typeof WAYS)[number], options: TrustBundleSourceOptions): void {
  const odd = SOURCE_OPTIONS.find(
    (name) => name !== way && options[name] !== undefined && !MEANINGFUL[way].includes(name),
  )
  if (odd !== undefined) throw new TypeError(`option ${odd} has no meaning for ${way}`)
}

type Settings = ReturnType<typeof readSettings>

/** Checks every option that is given, whatever it is for. */
function readSettings(options: TrustBundleSourceOptions) {
  const { allowInsecure = false } = options
  if (typeof allowInsecure !== 'boolean') throw new TypeError('option allowInsecure must be a boolean')
  return {
    cooldown: readNumber('cooldown', options.cooldown, { default: 5, min: 1, max: 3600 }),
    maxStale: readNumber('maxStale', options.maxStale, { default: 3600, min: 0, max: 31_536_000 }),
    timeoutMs: readNumber('timeoutMs', options.timeoutMs, { default: 5000, min: 1, max: 60_000 }),
    maxBytes: readNumber('maxBytes', options.maxBytes, { default: 1_048_576, min: 64, integer: true }),
    ca: readCertificates('ca', options.ca),
    allowedOrigins: new Set(
      readStrings('allowedOrigins', options.allowedOrigins ?? []).map(
        (origin) => readUrl('allowedOrigins', origin, allowInsecure).origin,
      ),
    ),
    allowInsecure,
  }
}

function readLoader(
  { jwksFile, jwksUri, issuerMetadata }: Readonly<Record<'jwksFile' | 'jwksUri' | 'issuerMetadata', unknown>>,
  { maxBytes, ca, allowInsecure, allowedOrigins }: Settings,
): KeySetLoader {
  if (jwksFile !== undefined) {
    if (typeof jwksFile !== 'string' || jwksFile === '') throw new TypeError('jwksFile must be a path')
    return fileLoader(jwksFile, maxBytes)
  }
  const fetching: FetchOptions = { maxBytes, ca, mostRedirects: MOST_REDIRECTS }
  if (jwksUri !== undefined) return uriLoader(readUrl('jwksUri', jwksUri, allowInsecure), fetching)
  return metadataLoader(readUrl('issuerMetadata', issuerMetadata, allowInsecure), allowedOrigins, fetching)
}

const MOST_REDIRECTS = 3

function readUrl(name: string, text: unknown, allowInsecure: boolean): URL {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new TypeError(`${name} must be an https URL without user information`)
  }
  if (!isSecureUrl(url) && !allowInsecure) {
    throw new TypeError(`${name} must be https, unless it is on loopback or allowInsecure is set`)
  }
  return url
}
