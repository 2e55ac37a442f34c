import { STATUS_CODES } from 'node:http'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import type { Adoption } from 'fastify-wimse'
import { type CredentialSource, createWorkloadFetch, redactPaths } from 'fastify-wimse-client'
import { type Board, joinReports, type ReplicaReport } from './board.js'
import { createRecorder, type Exchange } from './exchange.js'
import { createOriginGuard } from './same-origin.js'
import { sampleRequest } from './sample.js'
import type { Services } from './services.js'
import { makeCall, type Outcome, tour, type TourLine, visitOf } from './tour.js'

/** One process of the inventory. */
export interface Replica {
  readonly url: string
  /** Origin that its proofs are made for, where that is not `url`: behind a gateway, the gateway's. */
  readonly audience?: string
}

/** Options of {@link createConsole}. */
export interface ConsoleOptions {
  /** Where the console is reached. Requests under any other name are refused. */
  readonly origins: readonly string[]
  readonly services: Services
  /** Whose identity the inventory sees when it is asked how far its routes are. */
  readonly credentials: CredentialSource
  /** Every process of the inventory. Default the one in `services`. */
  readonly replicas?: readonly Replica[]
  /** Asks replicas over http beyond loopback too, on a network where nobody else is. Default false. */
  readonly allowInsecure?: boolean
  /** Folder of the built page. Default where the build puts it. */
  readonly page?: string
  /** Pino's level, default `info`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
}

/** What the page has to know at its start. */
export interface ConsoleSettings {
  readonly calls: readonly { readonly tried: string; readonly expected: Outcome }[]
}

/** What came of a call that the page asked for. */
export interface Attempt extends TourLine {
  /** The last one is what the outcome is about. */
  readonly exchanges: readonly Exchange[]
}

/** Where an inventory says how far its routes are. */
const REPORT = '/adoption'

/** Nothing from elsewhere, nothing inline, nothing that makes markup out of text, and in nobody's frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

/**
 * Makes the console's server: the page, what the page asks for at its own origin, and nothing else. It has no
 * log-in: whoever reaches it may make the calls of the tour, so it belongs on loopback or behind one.
 *
 * @throws TypeError when an option is wrong
 */
export async function createConsole(options: ConsoleOptions): Promise<FastifyInstance> {
  const { origins, services, credentials, log } = options
  const { replicas = [{ url: services.inventory }], allowInsecure = false, page = BUILT_PAGE } = options
  const faultOf = createOriginGuard(origins)
  const app = Fastify({
    bodyLimit: 1024,
    // A page that is left open asks every two seconds, and must not keep us from ending.
    forceCloseConnections: true,
    logger: { name: 'console', level: 'info', ...log, redact: redactPaths },
    // For paths that cannot be read or are too long, no hook runs.
    frameworkErrors: ({ statusCode = 400 }, request, reply) => {
      reply.headers(HEADERS)
      const fault = faultOf(request.raw)
      sendProblem(reply, fault === null ? statusCode : 403, fault ?? 'The path cannot be read.')
    },
  })
  const workloadFetch = createWorkloadFetch({
    credentials,
    targets: replicas.map(({ url, audience }) =>
      audience === undefined ? url : { url, audience: audience + REPORT },
    ),
    allowInsecure,
  })

  app.addHook('onClose', async () => credentials.close?.())
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(HEADERS)
    const fault = faultOf(request.raw)
    if (fault === null) done()
    else sendProblem(reply, 403, fault)
  })
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode: status = 500 } = error
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    return sendProblem(reply, status, status < 500 ? error.message : 'A service gave no answer.')
  })
  app.setNotFoundHandler(async (_request, reply) => sendProblem(reply, 404, 'There is nothing here.'))

  // `send` would put its own caching header in place of ours.
  await app.register(fastifyStatic, { root: page, cacheControl: false, etag: false, lastModified: false })

  app.get(
    '/api/settings',
    async (): Promise<ConsoleSettings> => ({
      calls: tour.map(({ tried, expected }) => ({ tried, expected })),
    }),
  )

  app.get('/api/board', async (): Promise<Board> => joinReports(await Promise.all(replicas.map(askReplica))))

  // A fresh proof is a credential, so it is made for our own page alone: POST is what has to show its origin.
  app.post('/api/sample', async () => sampleRequest(services))

  app.post<{ Params: { position: string } }>('/api/calls/:position', async (request, reply) => {
    const call = tour[Number(request.params.position)]
    if (call === undefined) return sendProblem(reply, 404, 'There is no such call.')
    const { send, exchanges } = createRecorder()
    const line = await makeCall(call, await visitOf(services, send))
    return { ...line, exchanges } satisfies Attempt
  })

  async function askReplica({ url }: Replica): Promise<ReplicaReport> {
    try {
      const response = await workloadFetch(url + REPORT, { signal: AbortSignal.timeout(1500) })
      if (response.status === 200) return { url, adoption: (await response.json()) as Adoption }
      app.log.warn({ url, status: response.status }, 'a replica does not say how far its routes are')
    } catch (error) {
      app.log.warn({ url, err: error }, 'a replica does not answer')
    }
    return { url, adoption: null }
  }

  return app
}

/** A console that listens. */
export interface RunningConsole {
  readonly url: string
  close(): Promise<void>
}

/** Starts the console on loopback. */
export async function startConsole(
  options: Omit<ConsoleOptions, 'origins'> & { readonly port: number },
): Promise<RunningConsole> {
  const { port, ...more } = options
  const origins = [`http://127.0.0.1:${port}`, `http://localhost:${port}`]
  const app = await createConsole({ origins, ...more })
  await app.listen({ host: '127.0.0.1', port })
  return { url: `${origins[0]}/`, close: async () => app.close() }
}

const BUILT_PAGE = fileURLToPath(new URL('./page/', import.meta.url))

function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail }
  // Bytes, because Fastify adds a charset to a string.
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(problem)))
}
