import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  AuthenticationError,
  AuthorizationError,
  withoutTokens,
  type Problem,
  problemFor,
  type RefusalError,
  UnavailableError,
} from 'wimse'

/** How refusals are answered. */
export interface DenyOptions {
  readonly problemTypeBase: string
  readonly onDenied: 'reply' | 'throw'
}

/** Tells whether an error is a refusal; anything else is a defect and goes to the error handler. */
export function isRefusal(error: unknown): error is RefusalError {
  return (
    error instanceof AuthenticationError ||
    error instanceof AuthorizationError ||
    error instanceof UnavailableError
  )
}

/**
 * Answers a refusal: one log line for the operator, a problem document for the caller. Answered here and
 * not by an error handler, which belongs to the application, unless that is what `onDenied` asks for.
 *
 * @throws RefusalError the refusal itself with `onDenied: 'throw'`; status and challenge are set by then
 */
export function deny(
  request: FastifyRequest,
  reply: FastifyReply,
  error: RefusalError,
  options: DenyOptions,
): void {
  const problem = report(request, error, options)
  hangUpOnUpgrade(request, reply)
  if (options.onDenied === 'throw') {
    challenge(reply, problem).code(problem.status)
    throw error
  }
  send(reply, problem)
}

/**
 * Throws a refusal to whoever asked for the check. The status is left alone: the caller may yet decide that
 * the answer is another.
 */
export function raise(
  request: FastifyRequest,
  reply: FastifyReply,
  error: RefusalError,
  options: DenyOptions,
): never {
  challenge(reply, report(request, error, options))
  throw error
}

function report(request: FastifyRequest, error: RefusalError, { problemTypeBase }: DenyOptions): Problem {
  const instance = `urn:uuid:${randomUUID()}`
  const refusal = { code: error.code, status: error.statusCode, ...error.diagnostics, instance }
  const { cause } = error
  if (cause !== undefined)
    request.log.error({ wimse: refusal, err: shownCause(cause, request) }, 'request refused')
  else if (error instanceof UnavailableError) request.log.warn({ wimse: refusal }, 'request refused')
  else request.log.info({ wimse: refusal }, 'request refused')
  return problemFor(error, { typeBase: problemTypeBase, instance })
}

/**
 * Ends the connection of a refused upgrade. Node has handed its socket over by then, and nobody who would
 * close it may have heard of the request: refused ones would stay open for as long as the sender likes.
 */
function hangUpOnUpgrade({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.headers.upgrade === undefined || raw.httpVersionMajor !== 1) return
  reply.header('connection', 'close')
  // Under inject() there is no such socket.
  reply.raw.once('finish', () => (raw.socket as Partial<Socket> | undefined)?.destroySoon?.())
}

function challenge(reply: FastifyReply, { headers }: Problem): FastifyReply {
  for (const name of ['www-authenticate', 'retry-after']) {
    const value = headers[name]
    if (value !== undefined) reply.header(name, value)
  }
  return reply
}

// Bytes, because a response schema of the route would empty an object, and a string gets a charset that
// the media type does not have.
function send(reply: FastifyReply, { status, headers, body }: Problem): void {
  reply
    .code(status)
    .headers(headers)
    .send(Buffer.from(JSON.stringify(body)))
}

/**
 * What failed on our side, fit for a log: errors of HTTP clients and stores carry what they were asked, and
 * that may have been about a token. Only the type, the message and the stack, and no credential in them.
 */
function shownCause(cause: unknown, request: FastifyRequest): Readonly<Record<string, string>> {
  if (!(cause instanceof Error)) return { type: typeof cause, message: '', stack: '' }
  const secrets = credentialsOf(request.raw.rawHeaders)
  const clean = (text: string): string =>
    withoutTokens(secrets.reduce((rest, secret) => rest.replaceAll(secret, '[token]'), text))
  const stack = (cause.stack ?? '').split('\n').map(clean).join('\n')
  return { type: cause.name, message: clean(cause.message), stack }
}

const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'txn-token',
  'workload-identity-token',
  'workload-proof-token',
])

function credentialsOf(rawHeaders: readonly string[]): readonly string[] {
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && CREDENTIAL_FIELDS.has(rawHeaders[index - 1]!.toLowerCase()),
  )
  return values
    .flatMap((value) => [value, ...value.split(/[ \t]+/).slice(1)])
    .filter(({ length }) => length > 3)
}
