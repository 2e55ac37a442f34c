import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Attempt,
  type Board,
  createConsole,
  createOriginGuard,
  type Embedded,
  freePort,
  joinReports,
  type Sample,
  startConsole,
  startEmbedded,
  tour,
} from '@wimse-demo/console'
import { createInventory } from '@wimse-demo/inventory'
import type { Adoption, CallerAdoption, RouteAdoption } from 'fastify-wimse'
import { staticCredentials } from 'fastify-wimse-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signRequest } from 'wimse'
import { explain, parsePastedRequest, webCrypto } from 'wimse/explain'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'

const page = mkdtempSync(join(tmpdir(), 'wimse-console-'))
writeFileSync(join(page, 'index.html'), '<!doctype html>')
afterAll(() => rmSync(page, { recursive: true, force: true }))

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

describe('the console’s server', () => {
  let services: Embedded
  let running: Awaited<ReturnType<typeof startConsole>>
  let port: number
  let log = ''
  beforeAll(async () => {
    services = await startEmbedded()
    const stream = { write: (line: string) => void (log += line) }
    const options = { services, page, log: { level: 'trace', stream } }
    running = await startConsole({
      ...options,
      credentials: services.consoleCredentials,
      port: await freePort(0),
    })
    port = Number(new URL(running.url).port)
  })
  afterAll(async () => {
    await running?.close()
    await services?.close()
  })

  /** With fields as they stand, repeated ones too, as `fetch` would not send them. */
  async function send(head: string, ...fields: readonly string[]): Promise<Answer> {
    const [method, path] = head.split(' ') as [string, string]
    const all = method === 'POST' ? [...fields, 'Content-Length: 0'] : fields
    const headers = all.flatMap((field) => field.split(/: (.*)/s).slice(0, 2))
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }).end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const body = (await response.setEncoding('utf8').toArray()).join('')
    return { status: response.statusCode!, headers: response.headers, body }
  }
  const own = () => `127.0.0.1:${port}`
  const post = async (path: string, ...fields: readonly string[]): Promise<Answer> =>
    send(`POST ${path}`, `Host: ${own()}`, ...fields)
  const sameOrigin = () => `Origin: http://${own()}`

  it('gives the page under its own names alone, nothing of it to be kept or framed', async () => {
    for (const host of [own(), `localhost:${port}`, `LOCALHOST:${port}`]) {
      const { status, headers } = await send('GET /', `Host: ${host}`)
      expect(status).toBe(200)
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      })
      expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(headers['content-security-policy']).not.toContain('unsafe')
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1.evil.example:${port}`,
    ]) {
      const { status, headers } = await send('GET /', `Host: ${host}`)
      expect({ host, status }).toEqual({ host, status: 403 })
      expect(headers['cache-control']).toBe('no-store')
    }
  })

  it('gives nothing beside the page: no folder above it, and no other path', async () => {
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/nowhere', '/api', '/api/calls/1']) {
      const { status, headers } = await send(`GET ${path}`, `Host: ${own()}`)
      expect([403, 404]).toContain(status)
      expect(headers['cache-control']).toBe('no-store')
    }
  })

  it('answers a path that it cannot read as it does any other', async () => {
    const unread = { '/%zz': 400, '/api/calls/%': 400, [`/api/calls/${'1'.repeat(101)}`]: 414 }
    for (const [path, status] of Object.entries({ '/nowhere': 404, ...unread })) {
      for (const [host, answer] of [
        [own(), status],
        ['evil.example', 403],
      ] as const) {
        const { status: answered, headers, body } = await send(`POST ${path}`, `Host: ${host}`, sameOrigin())
        expect({ path, host, status: answered }).toEqual({ path, host, status: answer })
        expect(headers).toMatchObject({
          'cache-control': 'no-store',
          'content-security-policy': expect.stringContaining("default-src 'none'"),
          'content-type': 'application/problem+json',
          'x-content-type-options': 'nosniff',
        })
        expect(body).not.toContain(path)
      }
    }
  })

  it('makes a call for its own page alone', async () => {
    const path = `/api/calls/${tour.findIndex(({ tried }) => tried === 'an expired proof')}`
    const made = await post(path, sameOrigin(), 'Sec-Fetch-Site: same-origin')
    expect(made.status).toBe(200)
    expect(made.headers['cache-control']).toBe('no-store')
    const attempt = JSON.parse(made.body) as Attempt
    expect(attempt).toMatchObject({ asExpected: true, outcome: { status: 400, code: 'WIMSE_WPT_EXPIRED' } })
    expect(attempt.exchanges).toHaveLength(1)
    expect(JSON.parse(attempt.exchanges[0]!.response.body)).toMatchObject({ code: 'WIMSE_WPT_EXPIRED' })

    for (const fields of [
      [],
      ['Origin: http://evil.example'],
      ['Origin: null'],
      [`Origin: https://${own()}`],
      [`Origin: http://localhost:${port}`],
      [sameOrigin(), sameOrigin()],
      [sameOrigin(), 'Sec-Fetch-Site: cross-site'],
      [sameOrigin(), 'Sec-Fetch-Site: same-site'],
    ]) {
      const refused = await post(path, ...fields)
      expect({ fields, status: refused.status }).toEqual({ fields, status: 403 })
      expect(refused.headers['cache-control']).toBe('no-store')
      expect(refused.body).not.toContain('exchanges')
    }
    expect((await post('/api/calls/99', sameOrigin())).status).toBe(404)
    expect((await post('/api/calls/first', sameOrigin())).status).toBe(404)
  })

  it('gives a sample that would be let in', async () => {
    const { status, body } = await post('/api/sample', sameOrigin())
    expect(status).toBe(200)
    const { request, jwks, trustDomain } = JSON.parse(body) as Sample
    const { url, headers, notes } = parsePastedRequest(request)
    const trustDomains = { [trustDomain]: { jwks: JSON.parse(jwks) as unknown } }
    const policy = { now: Date.now() / 1000, trustDomains }
    expect(notes).toEqual([])
    expect(await explain({ url: url!, headers }, policy, webCrypto())).toMatchObject({ verdict: 'accepted' })
    expect((await post('/api/sample')).status).toBe(403)
  })

  it('shows the board to its own page, and to no page of another site', async () => {
    const { status, body } = await send('GET /api/board', `Host: ${own()}`)
    expect(status).toBe(200)
    const board = JSON.parse(body) as Board
    expect(board.replicas).toEqual([{ url: services.inventory, answers: true }])
    expect(board.routes.map(({ route }) => route)).toContain('GET /prices/:sku')
    const foreign = await send('GET /api/board', `Host: ${own()}`, 'Sec-Fetch-Site: cross-site')
    expect(foreign.status).toBe(403)
    expect((await send('GET /', `Host: ${own()}`, 'Sec-Fetch-Site: cross-site')).status).toBe(200)
  })

  it('logs no token (SEC-09)', async () => {
    for (const index of tour.keys()) {
      expect((await post(`/api/calls/${index}`, sameOrigin())).status).toBe(200)
    }
    expect(log).toContain('"name":"console"')
    expect(log).not.toMatch(/eyJ[\w-]+/)
  })
})

describe('the board', () => {
  it('joins what two inventories have seen, and waits for one that is silent', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const audience = 'https://inventory.example.com'
    const inventories = await Promise.all(
      [0, 1].map(async () =>
        createInventory({
          audience,
          trustDomains: identityServer.trustDomains,
          checkout: 'wimse://example.com/checkout',
          console: 'wimse://example.com/console',
          log: { level: 'silent' },
        }),
      ),
    )
    const urls = await Promise.all(inventories.map(async (one) => one.listen({ host: '127.0.0.1', port: 0 })))
    const visitor = await identityServer.issue({ subject: '/visitor' })
    for (const url of urls) {
      const headers = signRequest(visitor, { url: `${audience}/stock/apple` })
      expect((await fetch(`${url}/stock/apple`, { headers })).status).toBe(200)
    }
    const credential = await identityServer.issue({ subject: '/console' })
    const app = await createConsole({
      origins: ['http://console.example'],
      services: {} as Embedded,
      credentials: staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) }),
      replicas: urls.map((url) => ({ url, audience })),
      page,
      log: { level: 'silent' },
    })
    const look = async (): Promise<Board> =>
      (await app.inject({ url: '/api/board', headers: { host: 'console.example' } })).json<Board>()
    const board = await look()
    expect(board.replicas.map(({ answers }) => answers)).toEqual([true, true])
    const stock = board.routes.find(({ route }) => route === 'GET /stock/:sku')!
    expect(stock.callers).toEqual([
      expect.objectContaining({ caller: 'wimse://example.com/visitor', uses: 'wit', refusals: 0 }),
    ])
    expect(stock.callers[0]!.wit.requests).toBe(2)

    await inventories[1]!.close()
    const half = await look()
    expect(half.replicas.map(({ answers }) => answers)).toEqual([true, false])
    expect(half.routes.find(({ route }) => route === 'GET /stock/:sku')!.callers[0]!.wit.requests).toBe(1)
    await inventories[0]!.close()
    await app.close()
  })

  const use = (requests: number, firstSeen: number | null, lastSeen: number | null) => ({
    requests,
    firstSeen,
    lastSeen,
  })
  const never = use(0, null, null)
  const caller = (change: Partial<CallerAdoption> = {}): CallerAdoption => ({
    caller: 'wimse://example.com/a',
    wit: { ...use(1, 100, 200), revisions: {} },
    bearer: never,
    refusals: 0,
    ...change,
  })
  const route = (change: Partial<RouteAdoption> = {}): RouteAdoption => ({
    route: 'GET /a',
    mode: 'transition',
    ready: true,
    callers: [caller()],
    dropped: 0,
    refusals: {},
    dryRun: { accepted: 0, refusals: {} },
    ...change,
  })
  const report = (...routes: readonly RouteAdoption[]): Adoption => ({ since: 50, window: 60, routes })
  const join = (...adoptions: readonly (Adoption | null)[]) =>
    joinReports(adoptions.map((adoption, index) => ({ url: `http://${index}`, adoption })))

  it('has a route ready only when every replica answers and says so', () => {
    const good = report(route())
    expect(join(good, good).routes[0]!.ready).toBe(true)
    expect(join(good, null).routes[0]!.ready).toBe(false)
    expect(join(good, report()).routes[0]!.ready).toBe(false)
    expect(join(good, report(route({ ready: false }))).routes[0]!.ready).toBe(false)
    expect(join(null, null)).toMatchObject({ since: null, window: null, routes: [] })
  })

  it('says what a caller uses by what it used last, wherever that was', () => {
    const stateOf = (...callers: readonly Partial<CallerAdoption>[]) =>
      join(...callers.map((change) => report(route({ callers: [caller(change)] })))).routes[0]!.callers[0]!
    const wit = { ...never, revisions: {} }
    expect(stateOf({}, {})).toMatchObject({ uses: 'wit', since: 100, wit: use(2, 100, 200) })
    expect(stateOf({ wit, bearer: use(1, 90, 300) })).toMatchObject({ uses: 'bearer', since: 90 })
    expect(stateOf({}, { wit, bearer: use(1, 90, 150) })).toMatchObject({ uses: 'wit', since: 100 })
    expect(stateOf({}, { wit, bearer: use(1, 90, 300) })).toMatchObject({ uses: 'both', since: 100 })
    expect(stateOf({ wit, refusals: 1 })).toMatchObject({ uses: 'none', since: null, refusals: 1 })
  })

  it('shows both modes while replicas differ, and adds up what was refused', () => {
    const one = report(route({ refusals: { WIMSE_WPT_EXPIRED: 1 }, dropped: 1 }))
    const two = report(route({ mode: 'required', refusals: { WIMSE_WPT_EXPIRED: 2, WIMSE_WIT_KEY: 1 } }))
    expect(join(one, two).routes[0]).toMatchObject({
      modes: ['transition', 'required'],
      refusals: { WIMSE_WPT_EXPIRED: 3, WIMSE_WIT_KEY: 1 },
      dropped: 1,
    })
  })
})

describe('createOriginGuard()', () => {
  const faultOf = createOriginGuard(['https://console.example'])
  const rawHeaders = ['Host', 'console.example', 'Origin', 'https://console.example']

  it('takes a request of its own page', () => {
    expect(faultOf({ method: 'POST', url: '/api/sample', rawHeaders })).toBeNull()
  })

  it('refuses a second Host, an absolute target, and a method that changes something without an Origin', () => {
    const twice = [...rawHeaders, 'host', 'console.example']
    expect(faultOf({ method: 'GET', url: '/', rawHeaders: twice })).not.toBeNull()
    expect(faultOf({ method: 'GET', url: 'http://evil.example/', rawHeaders })).not.toBeNull()
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect(faultOf({ method, url: '/', rawHeaders: rawHeaders.slice(0, 2) })).not.toBeNull()
    }
  })
})
