// The same in CommonJS: what Fastify gets is the module that require() returns, not a member of it.
const Fastify = require('fastify')
const { importCredential } = require('wimse')
const { createTestIdentityServer, privateKeyOf, signedInject } = require('wimse-testkit')

async function main() {
  const audience = 'https://inventory.example.com'
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  const issued = await identityServer.issue({ subject: '/checkout' })
  const checkout = await importCredential({ wit: issued.wit, key: privateKeyOf(issued) })

  const app = Fastify()
  app.register(require('fastify-wimse'), { audience, trustDomains: identityServer.trustDomains })
  app.get('/stock/:sku', async (request) => ({ caller: request.workload.id }))
  const inventory = await app.listen({ port: 0, host: '127.0.0.1' })

  const caller = Fastify()
  caller.register(require('fastify-wimse-client'), {
    credentials: { current: () => checkout },
    targets: [{ url: inventory, audience: `${audience}/stock/42` }],
  })
  await caller.ready()
  const fetched = await caller.workloadFetch(`${inventory}/stock/42`)
  print('signed fetch', fetched.status, (await fetched.json()).caller)

  const injected = await signedInject(app, checkout, { url: `${audience}/stock/42` })
  print('signed inject', injected.statusCode, injected.json().caller)

  const unsigned = await fetch(`${inventory}/stock/42`)
  print('unsigned', unsigned.status, (await unsigned.json()).code)

  await caller.close()
  await app.close()
}

function print(...words) {
  process.stdout.write(`${words.join(' ')}\n`)
}

void main()
