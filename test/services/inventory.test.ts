import { createInventory } from '@wimse-demo/inventory'
import type { FastifyInstance } from 'fastify'
import { signRequest } from 'wimse'
import { createTestIdentityServer, signedInject, type SignedRequest } from 'wimse-testkit'
import { beforeEach, describe, expect, it } from 'vitest'

const INVENTORY = 'https://inventory.example.com'
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

describe('the inventory', () => {
  let app: FastifyInstance
  let log = ''

  beforeEach(async () => {
    log = ''
    app = await createInventory({
      audience: INVENTORY,
      trustDomains: identityServer.trustDomains,
      checkout: 'wimse://example.com/checkout',
      stock: { apple: 5 },
      log: { level: 'trace', stream: { write: (line) => (log += line) } },
    })
    return async () => app.close()
  })

  const call = async (subject: string, path: string, request: Omit<SignedRequest, 'url'> = {}) =>
    signedInject(app, await identityServer.issue({ subject }), { ...request, url: INVENTORY + path })
  const reserve = async (subject: string, quantity: unknown, sku = 'apple') =>
    call(subject, `/stock/${sku}/reservations`, { method: 'POST', payload: { quantity } })
  const left = async () => (await call('/visitor', '/stock/apple')).json<{ left: number }>().left

  it('tells any workload of the trust domain what is in stock, and knows who asks', async () => {
    const response = await call('/visitor', '/stock/apple')
    expect(response.statusCode).toBe(200)
    expect(response.json()).toEqual({ sku: 'apple', left: 5, caller: 'wimse://example.com/visitor' })
  })

  it('reserves for checkout', async () => {
    const response = await reserve('/checkout', 2)
    expect(response.statusCode).toBe(201)
    expect(response.json()).toMatchObject({ sku: 'apple', quantity: 2 })
    expect(await left()).toBe(3)
  })

  for (const subject of ['/visitor', '/checkout/other', '/']) {
    it(`does not reserve for ${subject}`, async () => {
      const response = await reserve(subject === '/' ? 'wimse://example.com' : subject, 2)
      expect(response.statusCode).toBe(403)
      expect(response.json()).toMatchObject({ code: 'WIMSE_WORKLOAD_FORBIDDEN' })
      expect(await left()).toBe(5)
    })
  }

  it('does not reserve for a checkout of another trust domain', async () => {
    const stranger = createTestIdentityServer({ origin: 'wimse://stranger.example' })
    const response = await signedInject(app, await stranger.issue({ subject: '/checkout' }), {
      method: 'POST',
      url: `${INVENTORY}/stock/apple/reservations`,
      payload: { quantity: 1 },
    })
    expect(response.json()).toMatchObject({ status: 400, code: 'WIMSE_WIT_TRUST_DOMAIN' })
    expect(await left()).toBe(5)
  })

  it('does not give out more than there are', async () => {
    expect((await reserve('/checkout', 5)).statusCode).toBe(201)
    expect((await reserve('/checkout', 1)).statusCode).toBe(409)
    expect(await left()).toBe(0)
  })

  for (const quantity of [0, -1, 1.5, 101, 'many', undefined]) {
    it(`does not reserve a quantity of ${String(quantity)}`, async () => {
      expect((await reserve('/checkout', quantity)).statusCode).toBe(400)
      expect(await left()).toBe(5)
    })
  }

  it('does not know an item that is not sold', async () => {
    expect((await call('/visitor', '/stock/gold')).statusCode).toBe(404)
    expect((await reserve('/checkout', 1, 'gold')).statusCode).toBe(404)
  })

  it('tells everybody that it is well, and nothing else', async () => {
    const health = await app.inject('/healthz')
    expect(health.statusCode).toBe(200)
    expect(health.body).toBe('ok')
    for (const url of ['/stock/apple', '/nowhere', '/healthz/more']) {
      const refused = await app.inject(url)
      expect(refused.statusCode).toBe(400)
      expect(refused.json()).toMatchObject({ code: 'WIMSE_WIT_MISSING' })
    }
  })

  it('tells the console alone who uses which credential, and nobody where no console is named', async () => {
    const read = async (service: FastifyInstance, subject: string) =>
      signedInject(service, await identityServer.issue({ subject }), { url: `${INVENTORY}/adoption` })
    const withConsole = await createInventory({
      audience: INVENTORY,
      trustDomains: identityServer.trustDomains,
      checkout: 'wimse://example.com/checkout',
      console: 'wimse://example.com/console',
      log: { level: 'silent' },
    })
    const report = await read(withConsole, '/console')
    expect(report.statusCode).toBe(200)
    expect(report.headers['cache-control']).toBe('no-store')
    expect(report.json()).toMatchObject({ routes: expect.arrayContaining([expect.anything()]) })
    for (const subject of ['/checkout', '/visitor', '/console/other']) {
      const refused = await read(withConsole, subject)
      expect(refused.json()).toMatchObject({ status: 403, code: 'WIMSE_WORKLOAD_FORBIDDEN' })
    }
    expect((await withConsole.inject('/adoption')).json()).toMatchObject({ code: 'WIMSE_WIT_MISSING' })
    expect((await read(app, '/console')).statusCode).toBe(404)
    await withConsole.close()
  })

  it('names the health route at the start as one that asks for nothing', async () => {
    await app.ready()
    expect(log).toContain('routes without workload authentication')
    expect(log).toContain('GET /healthz')
  })

  it('shows no token in its log, not even in a line that has the headers of a request', async () => {
    app.addHook('onResponse', async (request) => request.log.info({ headers: request.headers }, 'seen'))
    const credential = await identityServer.issue({ subject: '/visitor' })
    const url = '/stock/apple'
    const headers = {
      ...signRequest(credential, { url: 'https://other.example/stock/apple' }),
      authorization: `Bearer ${credential.wit}`,
    }
    expect((await app.inject({ url, headers })).json()).toMatchObject({ code: 'WIMSE_WPT_AUDIENCE' })
    expect(log).toContain('"workload-identity-token":"[Redacted]"')
    expect(log).not.toMatch(/eyJ[\w-]+/)
  })
})
