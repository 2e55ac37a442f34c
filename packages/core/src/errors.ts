import {
  type AuthenticationErrorCode,
  type AuthorizationErrorCode,
  DENIALS,
  OUTAGES,
  REFUSALS,
  SIGNING_FAULTS,
  type SigningErrorCode,
  type Stage,
  type UnavailableErrorCode,
} from './codes.js'

/**
 * What the operator learns about a refusal and the caller does not. Every text is safe to log: at most
 * 256 characters, without query or fragment, control characters escaped, token-shaped parts replaced.
 */
export interface Diagnostics {
  readonly stage: Stage
  /** Which rule failed, in a sentence. */
  readonly reason: string
  /** What would have passed. */
  readonly expected?: string
  /** What came instead. */
  readonly received?: string
}

interface Findings {
  readonly reason: string
  readonly expected?: unknown
  readonly received?: unknown
  readonly cause?: unknown
}

abstract class CodedError<Code extends string> extends Error {
  /** Stable: safe to switch on. */
  readonly code: Code
  /** Not enumerable, so that serialising the error into an answer gives nothing away. */
  declare readonly diagnostics: Diagnostics

  constructor(code: Code, stage: Stage, title: string, findings: Findings) {
    super(title, findings.cause === undefined ? undefined : { cause: findings.cause })
    this.code = code
    Object.defineProperty(this, 'diagnostics', { value: diagnosticsOf(stage, findings), enumerable: false })
  }
}

/**
 * The caller did not prove who it is. `message` and `code` are safe to send; `diagnostics` are for the log.
 *
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html#section-2.1}
 */
export class AuthenticationError extends CodedError<AuthenticationErrorCode> {
  override readonly name = 'AuthenticationError'
  /** HTTP status: 400, or 401 where a challenge asks for another credential, or 403. */
  readonly statusCode: number
  /** Values for `WWW-Authenticate`; none where the specification advises against a 401. */
  readonly challenges: readonly string[]

  constructor(
    code: AuthenticationErrorCode,
    findings: Findings & { readonly challenges?: readonly string[] },
  ) {
    const { stage, status, title } = REFUSALS[code]
    super(code, stage, title, findings)
    this.challenges = findings.challenges ?? []
    this.statusCode = status === 400 && this.challenges.length > 0 ? 401 : status
  }
}

/** The caller proved who it is, and the rule of the route does not let it in: 403. */
export class AuthorizationError extends CodedError<AuthorizationErrorCode> {
  override readonly name = 'AuthorizationError'
  /** HTTP status, always 403. */
  readonly statusCode: number

  constructor(code: AuthorizationErrorCode, findings: Findings) {
    const { stage, status, title } = DENIALS[code]
    super(code, stage, title, findings)
    this.statusCode = status
  }
}

/** Nothing is known to be wrong with the request, and it cannot be checked right now: 503, fail closed. */
export class UnavailableError extends CodedError<UnavailableErrorCode> {
  override readonly name = 'UnavailableError'
  /** HTTP status, always 503. */
  readonly statusCode: number
  /** Seconds after which another try is worth it, for `Retry-After`. */
  readonly retryAfter: number

  constructor(code: UnavailableErrorCode, findings: Findings & { readonly retryAfter?: number }) {
    const { stage, status, title } = OUTAGES[code]
    super(code, stage, title, findings)
    this.statusCode = status
    this.retryAfter = findings.retryAfter ?? 1
  }
}

/** Signing was refused on the calling side; nothing has been sent. */
export class SigningError extends CodedError<SigningErrorCode> {
  override readonly name = 'SigningError'

  constructor(code: SigningErrorCode, findings: Findings) {
    super(code, 'signing', SIGNING_FAULTS[code], findings)
  }
}

function diagnosticsOf(stage: Stage, { reason, expected, received }: Findings): Diagnostics {
  return Object.freeze({
    stage,
    reason: forLog(reason),
    ...(expected === undefined ? {} : { expected: forLog(expected) }),
    ...(received === undefined ? {} : { received: forLog(received) }),
  })
}

const LONGEST_LOGGED = 256
const LONGEST_READ = 4096

// A JOSE header is a JSON object, and base64url of '{' followed by '"', a space or a line break starts
// with ey, ew or e3. The dots are optional: half a token is still nobody's business. So is a signature alone, since
// what it signs can be guessed: those of our algorithms have 86 characters or more, and a SHA-256 has 43 or 64.
const TOKEN_SHAPED = /e[yw3][\w-]{14,}(?:\.[\w-]*){0,4}|[\w-]{80,}/g
const UNPRINTABLE = /[^\x20-\x7e]/g

/** Makes a value from outside fit for a log line. */
function forLog(value: unknown): string {
  return [value]
    .flat()
    .slice(0, 16)
    .map((one) => withoutTokens(shown(one)))
    .join(', ')
    .slice(0, LONGEST_LOGGED)
}

/**
 * Makes a text fit for a log: queries, fragments and whatever looks like a JWT, whole or cut off, or is as long
 * as a signature, are left out, control characters are spelled, and what is beyond 4096 characters is dropped. It
 * cannot know a shorter opaque token by its shape: who holds one takes it out first.
 */
export function withoutTokens(text: string): string {
  return beginningOf(text)
    .replace(/[?#]\S*/g, '')
    .replace(TOKEN_SHAPED, '[token]')
    .replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A long text up to a whole word: most of a signature would have too few characters to be known for one. */
function beginningOf(text: string): string {
  if (text.length <= LONGEST_READ) return text
  let end = LONGEST_READ
  // By hand: an expression that ends in $ starts anew with each character of a word.
  while (end > 0 && WORD.test(text[end - 1]!)) end--
  return text.slice(0, end)
}

const WORD = /[\w.-]/

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return value === undefined ? 'nothing' : `a value of type ${typeof value}`
}
