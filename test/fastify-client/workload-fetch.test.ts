import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wimse, type Workload } from 'fastify-wimse'
import {
  createWorkloadFetch,
  SigningError,
  staticCredentials,
  wimseClient,
  type WorkloadFetchOptions,
} from 'fastify-wimse-client'
import { createTestIdentityServer, generateTestKeyPair, privateKeyOf } from 'wimse-testkit'
import { type RecordingServer, startRecordingServer } from './recording-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const credential = await identityServer.issue({ subject: '/checkout' })
const material = { wit: credential.wit, key: privateKeyOf(credential) }
const credentials = staticCredentials(material)

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'sent',
    (error: unknown) => (error instanceof SigningError ? error.code : String(error)),
  )

describe('a call to a real service', () => {
  let service: FastifyInstance
  let origin: string
  const callers: Workload[] = []
  let bodies: unknown[] = []

  beforeAll(async () => {
    service = Fastify({ forceCloseConnections: true })
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    await service.register(wimse, {
      audience: origin,
      trustDomains: identityServer.trustDomains,
      otherTokens: ['x-session-token'],
    })
    service.all('/*', async (request) => {
      callers.push(request.workload!)
      bodies.push(request.body)
      return { ok: true }
    })
    await service.listen({ port, host: '127.0.0.1' })
  })
  afterAll(() => service.close())
  beforeEach(() => {
    callers.length = 0
    bodies = []
  })

  it('shows who is calling, with a new proof for each', async () => {
    const workloadFetch = createWorkloadFetch({ credentials, targets: [origin] })
    for (let round = 0; round < 3; round++) {
      const response = await workloadFetch(`${origin}/stock/42?all=1`)
      expect(response.status).toBe(200)
    }
    expect(callers.map(({ id }) => id)).toEqual(
      Array.from({ length: 3 }, () => 'wimse://example.com/checkout'),
    )
  })

  it('covers the tokens that go out with it, however the request is given', async () => {
    const workloadFetch = createWorkloadFetch({
      credentials,
      targets: [origin],
      otherTokens: ['X-Session-Token'],
    })
    const headers = {
      authorization: 'Bearer abc',
      'txn-token': 'def',
      'x-session-token': 'ghi',
      'content-type': 'application/json',
    }
    const init = { method: 'POST', headers, body: '{"take":1}' }
    const calls = [
      workloadFetch(`${origin}/a`, init),
      workloadFetch(new URL(`${origin}/a#fragment`), { ...init, headers: new Headers(headers) }),
      workloadFetch(new Request(`${origin}/a`, init)),
      workloadFetch(new Request(`${origin}/a`, { method: 'POST' }), {
        ...init,
        headers: Object.entries<string>(headers),
      }),
    ]
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    for (const { boundTokens } of callers) {
      expect(boundTokens).toEqual({ accessToken: true, txnToken: true, otherTokens: ['x-session-token'] })
    }
    expect(bodies).toEqual(Array.from({ length: 4 }, () => ({ take: 1 })))
  })

  it('sends streams', async () => {
    const workloadFetch = createWorkloadFetch({ credentials, targets: [origin] })
    const body = new Blob(['{"take":1}']).stream()
    const response = await workloadFetch(`${origin}/a`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      duplex: 'half',
    })
    expect([response.status, bodies]).toEqual([200, [{ take: 1 }]])
  })

  it('is there as app.workloadFetch', async () => {
    const app = Fastify()
    await app.register(wimseClient, { credentials, targets: [origin] })
    await app.ready()
    expect((await app.workloadFetch(`${origin}/a`)).status).toBe(200)
    await app.close()
  })
})

describe('where the identity goes (SEC-01, demands of least exposure)', () => {
  let target: RecordingServer
  let elsewhere: RecordingServer

  beforeAll(async () => {
    elsewhere = await startRecordingServer()
    target = await startRecordingServer((request, response) => {
      const location = { '/to-elsewhere': `${elsewhere.origin}/caught`, '/to-itself': '/other' }[request.url!]
      if (location === undefined) return response.end('ok')
      return response.writeHead(307, { location }).end()
    })
  })
  afterAll(async () => Promise.all([target.close(), elsewhere.close()]))

  const fetchWith = (options: Partial<WorkloadFetchOptions> = {}) =>
    createWorkloadFetch({ credentials, targets: [target.origin], ...options })

  it('to the target, once each field (the control)', async () => {
    await fetchWith()(`${target.origin}/a`)
    const { fields } = target.requests.at(-1)!
    expect(fields.get('workload-identity-token')).toEqual([credential.wit])
    expect(fields.get('workload-proof-token')).toHaveLength(1)
  })

  for (const path of ['/to-elsewhere', '/to-itself']) {
    it(`not on by a redirect ${path.slice(1)}, even where the caller asks to follow it`, async () => {
      const before = target.requests.length
      for (const init of [{}, { redirect: 'follow' as const }]) {
        const response = await fetchWith()(target.origin + path, init)
        expect(response.status).toBe(307)
        const viaRequest = await fetchWith()(new Request(target.origin + path, init))
        expect(viaRequest.status).toBe(307)
      }
      expect(target.requests).toHaveLength(before + 4)
      expect(elsewhere.requests).toEqual([])
    })
  }

  it('not to any other URL', async () => {
    const { port } = new URL(target.origin)
    const limited = createWorkloadFetch({ credentials, targets: [`${target.origin}/inventory`] })
    const others: readonly (readonly [string, ReturnType<typeof createWorkloadFetch>])[] = [
      [`${elsewhere.origin}/a`, fetchWith()],
      [`http://localhost:${port}/a`, fetchWith()],
      [
        `http://localhost.:${port}/a`,
        fetchWith({ allowInsecure: true, targets: [`http://localhost:${port}`] }),
      ],
      [`https://127.0.0.1:${port}/a`, fetchWith()],
      ['http://127.0.0.1:1/a', fetchWith()],
      [`${target.origin}/inventoryx`, limited],
      [`${target.origin}/inventory/../a`, limited],
      [`${target.origin}/inventory/%2e%2e/a`, limited],
      [`${target.origin}/`, limited],
      [`${target.origin}/inventory/..%2fadmin`, limited],
      [`${target.origin}/inventory/%2e%2e%2Fadmin`, limited],
      [`${target.origin}/inventory/..%5cadmin`, limited],
      [`${target.origin}/inventory/..;a=b/admin`, limited],
      [`${target.origin}/inventory/%2e.%3B/admin`, limited],
    ]
    for (const [url, workloadFetch] of others) {
      const before = target.requests.length
      expect([url, await codeOf(workloadFetch(url))]).toEqual([url, 'WIMSE_TARGET_NOT_ALLOWED'])
      expect(target.requests).toHaveLength(before)
    }
    expect(elsewhere.requests).toEqual([])
  })

  it('to a target with a path, and below it', async () => {
    const limited = createWorkloadFetch({ credentials, targets: [{ url: `${target.origin}/inventory/` }] })
    expect(await codeOf(limited(`${target.origin}/inventory`))).toBe('sent')
    expect(await codeOf(limited(`${target.origin}/inventory/a?b=c`))).toBe('sent')
  })

  it('not over http beyond loopback', async () => {
    expect(await codeOf(fetchWith()('http://inventory.example.com/'))).toBe('WIMSE_URL_INSECURE')
    expect(() => createWorkloadFetch({ credentials, targets: ['http://inventory.example.com'] })).toThrow(
      /https/,
    )
    expect(
      createWorkloadFetch({ credentials, targets: ['http://inventory.example.com'], allowInsecure: true }),
    ).toBeTypeOf('function')
  })

  it('not beside fields that only the client may set', async () => {
    for (const name of ['Host', 'workload-identity-token', 'Workload-Proof-Token', 'Workload-Anything']) {
      const before = target.requests.length
      expect(await codeOf(fetchWith()(`${target.origin}/a`, { headers: { [name]: 'x' } }))).toBe(
        'WIMSE_HEADER_RESERVED',
      )
      expect(await codeOf(fetchWith()(new Request(`${target.origin}/a`, { headers: { [name]: 'x' } })))).toBe(
        'WIMSE_HEADER_RESERVED',
      )
      expect(target.requests).toHaveLength(before)
    }
  })

  it('not with user information in the URL', async () => {
    const before = target.requests.length
    expect(await codeOf(fetchWith()(target.origin.replace('//', '//user:word@')))).toBe(
      'WIMSE_TARGET_NOT_ALLOWED',
    )
    expect(target.requests).toHaveLength(before)
  })

  it('in the Authorization field for wpt-02, where no bearer token can ride along', async () => {
    const workloadFetch = fetchWith({ revision: 'wpt-02' })
    expect(await codeOf(workloadFetch(`${target.origin}/a`))).toBe('sent')
    expect(target.requests.at(-1)!.fields.get('authorization')).toEqual([expect.stringMatching(/^WPT ey/)])
    expect(
      await codeOf(workloadFetch(`${target.origin}/a`, { headers: { authorization: 'Bearer a' } })),
    ).toBe('WIMSE_BEARER_CONFLICT')
  })

  it('with the audience agreed on for the target', async () => {
    const workloadFetch = createWorkloadFetch({
      credentials,
      targets: [{ url: target.origin, audience: 'urn:example:inventory' }],
    })
    await workloadFetch(`${target.origin}/a`)
    const wpt = target.requests.at(-1)!.fields.get('workload-proof-token')![0]!
    expect(JSON.parse(Buffer.from(wpt.split('.')[1]!, 'base64url').toString())).toMatchObject({
      aud: 'urn:example:inventory',
    })
  })

  it('as the method and with the headers of a Request that is given as init', async () => {
    const init = new Request(`${target.origin}/a`, { method: 'DELETE', headers: { 'x-reason': 'test' } })
    await fetchWith()(`${target.origin}/a`, init)
    expect(target.requests.at(-1)).toMatchObject({ method: 'DELETE' })
    expect(target.requests.at(-1)!.fields.get('x-reason')).toEqual(['test'])
  })

  it('not at all once the caller has given up, even while the credential is awaited', async () => {
    const before = target.requests.length
    const never = { current: async () => new Promise<never>(() => undefined) }
    for (const signal of [AbortSignal.abort(), AbortSignal.timeout(20)]) {
      const failure: unknown = await fetchWith({ credentials: never })(`${target.origin}/a`, {
        signal,
      }).catch((error: unknown) => error)
      expect((failure as Error).name).toMatch(/AbortError|TimeoutError/)
    }
    expect(target.requests).toHaveLength(before)
  })

  it("fails on a redirect where the caller asks for 'error'", async () => {
    await expect(fetchWith()(`${target.origin}/to-itself`, { redirect: 'error' })).rejects.toThrow()
  })

  it('never with an expired credential', async () => {
    const before = target.requests.length
    const workloadFetch = fetchWith({ now: () => Date.now() / 1000 + 7200 })
    expect(await codeOf(workloadFetch(`${target.origin}/a`))).toBe('WIMSE_CREDENTIAL_EXPIRED')
    expect(target.requests).toHaveLength(before)
  })
})

describe('staticCredentials()', () => {
  it('fails when the key is not the one the WIT names, and then keeps a service from starting', async () => {
    const wrong = staticCredentials({ wit: credential.wit, key: generateTestKeyPair('ES256').privateJwk })
    expect(await codeOf(Promise.resolve(wrong.current()))).toBe('WIMSE_CREDENTIAL_MISMATCH')
    const app = Fastify()
    await app.register(wimseClient, { credentials: wrong, targets: ['https://a.example'] })
    await expect(app.ready()).rejects.toMatchObject({ code: 'WIMSE_CREDENTIAL_MISMATCH' })
  })
})

describe('registration of the client', () => {
  const good = { credentials, targets: ['https://inventory.example.com'] }
  const wrong: readonly (readonly [option: string, value: unknown])[] = [
    ['credentials', undefined],
    ['credentials', material],
    ['targets', undefined],
    ['targets', []],
    ['targets', 'https://a.example'],
    ['targets[0]', ['a.example']],
    ['targets[0]', ['https://user@a.example']],
    ['targets[0]', ['https://a.example?b']],
    ['targets[0]', ['ws://a.example']],
    ['targets[0]', ['https://*.example.com']],
    ['targets[0]', [' https://a.example ']],
    ['targets[0]', ['https:a.example']],
    ['targets[0]', ['https:\\\\a.example\\x']],
    ['targets[0]', ['https://a.example/?']],
    ['targets[0]', ['https://a.example#']],
    ['otherTokens', ['authorization']],
    ['targets[1]', ['https://a.example', { url: 'https://b.example', aud: 'x' }]],
    ['targets[0].audience', [{ url: 'https://b.example', audience: 7 }]],
    ['revision', 'wpt-03'],
    ['lifetime', 0],
    ['lifetime', 3600],
    ['otherTokens', 'x-token'],
    ['allowInsecure', 'yes'],
    ['now', 5],
    ['redirects', 'follow'],
  ]
  it('takes the least that is needed', async () => {
    const app = Fastify()
    await app.register(wimseClient, good)
    await app.ready()
    await app.close()
  })
  for (const [option, value] of wrong) {
    it(`throws for ${option}: ${JSON.stringify(value) ?? 'nothing'}, and names the option`, async () => {
      const app = Fastify()
      const name = option.split(/[.[]/)[0]!
      const failure: unknown = await app
        .register(wimseClient, { ...good, [name]: value } as WorkloadFetchOptions)
        .then(
          () => 'registered',
          (error: unknown) => error,
        )
      expect(failure).toBeInstanceOf(TypeError)
      expect((failure as Error).message).toContain(option)
    })
  }
})

async function freePort(): Promise<number> {
  const server = await startRecordingServer()
  await server.close()
  return Number(new URL(server.origin).port)
}
