import type { AuthenticationErrorCode, AuthorizationErrorCode, UnavailableErrorCode } from './codes.js'
import { AuthenticationError, type AuthorizationError, UnavailableError } from './errors.js'

/** An error of the called side: one of the three that become an answer. */
export type RefusalError = AuthenticationError | AuthorizationError | UnavailableError

/** RFC 9457 problem details, with the code as an extension member. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: AuthenticationErrorCode | AuthorizationErrorCode | UnavailableErrorCode
  readonly detail: string
  readonly instance?: string
}

/** An answer ready to send. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ProblemDocument
}

/** Options of {@link problemFor}. */
export interface ProblemOptions {
  /** Base of `type`; the code follows in lower case. Default `urn:wimse:problem:`. */
  readonly typeBase?: string
  /** URI of this occurrence, by which the answer is found again in the log. Never the URL of the request. */
  readonly instance?: string
}

/**
 * Turns a refusal into the answer the caller gets: what kind of thing is wrong, and nothing from any token,
 * no key and no stack. Send the body as `application/problem+json`.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9457#section-3}
 */
export function problemFor(error: RefusalError, options: ProblemOptions = {}): Problem {
  const { typeBase = 'urn:wimse:problem:', instance } = options
  const status = error.statusCode
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  }
  if (error instanceof AuthenticationError && error.challenges.length > 0) {
    headers['www-authenticate'] = error.challenges.join(', ')
  }
  if (error instanceof UnavailableError)
    headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfter)))
  const body: ProblemDocument = {
    type: typeBase + error.code.replace('WIMSE_', '').toLowerCase().replaceAll('_', '-'),
    title: error.message,
    status,
    code: error.code,
    detail: DETAILS[status] ?? DETAILS[400]!,
    ...(instance === undefined ? {} : { instance }),
  }
  return { status, headers, body }
}

const DETAILS: Readonly<Record<number, string>> = {
  400: 'The workload did not show who it is. The operator of this service finds the reason by the instance.',
  401: 'The workload did not show who it is. The operator of this service finds the reason by the instance.',
  403: 'The workload is known and is not let in. The operator of this service finds the reason by the instance.',
  503: 'The request could not be checked and was not let in. Another try, with a new proof, may succeed.',
}
