import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  AuthenticationError,
  AuthorizationError,
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
): FastifyReply {
  const problem = report(request, error, options)
  if (options.onDenied === 'reply') return send(reply, problem)
  challenge(reply, problem).code(problem.status)
  throw error
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
  if (cause !== undefined) request.log.error({ wimse: refusal, err: cause }, 'request refused')
  else if (error instanceof UnavailableError) request.log.warn({ wimse: refusal }, 'request refused')
  else request.log.info({ wimse: refusal }, 'request refused')
  return problemFor(error, { typeBase: problemTypeBase, instance })
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
function send(reply: FastifyReply, { status, headers, body }: Problem): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .send(Buffer.from(JSON.stringify(body)))
}
