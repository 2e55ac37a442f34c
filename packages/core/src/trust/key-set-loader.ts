import { parseJsonObject } from '../jws/strict-json.js'
import { type FetchOptions, fetchDocument } from './fetch-document.js'
import { readFileWithin } from './read-file.js'
import { watchFile } from './watch-file.js'

/** Gets a key set as it is now. */
export interface KeySetLoader {
  /**
   * @param signal aborted when its time is up and when nobody needs the answer any more
   * @returns the bytes of a JWK set or SPIFFE bundle, not yet read
   */
  load(signal: AbortSignal): Promise<Buffer>
  /** Calls back when it may have changed. @returns a function that stops watching */
  watch?(changed: () => void): () => void
  /** Seconds between two loads, unless the key set says otherwise. */
  readonly refreshSeconds: number
}

/** SPIFFE's default, and short enough for a withdrawn key not to be trusted for long. */
const FETCH_EVERY_SECONDS = 300

/** A change is noticed by watching; this is for file systems that do not tell. */
const READ_EVERY_SECONDS = 10

/** Loads a key set from a file that something else keeps up to date. */
export function fileLoader(path: string, maxBytes: number): KeySetLoader {
  return {
    refreshSeconds: READ_EVERY_SECONDS,
    load: async (signal) => readFileWithin(path, maxBytes, signal),
    watch: (changed) => watchFile(path, changed),
  }
}

/** Loads a key set from a URL. */
export function uriLoader(url: URL, options: FetchOptions): KeySetLoader {
  return { refreshSeconds: FETCH_EVERY_SECONDS, load: async (signal) => fetchDocument(url, options, signal) }
}

/**
 * Loads a key set by way of an issuer's metadata: its `issuer` has to be one the URL is built from, its
 * `jwks_uri` on the same origin or on one that was allowed.
 *
 * @throws TypeError when the URL is not one of a metadata document
 * @see {@link https://www.rfc-editor.org/rfc/rfc8414#section-3.3}
 */
export function metadataLoader(
  url: URL,
  allowedOrigins: ReadonlySet<string>,
  options: FetchOptions,
): KeySetLoader {
  const issuers: readonly unknown[] = issuersOf(url)
  return {
    refreshSeconds: FETCH_EVERY_SECONDS,
    load: async (signal) => {
      const metadata = parseJsonObject(await fetchDocument(url, options, signal))
      if (metadata === null) throw new Error('the metadata is not a JSON object')
      if (!issuers.includes(metadata['issuer'])) throw new Error('the metadata is that of another issuer')
      const jwksUri = metadata['jwks_uri']
      if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) throw new Error('jwks_uri is not a URL')
      const { origin } = new URL(jwksUri)
      if (origin !== url.origin && !allowedOrigins.has(origin)) {
        throw new Error('jwks_uri is on an origin that is not allowed')
      }
      return fetchDocument(new URL(jwksUri), options, signal)
    },
  }
}

const OAUTH = '/.well-known/oauth-authorization-server'
const OPENID = '/.well-known/openid-configuration'

/**
 * RFC 8414 puts the well-known part in front of an issuer's path, OpenID Connect behind it and first removes
 * a slash the issuer ends in: its URL is that of two issuers.
 *
 * @see {@link https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationRequest}
 */
function issuersOf({ origin, pathname, search, hash }: URL): readonly string[] {
  if (search === '' && hash === '') {
    if (pathname === OAUTH || pathname.startsWith(`${OAUTH}/`)) return [origin + pathname.slice(OAUTH.length)]
    if (pathname.endsWith(OPENID)) {
      const issuer = origin + pathname.slice(0, -OPENID.length)
      return [issuer, `${issuer}/`]
    }
  }
  throw new TypeError(
    `issuerMetadata must be a URL with ${OAUTH} in front of its path, or ${OPENID} behind it`,
  )
}
