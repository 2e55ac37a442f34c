import { isSecureUrl, parseWorkloadIdentifier, refuseUnknownOptions, SigningError } from 'wimse'

/** Where an identity may go: an origin, optionally with a path, and what is special about it. */
export interface TargetOptions {
  /** `https://inventory.example.com` or `https://gateway.example.com/inventory`. */
  readonly url: string
  /** `aud` of proofs for this target, where the called side has agreed on one. Default the request's URL. */
  readonly audience?: string
  /**
   * Workload identifier the server must have: the only URI in its certificate. Checked on each connection, in
   * place of the host name. Default none: TLS and the host name say who the server is.
   */
  readonly expectedServer?: string
  /** Whether a transaction token of the request being handled may travel on to it. Default false. */
  readonly propagate?: boolean
}

/** A target that a URL belongs to. */
export interface Target {
  readonly origin: string
  /** Empty, or whole segments without a slash at the end. */
  readonly path: string
  readonly audience: string | undefined
  readonly expectedServer: string | undefined
  readonly propagate: boolean
}

/**
 * Reads where an identity may go.
 *
 * @throws TypeError naming the target that is wrong
 */
export function readTargets(targets: unknown, allowInsecure: boolean): readonly Target[] {
  if (!Array.isArray(targets) || targets.length === 0) {
    throw new TypeError('option targets must be a list of origins such as https://inventory.example.com')
  }
  const read = targets.map((target, index) => readTarget(target, `targets[${index}]`, allowInsecure))
  for (const [index, { origin, expectedServer }] of read.entries()) {
    const first = read.find((target) => target.origin === origin)!
    if (first.expectedServer !== expectedServer) {
      throw new TypeError(
        `option targets[${index}].expectedServer must be the same for all targets of ${origin}`,
      )
    }
  }
  return read
}

function readTarget(target: unknown, name: string, allowInsecure: boolean): Target {
  const options = typeof target === 'string' ? { url: target } : (target as TargetOptions)
  refuseUnknownOptions(`option ${name}`, options, ['url', 'audience', 'expectedServer', 'propagate'])
  const { url, audience, propagate = false } = options
  if (typeof url !== 'string' || !TARGET.test(url) || !URL.canParse(url)) {
    throw new TypeError(`option ${name} must be an https URL without user information, query or fragment`)
  }
  const parsed = new URL(url)
  if (!isSecureUrl(parsed) && !allowInsecure) {
    throw new TypeError(`option ${name} must be https, unless it is on loopback or allowInsecure is set`)
  }
  if (audience !== undefined && (typeof audience !== 'string' || audience === '')) {
    throw new TypeError(`option ${name}.audience must be a string`)
  }
  if (typeof propagate !== 'boolean') throw new TypeError(`option ${name}.propagate must be a boolean`)
  return {
    origin: parsed.origin,
    path: parsed.pathname.replace(/\/+$/, ''),
    audience,
    expectedServer: readExpectedServer(options.expectedServer, parsed, name),
    propagate,
  }
}

function readExpectedServer(expectedServer: unknown, url: URL, name: string): string | undefined {
  if (expectedServer === undefined) return undefined
  if (url.protocol !== 'https:') {
    throw new TypeError(
      `option ${name}.expectedServer needs an https URL: without TLS nothing shows who answers`,
    )
  }
  try {
    return parseWorkloadIdentifier(expectedServer as string).id
  } catch (cause) {
    throw new TypeError(`option ${name}.expectedServer must be a workload identifier`, { cause })
  }
}

/** Finds the target a URL belongs to, comparing the parsed origin and whole path segments; null if none. */
export function findTarget(url: URL, targets: readonly Target[]): Target | null {
  if (url.username !== '' || url.password !== '') return null
  const fitting = targets.filter(({ origin, path }) => url.origin === origin && isUnder(url.pathname, path))
  return fitting.sort((a, b) => b.path.length - a.path.length)[0] ?? null
}

/**
 * As {@link findTarget}, for a URL that identity is to be sent to.
 *
 * @throws SigningError `WIMSE_TARGET_NOT_ALLOWED` when there is none, `WIMSE_URL_INSECURE` when the URL is
 *   http beyond loopback
 */
export function targetOf(url: URL, targets: readonly Target[], allowInsecure: boolean): Target {
  const target = findTarget(url, targets)
  if (!isSecureUrl(url) && !allowInsecure) {
    throw new SigningError('WIMSE_URL_INSECURE', { reason: 'http beyond loopback', received: url.origin })
  }
  if (target === null) {
    throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', {
      reason: 'the URL belongs to none of the targets',
      expected: targets.map(({ origin, path }) => origin + path),
      received: url.origin + url.pathname,
    })
  }
  return target
}

// No wildcard, and nothing of what the URL Standard would forgive.
const TARGET = /^https?:\/\/[^\s/\\?#@*%]+(?:\/[^\s\\?#]*)?$/i

/** Below a path by whole segments, for every reader: also one that undoes escapes before it routes. */
function isUnder(pathname: string, path: string): boolean {
  if (path === '') return true
  if (pathname !== path && !pathname.startsWith(`${path}/`)) return false
  return !/%2f|%5c/i.test(pathname) && !pathname.split('/').some(isDotSegment)
}

/** Some servers cut path parameters off before they look at dots. */
function isDotSegment(segment: string): boolean {
  return /^(?:\.|%2e){1,2}(?:;|%3b|$)/i.test(segment)
}
