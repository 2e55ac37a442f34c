import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'

/**
 * Answers with a problem document.
 *
 * @param detail for the caller: nothing it sent, nothing of our insides
 * @see {@link https://www.rfc-editor.org/rfc/rfc9457#section-3}
 */
export function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail }
  // Bytes, because Fastify adds a charset to a string.
  return reply
    .code(status)
    .headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
    .send(Buffer.from(JSON.stringify(problem)))
}
