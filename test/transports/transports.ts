import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { wimse, type WimseOptions } from 'fastify-wimse'
import { createTestAuthority } from '../https/test-authority.js'
import { sendFrames } from './http2-frames.js'
import type { Field } from './tokens.js'

/** A request as it goes out. */
export interface Sent {
  readonly method?: 'GET' | 'POST'
  /** Request target: path and query. */
  readonly target: string
  /** In order, repeats included. */
  readonly fields: readonly Field[]
  /** `Host`, or `:authority`. Default the name of the service. */
  readonly authority?: string
  readonly body?: string
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Sends requests to one service. */
export interface Client {
  send(request: Sent): Promise<Answer>
  close(): void
}

/** A way for requests to reach a service. */
export interface Transport {
  readonly name: string
  readonly isHttp2: boolean
  /** Whether `inject()` has parsed the target as a URL before the application sees it. */
  readonly normalizesTargets: boolean
  /** Whether `maxHeaderSize` counts: for HTTP/1.1 at a port of h2 only from Node 24 on, see docs/audience.md. */
  readonly obeysMaxHeaderSize: boolean
  /**
   * Makes an application with the plugin registered. Routes are the test's.
   *
   * @param log gets every line the application logs
   */
  createApp(options: WimseOptions, log: (line: string) => void): Promise<FastifyInstance>
  /** Puts the application where its client reaches it. */
  open(app: FastifyInstance): Promise<Client>
  /**
   * Sends a header list as it stands, without a body; pseudo fields are the caller's.
   *
   * @returns the data of the answer, or how the stream was closed without one
   */
  readonly sendFrames?: (app: FastifyInstance, fields: readonly Field[]) => ReturnType<typeof sendFrames>
}

export const HOST = 'inventory.example.com'
const authority = createTestAuthority()
const certificate = authority.certificateFor(HOST)
const trusted = { ca: authority.ca, servername: HOST }

/** What every application has: a proxy it trusts, so that forwarded fields count wherever they are looked at. */
const shared = (write: (line: string) => void) =>
  ({
    trustProxy: true,
    forceCloseConnections: true,
    logger: { level: 'trace', stream: { write } },
  }) satisfies FastifyServerOptions

export const transports: readonly Transport[] = [
  {
    name: 'HTTP/1.1',
    isHttp2: false,
    normalizesTargets: false,
    obeysMaxHeaderSize: true,
    createApp: async (options, log) => {
      const app = Fastify({ ...shared(log), http: { maxHeaderSize: 65_536 } })
      await app.register(wimse, options)
      return app
    },
    open: async (app) => {
      const port = await listen(app)
      return { send: (sent) => sendHttp1(port, sent), close: () => undefined }
    },
  },
  {
    name: 'h2c',
    isHttp2: true,
    normalizesTargets: false,
    obeysMaxHeaderSize: true,
    createApp: async (options, log) => {
      const app = Fastify({ ...shared(log), http2: true })
      await app.register(wimse, options)
      return app as unknown as FastifyInstance
    },
    open: async (app) => {
      const port = await listen(app)
      const session = connectHttp2(`http://127.0.0.1:${port}`)
      return {
        send: (sent) => sendHttp2(session, 'http', () => connectTcp(port, '127.0.0.1'), sent),
        close: () => session.destroy(),
      }
    },
    sendFrames: async (app, fields) => sendFrames(connectTcp(portOf(app), '127.0.0.1'), fields),
  },
  {
    name: 'h2 with TLS',
    isHttp2: true,
    normalizesTargets: false,
    obeysMaxHeaderSize: true,
    createApp: async (options, log) => {
      const app = Fastify({ ...shared(log), http2: true, https: certificate })
      await app.register(wimse, options)
      return app as unknown as FastifyInstance
    },
    open: async (app) => {
      const port = await listen(app)
      const session = connectHttp2(`https://127.0.0.1:${port}`, trusted)
      return {
        send: (sent) => sendHttp2(session, 'https', () => connectAlpn(port), sent),
        close: () => session.destroy(),
      }
    },
    sendFrames: async (app, fields) => sendFrames(connectAlpn(portOf(app)), fields),
  },
  {
    name: 'HTTP/1.1 at the port of h2 (allowHTTP1)',
    isHttp2: false,
    normalizesTargets: false,
    obeysMaxHeaderSize: false,
    createApp: async (options, log) => {
      const https = { ...certificate, allowHTTP1: true, maxHeaderSize: 65_536 }
      const app = Fastify({ ...shared(log), http2: true, https })
      await app.register(wimse, options)
      return app as unknown as FastifyInstance
    },
    open: async (app) => {
      const port = await listen(app)
      return { send: (sent) => sendHttp1(port, sent, trusted), close: () => undefined }
    },
  },
  {
    name: 'inject()',
    isHttp2: false,
    normalizesTargets: true,
    obeysMaxHeaderSize: true,
    createApp: async (options, log) => {
      const app = Fastify({ ...shared(log), http: { maxHeaderSize: 65_536 } })
      await app.register(wimse, options)
      return app
    },
    open: async (app) => ({ send: (sent) => sendInjected(app, sent), close: () => undefined }),
  },
]

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return portOf(app)
}

/** The port an application listens on. */
export function portOf(app: FastifyInstance): number {
  return (app.server.address() as { port: number }).port
}

/** Sends over HTTP/1.1, with TLS when told whom to trust. The fields go out as they stand. */
export async function sendHttp1(
  port: number,
  { method = 'GET', target, fields, authority = HOST, body }: Sent,
  tls?: { readonly ca: string; readonly servername: string },
): Promise<Answer> {
  const content: readonly Field[] =
    body === undefined
      ? []
      : [
          ['Content-Type', 'text/plain'],
          ['Content-Length', `${Buffer.byteLength(body)}`],
        ]
  const options = {
    host: '127.0.0.1',
    port,
    method,
    path: target,
    // A flat list, so that repeated fields stay repeated.
    headers: [['Host', authority], ...fields, ...content].flat(),
    agent: false,
  } as const
  const outgoing = tls === undefined ? httpRequest(options) : httpsRequest({ ...options, ...tls })
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, headers: response.headers, body: await textOf(response) }
}

/** What Node's client refuses to send twice; it goes out in frames of our own, and only the data comes back. */
const SENT_ONCE: ReadonlySet<string> = new Set(['authorization', 'host'])

async function sendHttp2(
  session: ClientHttp2Session,
  scheme: 'http' | 'https',
  connect: () => Duplex,
  { method = 'GET', target, fields, authority = HOST, body }: Sent,
): Promise<Answer> {
  const pseudo = { ':method': method, ':scheme': scheme, ':authority': authority, ':path': target }
  const grouped = groupFields(fields)
  if ([...SENT_ONCE].some((name) => Array.isArray(grouped[name]))) {
    const lowered = fields.map(([name, value]) => [name.toLowerCase(), value] as const)
    const outcome = await sendFrames(connect(), [...Object.entries(pseudo), ...lowered])
    if ('closedWith' in outcome) throw new Error(`the stream was closed with ${outcome.closedWith}`)
    return { status: statusIn(outcome.data), headers: {}, body: outcome.data }
  }
  const content = body === undefined ? {} : { 'content-type': 'text/plain' }
  const stream = session.request({ ...pseudo, ...grouped, ...content })
  stream.end(body)
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }]
  return { status: headers[':status'], headers, body: await textOf(stream) }
}

/** The status as a problem document has it; 200 for anything else. */
function statusIn(body: string): number {
  return (JSON.parse(body) as { status?: number }).status ?? 200
}

async function sendInjected(
  app: FastifyInstance,
  { method = 'GET', target, fields, authority = HOST, body }: Sent,
): Promise<Answer> {
  const content = body === undefined ? {} : { 'content-type': 'text/plain' }
  const response = await app.inject({
    method,
    url: target,
    headers: { ...groupFields([['host', authority], ...fields]), ...content } as Record<string, string>,
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: response.statusCode, headers: response.headers as Answer['headers'], body: response.body }
}

/** Values by lower-case name, a list where there are several. */
function groupFields(fields: readonly Field[]): Record<string, string | string[]> {
  const grouped: Record<string, string | string[]> = {}
  for (const [name, value] of fields) {
    const before = grouped[name.toLowerCase()]
    grouped[name.toLowerCase()] = before === undefined ? value : [before, value].flat()
  }
  return grouped
}

function connectAlpn(port: number): Duplex {
  return connectTls({ host: '127.0.0.1', port, ALPNProtocols: ['h2'], ...trusted })
}

async function textOf(stream: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk.toString()
  return text
}
