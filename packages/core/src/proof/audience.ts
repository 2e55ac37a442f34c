import { normalizeEscapes } from '../identity/percent-encoding.js'

/**
 * Under which addresses callers reach this service. What a proof's `aud` must be comes from here and from
 * the path of the request, never from `Host` or `X-Forwarded-*`, which the sender writes.
 */
export interface AudienceOptions {
  /** Origins, `https://inventory.example.com`: scheme, host, and port unless it is the default. */
  readonly origins: readonly string[]
  /**
   * Turns the path as received into the path as the caller wrote it: first `strip` is taken off (by whole
   * segments; a path that is not under it matches no audience), then `add` is put in front. For a gateway
   * that forwards `/inventory/stock` as `/stock`: `{ add: '/inventory' }`.
   */
  readonly pathPrefix?: { readonly strip?: string; readonly add?: string }
  /** `'origin'` also accepts an `aud` that ends at its authority. Default `'target-uri'`. */
  readonly match?: 'target-uri' | 'origin'
  /** Further values of `aud` that are meant for this service, compared as they stand. */
  readonly aliases?: readonly string[]
  /** Treats `/stock` and `/stock/` as one. Default false. */
  readonly ignoreTrailingSlash?: boolean
}

/** Compares proofs' audiences with the target of a request. */
export interface AudienceMatcher {
  /** @returns the audience as it would be compared for this target, for the log */
  readonly expectedFor: (target: string) => readonly string[]
  /**
   * @param aud the claim as it came
   * @param target a request target for which {@link isRequestTarget} holds
   */
  readonly matches: (aud: string, target: string) => boolean
}

/**
 * Tells whether a request target is one that proof and router read the same way: a path from its first
 * slash, in printable ASCII, without dot segments (also escaped), backslash or `#`. Absolute form and `*`
 * are not.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1}
 */
export function isRequestTarget(target: string): boolean {
  const path = pathOf(target)
  return (
    path.startsWith('/') &&
    !/[^\x21-\x7e]|[\\#]/.test(target) &&
    !/%(?![0-9A-Fa-f]{2})/.test(path) &&
    !hasDotSegments(path)
  )
}

/**
 * Makes a matcher from configuration.
 *
 * An `aud` matches when it is an absolute http or https URI without user information whose origin is one
 * of the configured and whose path is the request's. Query and fragment of both are ignored. Both are
 * normalised as RFC 3986 section 6.2.2 has it: case of scheme and host, default port, empty path as `/`,
 * dot segments of `aud`, needless escapes and the case of hex digits. Everything else is exact.
 *
 * @throws TypeError naming the member that is wrong
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html#section-3.1.7}
 */
export function createAudienceMatcher(
  audience: string | readonly string[] | AudienceOptions,
): AudienceMatcher {
  const options = readAudienceOptions(audience)
  const { origins, aliases, callerPath, matchOrigin, ignoreTrailingSlash } = options
  const unslashed = (path: string): string =>
    ignoreTrailingSlash && path.endsWith('/') ? path.slice(0, -1) : path
  const comparable = (path: string): string => unslashed(normalizeEscapes(escapeForUrl(path)))

  const expectedFor = (target: string): readonly string[] => {
    const path = callerPath(pathOf(target))
    return path === null ? [] : [...[...origins].map((origin) => origin + path), ...aliases]
  }
  const matches = (aud: string, target: string): boolean => {
    const path = callerPath(pathOf(target))
    if (path === null) return false
    if (aliases.has(aud)) return true
    // What most of them are: the very text, with which no reading comes to another answer. The slash ends the
    // authority: without it the origin would be the beginning of some other.
    if (path.startsWith('/') && aud.endsWith(path) && origins.has(aud.slice(0, -path.length))) return true
    const parsed = parseAudience(aud)
    if (parsed === null || !origins.has(parsed.origin)) return false
    if (matchOrigin && parsed.endsAtAuthority) return true
    return comparable(parsed.path) === comparable(path)
  }
  return { expectedFor, matches }
}

interface ReadAudience {
  readonly origins: ReadonlySet<string>
  readonly aliases: ReadonlySet<string>
  readonly callerPath: (path: string) => string | null
  readonly matchOrigin: boolean
  readonly ignoreTrailingSlash: boolean
}

const MEMBERS: ReadonlySet<string> = new Set([
  'origins',
  'pathPrefix',
  'match',
  'aliases',
  'ignoreTrailingSlash',
])

function readAudienceOptions(audience: string | readonly string[] | AudienceOptions): ReadAudience {
  const options: AudienceOptions =
    typeof audience === 'string'
      ? { origins: [audience] }
      : Array.isArray(audience)
        ? { origins: audience }
        : (audience as AudienceOptions)
  if (typeof options !== 'object' || options === null) throw new TypeError('audience is required')
  const unknown = Object.keys(options).find((name) => !MEMBERS.has(name))
  if (unknown !== undefined) throw new TypeError(`audience has an unknown member ${unknown}`)

  const {
    origins,
    pathPrefix = {},
    match = 'target-uri',
    aliases = [],
    ignoreTrailingSlash = false,
  } = options
  if (!Array.isArray(origins) || origins.length === 0)
    throw new TypeError('audience needs at least one origin')
  if (match !== 'target-uri' && match !== 'origin')
    throw new TypeError('audience.match is target-uri or origin')
  if (!Array.isArray(aliases) || aliases.some((alias) => typeof alias !== 'string' || alias === '')) {
    throw new TypeError('audience.aliases must be strings')
  }
  if (typeof ignoreTrailingSlash !== 'boolean') {
    throw new TypeError('audience.ignoreTrailingSlash must be a boolean')
  }
  if (typeof pathPrefix !== 'object' || pathPrefix === null) {
    throw new TypeError('audience.pathPrefix must be an object')
  }
  if (match === 'origin' && pathPrefix.add !== undefined) {
    // Behind one gateway the origin alone is every neighbour's audience too.
    throw new TypeError('audience.match origin and audience.pathPrefix.add exclude each other')
  }
  return {
    origins: new Set(origins.map(readOrigin)),
    aliases: new Set(aliases),
    callerPath: createCallerPath(pathPrefix),
    matchOrigin: match === 'origin',
    ignoreTrailingSlash,
  }
}

function readOrigin(text: unknown): string {
  const parsed = typeof text === 'string' && ORIGIN.test(text) ? parseAudience(text) : null
  if (parsed === null) {
    throw new TypeError('audience must be origins such as https://inventory.example.com, without a path')
  }
  return parsed.origin
}

// No wildcard, no escape, and other scripts only as they go over the wire (xn--).
const ORIGIN = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[1-9]\d{0,4})?\/?$/i

function createCallerPath(prefix: unknown): (path: string) => string | null {
  if (typeof prefix !== 'object' || prefix === null || Array.isArray(prefix))
    throw new TypeError('audience.pathPrefix must be an object')
  const unknown = Object.keys(prefix).find((name) => name !== 'strip' && name !== 'add')
  if (unknown !== undefined) throw new TypeError(`audience.pathPrefix has an unknown member ${unknown}`)
  const { strip, add } = prefix as { strip?: unknown; add?: unknown }
  for (const [name, value] of Object.entries({ strip, add })) {
    if (
      value !== undefined &&
      !(typeof value === 'string' && /^(?:\/[^/?#]+)+$/.test(value) && isRequestTarget(value))
    ) {
      throw new TypeError(`audience.pathPrefix.${name} must be a path such as /inventory`)
    }
  }
  return (path) => {
    const rest = strip === undefined ? path : withoutPrefix(path, strip as string)
    return rest === null ? null : ((add ?? '') as string) + rest || '/'
  }
}

function withoutPrefix(path: string, prefix: string): string | null {
  if (path === prefix) return ''
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : null
}

interface ParsedAudience {
  readonly origin: string
  readonly path: string
  readonly endsAtAuthority: boolean
}

function parseAudience(aud: string): ParsedAudience | null {
  // The URL Standard forgives spaces, line breaks, backslashes and missing slashes; an audience may have none.
  const parts = /^https?:\/\/(\[[^/?#@\\]+\]|[^/?#@\\:]+)(?::\d*)?([/?#][^\\]*)?$/i.exec(aud)
  if (parts === null || /[^\x21-\x7e]/.test(aud) || !URL.canParse(aud)) return null
  const { origin, hostname, pathname } = new URL(aud)
  const [, host, rest] = parts as unknown as [string, string, string | undefined]
  // It also decodes escapes in a name, folds what they stand for, and reads numbers as addresses.
  if (!host.startsWith('[') && host.toLowerCase() !== hostname) return null
  return { origin, path: pathname, endsAtAuthority: rest === undefined }
}

/** Escapes what the URL Standard escapes in a path, so that both sides are spelled alike: `^` only since 2024. */
function escapeForUrl(path: string): string {
  return path.replace(/["<>^`{}]/g, (character) => encodeURIComponent(character))
}

function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

function hasDotSegments(path: string): boolean {
  if (!/\/(?:\.|%2e)/i.test(path)) return false
  return path.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))
}
