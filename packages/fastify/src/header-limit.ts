import { maxHeaderSize as nodeDefault } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { AuthenticatorOptions } from 'wimse'

/** What a mesh's identity token, an access token and the rest of a request's head come to. */
const MESH_HEAD_BYTES = 32_768
/** For the proof and everything else, beside a token of the longest kind that is accepted. */
const REST_OF_HEAD_BYTES = 4096

/**
 * Warns when tokens are expected that do not fit into a request's head: Node answers 431 to them before any
 * hook, and nobody learns why.
 */
export function warnOfHeaderLimit(
  { server, log }: FastifyInstance,
  { interop, maxTokenBytes }: Pick<AuthenticatorOptions, 'interop' | 'maxTokenBytes'>,
): void {
  const { maxHeaderSize = nodeDefault } = server as { maxHeaderSize?: number }
  const needed = Math.max(
    interop === undefined ? 0 : MESH_HEAD_BYTES,
    maxTokenBytes === undefined ? 0 : maxTokenBytes + REST_OF_HEAD_BYTES,
  )
  if (maxHeaderSize >= needed) return
  log.warn(
    { maxHeaderSize, needed },
    'fastify-wimse: the tokens expected do not fit into a request: raise http.maxHeaderSize',
  )
}
