import { describe, expect, it } from 'vitest'
import {
  createTestIdentityServer,
  faults,
  fixedClock,
  generateTestKeyPair,
  goodRequest,
  privateKeyOf,
  signedInject,
} from 'wimse-testkit'
import { ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'

describe('the test kit', () => {
  it('signs requests that a route accepts, in either carriage', async () => {
    const { app, identityServer, clock } = await serviceUnderTest({ revisions: ['wpt-01', 'wpt-02'] })
    app.post('/orders', async (request) => ({
      caller: request.workload!.id,
      revision: request.workload!.revision,
      body: request.body,
    }))
    const credential = await identityServer.issue({ subject: '/checkout' })
    for (const revision of ['wpt-01', 'wpt-02'] as const) {
      const response = await signedInject(app, credential, {
        method: 'POST',
        url: `${ORIGIN}/orders?dry=1`,
        payload: { sku: 42 },
        revision,
        now: clock,
      })
      expect(response.json()).toEqual({ caller: 'wimse://example.com/checkout', revision, body: { sku: 42 } })
    }
  })

  it('issues for a path or a whole identifier, with the claims and the lifetime asked for', async () => {
    const { identityServer, clock } = await serviceUnderTest()
    for (const subject of ['/a', 'wimse://example.com/a']) {
      const credential = await identityServer.issue({ subject, lifetime: 60, claims: { team: 'x' } })
      expect(credential).toMatchObject({ subject: 'wimse://example.com/a', expiresAt: clock() + 60 })
    }
  })

  const wrong: readonly (readonly [option: string, options: object])[] = [
    ['jwks', { jwks: { keys: [] } }],
    ['trustDomain', { trustDomain: 'wimse://example.com' }],
    ['origin', { origin: undefined }],
    ['origin', { origin: 'example.com' }],
    ['origin', { origin: 'wimse://example.com/path' }],
    ['algorithm', { algorithm: 'HS256' }],
    ['algorithm', { algorithm: 'toString' }],
    ['now', { now: 1_760_000_000 }],
  ]
  for (const [option, options] of wrong) {
    it(`makes no identity server of ${JSON.stringify(options)}, and names ${option}`, () => {
      const make = () => createTestIdentityServer({ origin: 'wimse://example.com', ...options })
      expect(make).toThrow(TypeError)
      expect(make).toThrow(option)
    })
  }

  it('makes an identity server of every option there is', async () => {
    const now = fixedClock(10)
    const server = createTestIdentityServer({ origin: 'spiffe://example.org', algorithm: 'PS256', now })
    expect(server).toMatchObject({ origin: 'spiffe://example.org', issuerKey: { kty: 'RSA', alg: 'PS256' } })
    const options = { subject: '/a', algorithm: 'EdDSA', lifetime: 60, claims: {} } as const
    expect(await server.issue(options)).toMatchObject({ expiresAt: 70 })
    await expect(server.issue({ ...options, lifeTime: 60 } as typeof options)).rejects.toThrow(/lifeTime/)
    const symmetric = { subject: '/a', algorithm: 'HS256' as 'ES256' }
    await expect(server.issue(symmetric)).rejects.toThrow(/algorithm/)
    expect(() => generateTestKeyPair('HS256' as 'ES256')).toThrow(TypeError)
  })

  it('gives the private keys of its own credentials only', async () => {
    const { identityServer } = await serviceUnderTest()
    const credential = await identityServer.issue({ subject: '/a' })
    expect(privateKeyOf(credential).d).toMatch(/^[\w-]{43}$/)
    expect(() => privateKeyOf({ ...credential })).toThrow(TypeError)
  })

  it('has a clock that stands until it is moved', () => {
    const clock = fixedClock(10)
    clock.advance(2.5)
    expect(clock()).toBe(12.5)
  })

  it('has faults with names of their own, each a different request every time', async () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length)
    const { identityServer } = await serviceUnderTest()
    const good = { identityServer, url: `${ORIGIN}/` }
    const [first, second] = [await goodRequest(good), await goodRequest(good)]
    expect(first.headers['workload-proof-token']).not.toBe(second.headers['workload-proof-token'])
  })
})
