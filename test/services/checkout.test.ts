import { createCheckout } from '@wimse-demo/checkout'
import { type Embedded, freePort, startEmbedded } from '@wimse-demo/console'
import { createInventory } from '@wimse-demo/inventory'
import Fastify, { type FastifyInstance } from 'fastify'
import { staticCredentials } from 'fastify-wimse-client'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const HOST = '127.0.0.1'
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const running: { close(): Promise<unknown> }[] = []
let log = ''

beforeEach(() => {
  log = ''
})
afterEach(async () => {
  for (const service of running.splice(0)) await service.close()
})

/** A checkout that calls an inventory at `url`. */
async function checkoutFor(url: string): Promise<FastifyInstance> {
  const credential = await identityServer.issue({ subject: '/checkout' })
  const app = await createCheckout({
    credentials: staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) }),
    inventory: url,
    log: { level: 'trace', stream: { write: (line) => (log += line) } },
  })
  running.push(app)
  return app
}

/** A real inventory with five apples, at which `checkout` may reserve. */
async function inventoryFor(checkout: string): Promise<string> {
  const port = await freePort(0)
  const url = `http://${HOST}:${port}`
  const app = await createInventory({
    audience: url,
    trustDomains: identityServer.trustDomains,
    checkout,
    stock: { apple: 5 },
    log: { level: 'silent' },
  })
  running.push(app)
  return app.listen({ host: HOST, port })
}

/** An inventory that answers whatever it is told to. */
async function inventoryThatAnswers(status: number, body: string, headers = {}): Promise<string> {
  const app = Fastify()
  app.post('/stock/:sku/reservations', async (_request, reply) =>
    reply.code(status).headers(headers).send(body),
  )
  running.push(app)
  return app.listen({ host: HOST, port: 0 })
}

const order = async (app: FastifyInstance, payload: object = { sku: 'apple', quantity: 2 }) =>
  app.inject({ method: 'POST', url: '/orders', payload })

describe('the checkout', () => {
  it('takes an order, end to end over real sockets, with an identity of the identity server', async () => {
    const services: Embedded = await startEmbedded()
    running.push(services)
    const response = await fetch(`${services.checkout}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sku: 'pear', quantity: 3 }),
    })
    expect(response.status).toBe(201)
    expect(await response.json()).toMatchObject({
      sku: 'pear',
      quantity: 3,
      reservation: expect.any(String),
    })
  })

  it('takes orders as long as there is stock', async () => {
    const app = await checkoutFor(await inventoryFor('wimse://example.com/checkout'))
    expect((await order(app, { sku: 'apple', quantity: 3 })).statusCode).toBe(201)
    const tooMany = await order(app, { sku: 'apple', quantity: 3 })
    expect(tooMany.statusCode).toBe(409)
    expect(tooMany.headers['content-type']).toBe('application/problem+json')
    expect((await order(app, { sku: 'gold', quantity: 1 })).statusCode).toBe(409)
    expect((await order(app, { sku: 'apple', quantity: 2 })).statusCode).toBe(201)
  })

  it('answers 502 when the inventory does not let it in, and says why only in its log', async () => {
    const app = await checkoutFor(await inventoryFor('wimse://example.com/another-checkout'))
    const response = await order(app)
    expect(response.statusCode).toBe(502)
    expect(response.headers['content-type']).toBe('application/problem+json')
    expect(response.json()).toEqual({
      type: 'about:blank',
      title: 'Bad Gateway',
      status: 502,
      detail: 'The inventory cannot be asked right now.',
    })
    expect(log).toContain('WIMSE_WORKLOAD_FORBIDDEN')
    expect(log).not.toMatch(/eyJ[\w-]+/)
  })

  const troubles: readonly { what: string; inventory: () => Promise<string> }[] = [
    { what: 'is not there', inventory: async () => `http://${HOST}:${await freePort(0)}` },
    { what: 'fails', inventory: async () => inventoryThatAnswers(500, '{"message":"internal-secret"}') },
    { what: 'answers no JSON', inventory: async () => inventoryThatAnswers(201, 'internal-secret') },
    { what: 'answers null', inventory: async () => inventoryThatAnswers(201, 'null') },
    { what: 'reserves nothing', inventory: async () => inventoryThatAnswers(201, '{}') },
    {
      what: 'sends it elsewhere',
      inventory: async () =>
        inventoryThatAnswers(307, '{}', { location: 'http://127.0.0.1:9/internal-secret' }),
    },
  ]
  for (const { what, inventory } of troubles) {
    it(`answers 502 when the inventory ${what}, and gives nothing away`, async () => {
      const url = await inventory()
      const response = await order(await checkoutFor(url))
      expect(response.statusCode).toBe(502)
      expect(response.json()).toMatchObject({ status: 502, title: 'Bad Gateway' })
      expect(response.body).not.toContain('internal-secret')
      expect(response.body).not.toContain(new URL(url).port)
      expect(log).not.toMatch(/eyJ[\w-]+|internal-secret/)
    })
  }

  const malformed: readonly object[] = [
    {},
    { sku: 'apple' },
    { sku: 'apple', quantity: 0 },
    { sku: 'apple', quantity: 101 },
    { sku: '../reservations', quantity: 1 },
    { sku: '..', quantity: 1 },
    { sku: 'apple?x=', quantity: 1 },
    { sku: 'a/b', quantity: 1 },
    { sku: '', quantity: 1 },
  ]
  for (const payload of malformed) {
    it(`refuses the order ${JSON.stringify(payload)}`, async () => {
      const response = await order(await checkoutFor('http://127.0.0.1:9'), payload)
      expect(response.statusCode).toBe(400)
      expect(response.headers['content-type']).toBe('application/problem+json')
    })
  }

  it('does not start without an identity', async () => {
    const [one, another] = [
      await identityServer.issue({ subject: '/checkout' }),
      await identityServer.issue({ subject: '/checkout' }),
    ]
    const app = await createCheckout({
      credentials: staticCredentials({ wit: one.wit, key: privateKeyOf(another) }),
      inventory: 'https://inventory.example.com',
      log: { level: 'silent' },
    })
    await expect(app.ready()).rejects.toMatchObject({ code: 'WIMSE_CREDENTIAL_MISMATCH' })
  })
})
