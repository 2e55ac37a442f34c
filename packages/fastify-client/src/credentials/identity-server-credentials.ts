import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AlgorithmName,
  beforeDeadline,
  type Clock,
  createWitRequest,
  type Credential,
  type CredentialEvent,
  type CredentialSource,
  importCredential,
  isSecureUrl,
  parseWorkloadIdentifier,
  readCertificates,
  readFileWithin,
  readFunction,
  readNumber,
  refuseUnknownOptions,
  SigningError,
  systemClock,
  tell,
  withoutTokens,
} from 'wimse'
import { postJson, RefusedPost } from './post-json.js'

/** Options of {@link identityServerCredentials}. */
export interface IdentityServerCredentialsOptions {
  /** Where the identity server takes requests for identity tokens: `https://identity.example.com/wit`. */
  readonly url: string
  /** Path of the file with the bootstrap credential. Read anew for every request, so it may be replaced. */
  readonly bootstrapFile: string
  /** Workload identifier that this workload expects to be given. */
  readonly subject: string
  /** Algorithm of the keys that are made. Default `'ES256'`. */
  readonly algorithm?: AlgorithmName
  /** PEM certificates to trust for the identity server instead of the system's. Host names are checked all the same. */
  readonly ca?: string | readonly string[]
  /** Milliseconds that one request may take, and that the first credential is waited for. Default 5000. */
  readonly timeoutMs?: number
  /** Allows http beyond loopback. Default false. */
  readonly allowInsecure?: boolean
  /** Told of every new credential and every failure. Default nobody. */
  readonly onEvent?: (event: CredentialEvent) => void
  /** Epoch seconds. Default the system clock. */
  readonly now?: Clock
}

const OPTIONS: readonly (keyof IdentityServerCredentialsOptions)[] = [
  'url',
  'bootstrapFile',
  'subject',
  'algorithm',
  'ca',
  'timeoutMs',
  'allowInsecure',
  'onEvent',
  'now',
]

/** Of the lifetime: when the next identity token is asked for, less up to a tenth so that a fleet does not ask at once. */
const RENEWED_AFTER = 2 / 3
const JITTER = 0.1
const FIRST_RETRY_SECONDS = 0.25
const LONGEST_RETRY_SECONDS = 60
const LONGEST_TIMER_SECONDS = 86_400
/** However short a token lives. */
const SHORTEST_INTERVAL_SECONDS = 1
/**
 * Between two renewals for the sake of a refusal, twice as long after each that cured nothing: a called side
 * that always refuses must not set the pace.
 */
const SHORTEST_COOLDOWN_SECONDS = 5
const LONGEST_COOLDOWN_SECONDS = 600
/** How long a server that asks to be left alone is left alone, when there is no credential left. */
const LONGEST_WITHOUT_SECONDS = 10
const LONGEST_ANSWER = 65_536
const LONGEST_BOOTSTRAP = 16_384

/**
 * A credential from an identity server, for a key pair that is made anew for each identity token and never
 * leaves the process.
 *
 * `POST url` over https carries the bootstrap credential as a bearer token and a JWT that is signed by the new
 * key: whoever steals the one cannot bind a key of somebody else's, and an answer for any other key or
 * workload is refused. Redirects are not followed. The next token is asked for at two thirds of the lifetime,
 * one request at a time, with back-off and jitter after a failure; the old credential serves until it expires,
 * and no longer.
 *
 * This does NOT check who signed the identity token: TLS says who the identity server is, and called sides
 * check the signature. The bootstrap credential is as good as the identity: keep its file from other users.
 *
 * @returns a source whose `current()` waits up to `timeoutMs` for the first credential, then rejects with
 *   `SigningError` `WIMSE_CREDENTIAL_MISSING`, or `WIMSE_CREDENTIAL_EXPIRED` when there has been one
 * @throws TypeError naming the option that is wrong
 */
export function identityServerCredentials(options: IdentityServerCredentialsOptions): CredentialSource {
  const { url, bootstrapFile, subject, algorithm, ca, timeoutMs, onEvent, now } = readOptions(options)
  let credential: Credential | null = null
  let renewAt = Number.NEGATIVE_INFINITY
  let renewedAt = Number.NEGATIVE_INFINITY
  let cooldown = SHORTEST_COOLDOWN_SECONDS
  let renewal: Promise<void> | null = null
  /** Whether a renewal has failed for longer than anybody should wait. */
  let hopeless = false
  let lastFailure: unknown = null
  let timer: NodeJS.Timeout | undefined
  const closing = new AbortController()

  /** Renews, one at a time: tries until there is a new credential, or the source is closed. */
  async function renew(): Promise<void> {
    renewal ??= tryUntilRenewed().finally(() => {
      renewal = null
    })
    return renewal
  }

  async function tryUntilRenewed(): Promise<void> {
    const startedAt = performance.now()
    for (let failures = 1; !closing.signal.aborted; failures++) {
      try {
        accept(await beforeDeadline(fetchCredential(), timeoutMs))
        return
      } catch (error) {
        lastFailure = error
        if (closing.signal.aborted) return
        tell(onEvent, { type: 'failed', reason: reasonOf(error) })
        const seconds = secondsUntilRetry(failures, error, secondsLeft())
        hopeless ||= performance.now() - startedAt + seconds * 1000 >= timeoutMs
        await pause(seconds)
      }
    }
  }

  async function fetchCredential(): Promise<Credential> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)])
    const bearer = await readBootstrap(bootstrapFile, signal)
    const request = await createWitRequest({ audience: url.href, algorithm, now })
    const answer = await postJson(
      url,
      { request: request.jws },
      {
        bearer,
        ca,
        maxBytes: LONGEST_ANSWER,
        signal,
      },
    )
    const { wit } = answer as { readonly wit?: unknown }
    if (typeof wit !== 'string') throw new Error('the identity server gave no identity token')
    const issued = await importCredential({ wit, key: request.key })
    if (issued.subject !== subject) throw new UnexpectedSubject(issued.subject)
    if (issued.expiresAt <= now()) throw new Error('the identity token that was given has expired')
    return issued
  }

  function accept(issued: Credential): void {
    const lifetime = issued.expiresAt - now()
    credential = issued
    hopeless = false
    renewedAt = now()
    renewAt =
      renewedAt + Math.max(SHORTEST_INTERVAL_SECONDS, lifetime * (RENEWED_AFTER - JITTER * Math.random()))
    schedule()
    tell(onEvent, { type: 'refreshed', subject: issued.subject, expiresAt: issued.expiresAt })
  }

  function schedule(): void {
    clearTimeout(timer)
    if (closing.signal.aborted) return
    const seconds = Math.min(Math.max(0, renewAt - now()), LONGEST_TIMER_SECONDS)
    timer = setTimeout(() => (now() >= renewAt ? void renew() : schedule()), seconds * 1000).unref()
  }

  async function pause(seconds: number): Promise<void> {
    const { signal } = closing
    await sleep(seconds * 1000, undefined, { signal, ref: false }).catch(() => undefined)
  }

  /** Seconds that the credential in use is good for. */
  const secondsLeft = (): number => (isGood(credential) ? credential.expiresAt - now() : 0)

  const isGood = (held: Credential | null): held is Credential => held !== null && now() < held.expiresAt

  function held(): Credential {
    if (isGood(credential)) return credential
    const [code, reason] =
      credential === null
        ? (['WIMSE_CREDENTIAL_MISSING', 'there has been no identity token yet'] as const)
        : (['WIMSE_CREDENTIAL_EXPIRED', 'the identity token has expired and there is no other'] as const)
    throw new SigningError(code, { reason, cause: lastFailure ?? undefined })
  }

  return {
    async current() {
      refuseClosed()
      if (isGood(credential)) {
        if (now() >= renewAt) void renew()
        return credential
      }
      const renewed = renew()
      if (!hopeless) await untilRenewedOr(renewed, timeoutMs)
      refuseClosed()
      return held()
    },
    async renewed(refused) {
      refuseClosed()
      if (refused === credential && !hopeless && mayAskForRefusal()) await untilRenewedOr(renew(), timeoutMs)
      refuseClosed()
      return held()
    },
    close() {
      clearTimeout(timer)
      closing.abort()
    },
  }

  /** Also when the clock was set back, since nobody knows then how long it has been. */
  function mayAskForRefusal(): boolean {
    const since = now() - renewedAt
    if (renewal !== null) return true
    if (since >= 0 && since < cooldown) return false
    cooldown =
      since < LONGEST_COOLDOWN_SECONDS
        ? Math.min(cooldown * 2, LONGEST_COOLDOWN_SECONDS)
        : SHORTEST_COOLDOWN_SECONDS
    return true
  }

  function refuseClosed(): void {
    if (closing.signal.aborted)
      throw new SigningError('WIMSE_CREDENTIAL_MISSING', { reason: 'the source is closed' })
  }
}

async function untilRenewedOr(renewed: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
  await Promise.race([renewed, late]).finally(() => clearTimeout(timer))
}

/** @param left seconds that the credential in use is good for: it must not run out for the sake of a hint */
function secondsUntilRetry(failures: number, error: unknown, left: number): number {
  const backOff = Math.min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (failures - 1))
  const asked = error instanceof RefusedPost ? error.retryAfter : 0
  const hint = Math.min(asked, Math.max(left / 2, LONGEST_WITHOUT_SECONDS))
  return hint > backOff ? hint * (1 + JITTER * Math.random()) : backOff * (0.5 + 0.5 * Math.random())
}

async function readBootstrap(path: string, signal: AbortSignal): Promise<string> {
  let text: string
  try {
    text = (await readFileWithin(path, LONGEST_BOOTSTRAP, signal)).toString('utf8')
  } catch (error) {
    throw new Error(`the bootstrap credential cannot be read: ${readFailure(error)}`, { cause: error })
  }
  const secret = text.trim()
  if (/^[\w~+/.-]+=*$/.test(secret)) return secret
  throw new Error('the bootstrap credential is not one that can be sent as a bearer token')
}

function readFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code ?? message
}

class UnexpectedSubject extends Error {
  constructor(subject: string) {
    super(`the identity server gave the identity of another workload: ${subject}`)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SigningError) return error.diagnostics.reason
  return error instanceof Error ? withoutTokens(error.message) : 'the identity server cannot be asked'
}

function readOptions(options: IdentityServerCredentialsOptions) {
  refuseUnknownOptions('identityServerCredentials', options, OPTIONS)
  const { bootstrapFile, algorithm = 'ES256', allowInsecure = false } = options
  if (typeof allowInsecure !== 'boolean') throw new TypeError('option allowInsecure must be a boolean')
  if (typeof bootstrapFile !== 'string' || bootstrapFile === '') {
    throw new TypeError('option bootstrapFile must be a path')
  }
  if (!KEY_ALGORITHMS.includes(algorithm)) {
    throw new TypeError(`option algorithm must be one of ${KEY_ALGORITHMS.join(', ')}`)
  }
  return {
    url: readUrl(options.url, allowInsecure),
    bootstrapFile,
    subject: readSubject(options.subject),
    algorithm,
    ca: readCertificates('ca', options.ca),
    timeoutMs: readNumber('timeoutMs', options.timeoutMs, { default: 5000, min: 1, max: 60_000 }),
    onEvent: readFunction('onEvent', options.onEvent, () => undefined),
    now: readFunction('now', options.now, systemClock),
  }
}

/** Without RSA: a key pair a token would cost more than all its proofs. */
const KEY_ALGORITHMS: readonly AlgorithmName[] = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

function readUrl(text: unknown, allowInsecure: boolean): URL {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.username + url.password + url.hash !== '') {
    throw new TypeError('option url must be an https URL without user information and fragment')
  }
  if (isSecureUrl(url) || allowInsecure) return url
  throw new TypeError('option url must be https, unless it is on loopback or allowInsecure is set')
}

function readSubject(subject: unknown): string {
  try {
    return parseWorkloadIdentifier(subject as string).id
  } catch (cause) {
    throw new TypeError('option subject must be a workload identifier', { cause })
  }
}
