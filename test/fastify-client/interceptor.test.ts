import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Agent, Pool, type Dispatcher, fetch as undiciFetch, interceptors, request, RetryAgent } from 'undici'
import { type SignerOptions, staticCredentials, wimseInterceptor } from 'fastify-wimse-client'
import type { Credential } from 'wimse'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import { freePort } from '../redis/redis-server.js'
import { type RecordingServer, startRecordingServer } from './recording-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const credential = await identityServer.issue({ subject: '/checkout' })
const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })

function signing(origin: string, options: Partial<SignerOptions> = {}): Dispatcher.ComposedDispatcher {
  return new Agent().compose(wimseInterceptor({ credentials, targets: [origin], ...options }))
}

const jtiOf = (wpt: string): unknown =>
  (JSON.parse(Buffer.from(wpt.split('.')[1]!, 'base64url').toString()) as { jti: unknown }).jti
const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'sent',
    (error: { code?: unknown; cause?: { code?: unknown } }) => error.code ?? error.cause?.code,
  )

describe('wimseInterceptor(), to a real service', () => {
  let service: ProtectedService
  let origin: string
  beforeAll(async () => {
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    service = await startProtectedService(
      { audience: origin, trustDomains: identityServer.trustDomains },
      port,
    )
  })
  afterAll(() => service.app.close())

  /** What is awaited like a promise, and has nothing else of one. */
  const thenable = (promise: Promise<Credential>): Promise<Credential> =>
    ({
      // oxlint-disable-next-line unicorn/no-thenable -- the very thing
      then: (resolve: (credential: Credential) => void, reject: (error: unknown) => void) => {
        promise.then(resolve, reject)
      },
    }) as Promise<Credential>

  it('takes a credential from whatever can be awaited', async () => {
    const current = (): Promise<Credential> => thenable(Promise.resolve(credential))
    const { statusCode, body } = await request(`${origin}/a`, {
      dispatcher: signing(origin, { credentials: { current } }),
    })
    await body.dump()
    expect(statusCode).toBe(200)
    const refusing = { current: () => thenable(Promise.reject(new Error('none today'))) }
    await expect(
      request(`${origin}/a`, { dispatcher: signing(origin, { credentials: refusing }) }),
    ).rejects.toThrow('none today')
  })

  for (const [what, headers] of [
    ['no headers', undefined],
    ['an object', { authorization: 'Bearer abc', 'txn-token': 'def', 'x-list': ['1', '2'], 'x-number': 7 }],
    ['a flat list', ['authorization', 'Bearer abc', 'txn-token', 'def']],
    [
      'a Map',
      new Map([
        ['authorization', 'Bearer abc'],
        ['txn-token', 'def'],
      ]),
    ],
    ['Headers', new Headers({ authorization: 'Bearer abc', 'txn-token': 'def' })],
  ] as const) {
    it(`signs each request, and covers the tokens among ${what}`, async () => {
      const dispatcher = signing(origin)
      for (let round = 0; round < 2; round++) {
        const { statusCode, body } = await request(`${origin}/a?b=c`, {
          dispatcher,
          ...(headers === undefined ? {} : { headers: headers as never }),
        })
        expect([statusCode, await body.json()]).toEqual([200, { caller: 'wimse://example.com/checkout' }])
      }
      const { accessToken, txnToken } = service.handled.at(-1)!.boundTokens
      expect([accessToken, txnToken]).toEqual(headers === undefined ? [false, false] : [true, true])
    })
  }

  it('signs what undici’s fetch and streams send', async () => {
    const response = await undiciFetch(`${origin}/a`, {
      dispatcher: signing(origin),
      method: 'POST',
      body: 'x',
    })
    expect(response.status).toBe(200)
  })

  it('sends the proof as wpt-02 has it', async () => {
    const port = await freePort()
    const own = `http://127.0.0.1:${port}`
    const other = await startProtectedService(
      { audience: own, trustDomains: identityServer.trustDomains, revisions: ['wpt-02'] },
      port,
    )
    const { statusCode } = await request(own, { dispatcher: signing(own, { revision: 'wpt-02' }) })
    expect(statusCode).toBe(200)
    await other.app.close()
  })
})

describe('wimseInterceptor(), and who else hears of it (CLI-04, WPT-34)', () => {
  let target: RecordingServer
  let elsewhere: RecordingServer
  let failures: number
  beforeAll(async () => {
    elsewhere = await startRecordingServer()
    target = await startRecordingServer((incoming, response) => {
      if (incoming.url === '/to-elsewhere')
        return response.writeHead(307, { location: `${elsewhere.origin}/caught` }).end()
      if (incoming.url === '/to-itself') return response.writeHead(307, { location: '/other' }).end()
      if (failures > 0) {
        failures--
        return response.writeHead(503, { 'retry-after': '0' }).end()
      }
      return response.end('ok')
    })
  })
  afterAll(async () => Promise.all([target.close(), elsewhere.close()]))
  beforeEach(() => {
    failures = 0
  })

  const proofs = (from: number): unknown[] =>
    target.requests.slice(from).map(({ fields }) => {
      const all = fields.get('workload-proof-token')!
      expect(all).toHaveLength(1)
      return jtiOf(all[0]!)
    })

  it('gives every attempt of a RetryAgent a proof of its own', async () => {
    failures = 3
    const before = target.requests.length
    const dispatcher = new RetryAgent(signing(target.origin), { minTimeout: 1, maxTimeout: 2 })
    const { statusCode } = await request(`${target.origin}/a`, { dispatcher })
    expect(statusCode).toBe(200)
    expect(new Set(proofs(before)).size).toBe(4)
  })

  it('gives every attempt of the retry interceptor a proof of its own, listed first and so innermost', async () => {
    failures = 2
    const before = target.requests.length
    const dispatcher = new Agent().compose([
      wimseInterceptor({ credentials, targets: [target.origin] }),
      interceptors.retry({ minTimeout: 1, maxTimeout: 2 }),
    ])
    expect((await request(`${target.origin}/a`, { dispatcher })).statusCode).toBe(200)
    expect(new Set(proofs(before)).size).toBe(3)
  })

  it('signs a redirect within the target anew, and lets none out of it', async () => {
    const before = target.requests.length
    const dispatcher = new Agent().compose([
      wimseInterceptor({ credentials, targets: [target.origin] }),
      interceptors.redirect({ maxRedirections: 3 }),
    ])
    // What the redirect interceptor copies from the first attempt is the caller's own fields, not the signer's.
    expect((await request(`${target.origin}/to-itself`, { dispatcher })).statusCode).toBe(200)
    expect(new Set(proofs(before)).size).toBe(2)
    expect(await codeOf(request(`${target.origin}/to-elsewhere`, { dispatcher }))).toBe(
      'WIMSE_TARGET_NOT_ALLOWED',
    )
    expect(elsewhere.requests).toEqual([])
  })

  it('lets none out of a Pool whose targets are of its own origin', async () => {
    const pool = new Pool(target.origin)
    const dispatcher = pool.compose([
      wimseInterceptor({ credentials, targets: [target.origin] }),
      interceptors.redirect({ maxRedirections: 3 }),
    ])
    const before = target.requests.length
    expect((await request(`${target.origin}/to-itself`, { dispatcher })).statusCode).toBe(200)
    expect(await codeOf(request(`${target.origin}/to-elsewhere`, { dispatcher }))).toBe(
      'WIMSE_TARGET_NOT_ALLOWED',
    )
    expect(target.requests.slice(before).map(({ url }) => url)).not.toContain('/elsewhere')
    expect(elsewhere.requests).toEqual([])
    await pool.close()
  })

  it('sends nothing to anybody but a target', async () => {
    const before = target.requests.length
    const dispatcher = signing(`${target.origin}/inventory`)
    for (const url of [`${elsewhere.origin}/a`, `${target.origin}/a`, `${target.origin}/inventoryx`]) {
      expect([url, await codeOf(request(url, { dispatcher }))]).toEqual([url, 'WIMSE_TARGET_NOT_ALLOWED'])
    }
    for (const path of [
      '/inventory/../a',
      '/inventory/%2e%2e/a',
      '/inventory/..%2fa',
      'inventory',
      '//inventory/..',
      '\\inventory',
    ]) {
      expect([
        path,
        await codeOf(dispatcher.request({ origin: target.origin, path, method: 'GET' })),
      ]).toEqual([path, 'WIMSE_TARGET_NOT_ALLOWED'])
    }
    for (const name of ['Host', 'Workload-Proof-Token']) {
      expect(
        await codeOf(request(`${target.origin}/inventory`, { dispatcher, headers: { [name]: 'x' } })),
      ).toBe('WIMSE_HEADER_RESERVED')
    }
    expect([target.requests.length, elsewhere.requests.length]).toEqual([before, 0])
    expect(await codeOf(request(`${target.origin}/inventory/a`, { dispatcher }))).toBe('sent')
  })

  it('tells the caller when there is no credential, and sends nothing', async () => {
    const before = target.requests.length
    const none = { current: async () => Promise.reject(new Error('the sidecar is gone')) }
    await expect(
      request(target.origin, { dispatcher: signing(target.origin, { credentials: none }) }),
    ).rejects.toThrow('the sidecar is gone')
    expect(target.requests).toHaveLength(before)
  })

  it('throws for wrong options', () => {
    expect(() => wimseInterceptor({ credentials, targets: [] })).toThrow(/targets/)
  })
})
