import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { wimse, type WimseOptions } from 'fastify-wimse'
import { type Credential, signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createTestAuthority, type ServerCertificate } from '../https/test-authority.js'
import { type Field, type ProofOptions, tokensFor } from './tokens.js'

const HOST = 'inventory.example.com'
const ORIGIN = `https://${HOST}`
const PLAIN_ORIGIN = `http://${HOST}`
const FEED = '/feed/42'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const authority = createTestAuthority()

interface FeedServer {
  readonly app: FastifyInstance
  /** Who reached the handler of the socket, in order. */
  readonly opened: readonly string[]
  /** Names of fields the last handler could see, in lower case. */
  readonly names: () => readonly string[]
  /** How many other handlers ran. */
  readonly handled: () => number
  readonly log: () => string
}

/**
 * A service with a socket, a route without one, and a socket that anybody may open.
 *
 * @param how `late` registers @fastify/websocket behind fastify-wimse
 */
async function startFeedServer(
  options: Partial<WimseOptions> = {},
  { certificate, late = false }: { certificate?: ServerCertificate; late?: boolean } = {},
): Promise<FeedServer> {
  const opened: string[] = []
  let [handled, names, log] = [0, [] as string[], '']
  const logger = { level: 'trace', stream: { write: (line: string) => void (log += line) } }
  const app =
    certificate === undefined
      ? Fastify({ logger, forceCloseConnections: true })
      : (Fastify({ logger, forceCloseConnections: true, https: certificate }) as unknown as FastifyInstance)
  if (!late) await app.register(websocket)
  await app.register(wimse, {
    audience: [ORIGIN, PLAIN_ORIGIN],
    trustDomains: identityServer.trustDomains,
    ...options,
  })
  if (late) await app.register(websocket)
  app.get('/feed/:id', { websocket: true }, (socket, { workload, headers, raw }) => {
    opened.push(workload!.id)
    names = [...Object.keys(headers), ...raw.rawHeaders.filter((_, i) => i % 2 === 0)].map((name) =>
      name.toLowerCase(),
    )
    socket.on('message', (data: Buffer) => socket.send(`${workload!.id} said ${data.toString()}`))
  })
  app.get('/open', { websocket: true, config: { wimse: false } }, (socket, { workload }) => {
    socket.on('message', () => socket.send(JSON.stringify(workload)))
  })
  app.get('/stock', async () => {
    handled++
    return 'stock'
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, opened, names: () => names, handled: () => handled, log: () => log }
}

const connectionsOf = async ({ server }: FastifyInstance): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })

type Attempt =
  | { readonly opened: WebSocket }
  | { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string }

/** Asks for a socket, and gives it or the answer that came instead. */
async function attempt(
  app: FastifyInstance,
  path: string,
  fields: readonly Field[],
  tls?: { readonly ca: string; readonly servername: string },
): Promise<Attempt> {
  const { port } = app.server.address() as { port: number }
  const url = `${tls === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}${path}`
  const socket = new WebSocket(url, { headers: Object.fromEntries(fields), ...tls })
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve({ opened: socket }))
    socket.on('error', reject)
    socket.on('unexpected-response', (request, response: IncomingMessage) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => {
        request.destroy()
        resolve({ status: response.statusCode!, headers: response.headers, body })
      })
    })
  })
}

describe('a route of @fastify/websocket', () => {
  let server: FeedServer
  let credential: Credential
  let stranger: Credential

  beforeAll(async () => {
    server = await startFeedServer({ revisions: ['wpt-01', 'wpt-02'] })
    credential = await identityServer.issue({ subject: '/checkout' })
    stranger = await identityServer.issue({ subject: '/stranger' })
  })
  afterAll(() => server.app.close())

  const fieldsFor = async (proof: Partial<ProofOptions> = {}): Promise<[wit: Field, proof: Field]> => {
    const made = await tokensFor(credential, { aud: ORIGIN + FEED, ...proof })
    return [made.wit, made.proof]
  }

  async function expectOpened(attempted: Promise<Attempt>): Promise<void> {
    const before = server.opened.length
    const outcome = await attempted
    if (!('opened' in outcome)) expect.fail(`answered ${outcome.status}`)
    const { opened } = outcome
    opened.send('hello')
    const [data] = (await once(opened, 'message')) as [Buffer]
    expect(data.toString()).toBe('wimse://example.com/checkout said hello')
    expect(server.opened).toHaveLength(before + 1)
    opened.terminate()
  }

  async function expectRefused(
    attempted: Promise<Attempt>,
    code: string,
    status = 400,
  ): Promise<IncomingMessage['headers']> {
    const before = server.opened.length
    const outcome = await attempted
    if ('opened' in outcome) expect.fail('a socket was opened')
    expect(outcome.headers['content-type']).toBe('application/problem+json')
    expect({ status: outcome.status, code: (JSON.parse(outcome.body) as { code: string }).code }).toEqual({
      status,
      code,
    })
    expect([server.opened.length, server.app.websocketServer.clients.size]).toEqual([before, 0])
    return outcome.headers
  }

  it('opens for a workload that has shown who it is, and not a second time with the same proof', async () => {
    const fields = await fieldsFor()
    await expectOpened(attempt(server.app, FEED, fields))
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
    await expectRefused(attempt(server.app, FEED, fields), 'WIMSE_WPT_REPLAYED')
  })

  it('opens for a proof that names the http URL where the socket is a ws one', async () => {
    const signed = signRequest(credential, { url: `${PLAIN_ORIGIN + FEED}?from=1` })
    await expectOpened(attempt(server.app, `${FEED}?from=1`, Object.entries(signed)))
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
  })

  it('opens for the carriage of wpt-02, whose refusals are challenged', async () => {
    const fields = await fieldsFor({ revision: 'wpt-02' })
    await expectOpened(attempt(server.app, FEED, fields))
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
    const headers = await expectRefused(attempt(server.app, FEED, fields), 'WIMSE_WPT_REPLAYED', 401)
    expect(headers['www-authenticate']).toBe('WPT')
  })

  it('shows its handler neither WIT nor proof', async () => {
    await expectOpened(attempt(server.app, FEED, await fieldsFor()))
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
    expect(server.names()).toContain('sec-websocket-key')
    expect(server.names().filter((name) => name.startsWith('workload-'))).toEqual([])
  })

  for (const [what, code, fields] of [
    ['without tokens', 'WIMSE_WIT_MISSING', async () => []],
    ['without a proof', 'WIMSE_WPT_MISSING', async () => (await fieldsFor()).slice(0, 1)],
    ['without a WIT', 'WIMSE_WIT_MISSING', async () => (await fieldsFor()).slice(1)],
    [
      'with a proof for another socket',
      'WIMSE_WPT_AUDIENCE',
      async () => fieldsFor({ aud: `${ORIGIN}/feed/43` }),
    ],
    [
      'with a proof for the wss URL',
      'WIMSE_WPT_AUDIENCE',
      async () => fieldsFor({ aud: `wss://${HOST}${FEED}` }),
    ],
    [
      'with a proof that another key has signed',
      'WIMSE_WPT_SIGNATURE',
      async () => fieldsFor({ signedBy: stranger }),
    ],
    [
      'with an access token the proof does not cover',
      'WIMSE_WPT_ACCESS_TOKEN_HASH',
      async () => [...(await fieldsFor()), ['Authorization', 'Bearer an-access-token']],
    ],
  ] as readonly (readonly [string, string, () => Promise<Field[]>])[]) {
    it(`opens no socket ${what}: ${code}`, async () => {
      await expectRefused(attempt(server.app, FEED, await fields()), code)
      await expectOpened(attempt(server.app, FEED, await fieldsFor()))
      await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
    })
  }

  it('is not the only one: an upgrade that shows nothing is refused on any route, and where there is none', async () => {
    await expectRefused(attempt(server.app, '/stock', []), 'WIMSE_WIT_MISSING')
    await expectRefused(attempt(server.app, '/nowhere', []), 'WIMSE_WIT_MISSING')
    expect(server.handled()).toBe(0)
  })

  it('with wimse: false opens for anybody, and says so in the log (the control)', async () => {
    const outcome = await attempt(server.app, '/open', [])
    if (!('opened' in outcome)) expect.fail(`answered ${outcome.status}`)
    outcome.opened.send('hello')
    const [data] = (await once(outcome.opened, 'message')) as [Buffer]
    expect(data.toString()).toBe('null')
    outcome.opened.terminate()
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
    expect(server.log()).toMatch(/"unprotectedRoutes":\["GET \/open"/)
  })

  it('is refused where the rule of the route says no', async () => {
    const choosy = await startFeedServer({ allow: 'wimse://example.com/somebody-else' })
    const outcome = await attempt(choosy.app, FEED, await fieldsFor())
    expect(outcome).toMatchObject({ status: 403 })
    expect(choosy.opened).toEqual([])
    await choosy.app.close()
  })

  it('is protected, too, when @fastify/websocket is registered second, as its documentation does not advise', async () => {
    const other = await startFeedServer({}, { late: true })
    expect(await attempt(other.app, FEED, [])).toMatchObject({ status: 400 })
    expect(other.opened).toEqual([])
    const outcome = await attempt(other.app, FEED, await fieldsFor())
    if (!('opened' in outcome)) expect.fail(`answered ${outcome.status}`)
    expect(other.opened).toEqual(['wimse://example.com/checkout'])
    outcome.opened.terminate()
    await expect.poll(() => connectionsOf(other.app)).toBe(0)
    await other.app.close()
  })

  for (const [late, onDenied] of [
    [false, 'reply'],
    [false, 'throw'],
    [true, 'reply'],
    [true, 'throw'],
  ] as const) {
    const order = late ? 'behind' : 'before'
    it(`registered ${order} fastify-wimse keeps no connection of a refused upgrade, onDenied: ${onDenied}`, async () => {
      const other = await startFeedServer({ onDenied }, { late })
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          expect(await attempt(other.app, FEED, [])).toMatchObject({ status: 400 })
        }),
      )
      await expect.poll(() => connectionsOf(other.app)).toBe(0)
      await other.app.close()
    })
  }

  it('ends the connection of an upgrade it refuses', async () => {
    const { port } = server.app.server.address() as { port: number }
    const socket = connect(port, '127.0.0.1')
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    socket.write([`GET ${FEED} HTTP/1.1`, `Host: ${HOST}`, ...upgrade, key, '', ''].join('\r\n'))
    let answer = ''
    for await (const chunk of socket as AsyncIterable<Buffer>) answer += chunk.toString()
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('WIMSE_WIT_MISSING')
  })

  it('opens over TLS for the https URL, and never twice', async () => {
    const secure = await startFeedServer(
      { audience: ORIGIN },
      { certificate: authority.certificateFor(HOST) },
    )
    const trusted = { ca: authority.ca, servername: HOST }
    const fields = await fieldsFor()
    expect(await attempt(secure.app, FEED, [], trusted)).toMatchObject({ status: 400 })
    const outcome = await attempt(secure.app, FEED, fields, trusted)
    if (!('opened' in outcome)) expect.fail(`answered ${outcome.status}`)
    outcome.opened.terminate()
    expect(await attempt(secure.app, FEED, fields, trusted)).toMatchObject({ status: 400 })
    expect(secure.opened).toEqual(['wimse://example.com/checkout'])
    await secure.app.close()
  })

  it('opens for one of ten upgrades that bring the same proof at the same moment', async () => {
    const fields = await fieldsFor()
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, async () => attempt(server.app, FEED, fields)),
    )
    const sockets = outcomes.filter((outcome) => 'opened' in outcome)
    expect(sockets).toHaveLength(1)
    for (const { opened } of sockets) opened.terminate()
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0)
  })

  it('leaves nothing of a token in the log', async () => {
    const [wit, proof] = await fieldsFor()
    await expectOpened(attempt(server.app, FEED, [wit, proof]))
    await expectRefused(attempt(server.app, FEED, [wit, proof]), 'WIMSE_WPT_REPLAYED')
    expect(server.log()).toContain('WIMSE_WPT_REPLAYED')
    for (const [, token] of [wit, proof]) {
      for (const part of token.split('.')) expect(server.log()).not.toContain(part)
    }
  })
})

describe('injectWS() of @fastify/websocket', () => {
  it('is refused without tokens and let in once with them, though it makes requests without rawHeaders', async () => {
    const { app, opened, names } = await startFeedServer()
    const credential = await identityServer.issue({ subject: '/checkout' })
    const { wit, proof } = await tokensFor(credential, { aud: ORIGIN + FEED })
    const headers = Object.fromEntries([wit, proof].map(([name, value]) => [name.toLowerCase(), value]))
    await expect(app.injectWS(FEED)).rejects.toThrow('Unexpected server response: 400')
    expect(opened).toEqual([])
    const socket = await app.injectWS(FEED, { headers })
    expect(opened).toEqual(['wimse://example.com/checkout'])
    expect(names().filter((name) => name.startsWith('workload-'))).toEqual([])
    await expect(app.injectWS(FEED, { headers })).rejects.toThrow('Unexpected server response: 400')
    await expect(
      app.injectWS(FEED, { headers: { ...headers, 'workload-identity-token': [wit[1], wit[1]] } }),
    ).rejects.toThrow('Unexpected server response: 400')
    expect(opened).toHaveLength(1)
    socket.terminate()
    await app.close()
  })
})
