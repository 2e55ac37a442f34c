import {
  type Clock,
  DEFAULT_PROOF_LIFETIME,
  readFieldNames,
  readNumber,
  refuseUnknownOptions,
  type Revision,
  REVISIONS,
  SigningError,
  signRequest,
} from 'wimse'
import type { CredentialSource } from './credentials/credential-source.js'
import { readTargets, type TargetOptions, targetOf } from './targets.js'

/** Options of {@link createWorkloadFetch} and of the plugin. */
export interface WorkloadFetchOptions {
  /** Whose identity requests carry; asked for every request. */
  readonly credentials: CredentialSource
  /** Where the identity may go. Nothing is sent anywhere else. */
  readonly targets: readonly (string | TargetOptions)[]
  /** How the proof travels. Default `'wpt-01'`. */
  readonly revision?: Revision
  /** Seconds a proof lives. Default 60; never past the identity token. */
  readonly lifetime?: number
  /** Names of header fields that carry tokens; covered by `oth` when they are there. Default none. */
  readonly otherTokens?: readonly string[]
  /** Allows http beyond loopback, where something else secures the channel. Default false. */
  readonly allowInsecure?: boolean
  /** Epoch seconds. Default the system clock. */
  readonly now?: Clock
}

/** As the global `fetch`, for the configured targets. */
export type WorkloadFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** Names of {@link WorkloadFetchOptions}. */
const OPTIONS: readonly (keyof WorkloadFetchOptions)[] = [
  'credentials',
  'targets',
  'revision',
  'lifetime',
  'otherTokens',
  'allowInsecure',
  'now',
]

/**
 * Makes a `fetch` that shows who is calling: each call carries the identity token and a new proof for its
 * URL. The tokens among the headers are covered: `Authorization`, `Txn-Token`, `otherTokens`.
 *
 * Redirects are not followed, because `fetch` would carry identity and proof along; the 3xx is returned.
 * A failed call is not tried again. The server is authenticated by TLS, not by this.
 *
 * @returns a function that rejects with `SigningError`, before anything is sent: `WIMSE_TARGET_NOT_ALLOWED`,
 *   `WIMSE_URL_INSECURE`, `WIMSE_HEADER_RESERVED`, `WIMSE_BEARER_CONFLICT`, `WIMSE_CREDENTIAL_MISSING`,
 *   `WIMSE_CREDENTIAL_EXPIRED`, `WIMSE_CREDENTIAL_MISMATCH`
 * @throws TypeError naming the option that is wrong
 */
export function createWorkloadFetch(options: WorkloadFetchOptions): WorkloadFetch {
  refuseUnknownOptions('fastify-wimse-client', options, OPTIONS)
  const { credentials, revision = 'wpt-01', allowInsecure = false, now } = options
  const lifetime = readNumber('lifetime', options.lifetime, {
    default: DEFAULT_PROOF_LIFETIME,
    min: 1,
    max: 300,
  })
  const otherTokens = readFieldNames('otherTokens', options.otherTokens)
  if (typeof credentials?.current !== 'function')
    throw new TypeError('option credentials must be a credential source')
  if (!Object.hasOwn(REVISIONS, revision))
    throw new TypeError(`option revision must be one of ${Object.keys(REVISIONS).join(', ')}`)
  if (now !== undefined && typeof now !== 'function') throw new TypeError('option now must be a function')
  if (typeof allowInsecure !== 'boolean') throw new TypeError('option allowInsecure must be a boolean')
  const targets = readTargets(options.targets, allowInsecure)

  return async (input, init) => {
    refuseUserInformation(input)
    const given = new Request(input, init)
    const redirect = given.redirect === 'error' ? 'error' : 'manual'
    const request = new Request(given, { redirect })
    refuseReserved(init?.headers, request.headers)
    const url = new URL(request.url)
    const target = targetOf(url, targets, allowInsecure)
    const credential = await unlessAborted(credentials.current(), request.signal)
    const headers = signRequest(credential, {
      url,
      headers: request.headers,
      revision,
      audience: target.audience,
      otherTokens,
      lifetime,
      now,
    })
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value)
    return fetch(request)
  }
}

/** Before `Request` does, whose error quotes the URL and the password in it. */
function refuseUserInformation(input: string | URL | Request): void {
  if (input instanceof Request || !URL.canParse(String(input))) return
  const { username, password } = new URL(input)
  if (username === '' && password === '') return
  throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', { reason: 'the URL has user information' })
}

async function unlessAborted<T>(answer: T | Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** `Host` would lead the called side's log astray; the others are the signer's alone. */
function refuseReserved(given: RequestInit['headers'], headers: Headers): void {
  const names = [...headers.keys(), ...(given === undefined ? [] : new Headers(given).keys())]
  const reserved = names.find((name) => name === 'host' || name.startsWith('workload-'))
  if (reserved === undefined) return
  throw new SigningError('WIMSE_HEADER_RESERVED', {
    reason: 'only the client sets this field',
    received: reserved,
  })
}
