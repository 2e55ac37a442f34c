// A program of somebody who has installed the packages: ES modules, named imports, a socket.
import Fastify from 'fastify'
import { wimse } from 'fastify-wimse'
import { createWorkloadFetch } from 'fastify-wimse-client'
import { createTestIdentityServer, privateKeyOf, signedInject } from 'wimse-testkit'
import { importCredential } from 'wimse'

const audience = 'https://inventory.example.com'
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const issued = await identityServer.issue({ subject: '/checkout' })
const checkout = await importCredential({ wit: issued.wit, key: privateKeyOf(issued) })

const app = Fastify()
await app.register(wimse, { audience, trustDomains: identityServer.trustDomains })
app.get('/stock/:sku', async (request) => ({ caller: request.workload.id }))
const inventory = await app.listen({ port: 0, host: '127.0.0.1' })

const workloadFetch = createWorkloadFetch({
  credentials: { current: () => checkout },
  targets: [{ url: inventory, audience: `${audience}/stock/42` }],
})
const fetched = await workloadFetch(`${inventory}/stock/42`)
print('signed fetch', fetched.status, (await fetched.json()).caller)

const injected = await signedInject(app, checkout, { url: `${audience}/stock/42` })
print('signed inject', injected.statusCode, injected.json().caller)

const unsigned = await fetch(`${inventory}/stock/42`)
print('unsigned', unsigned.status, (await unsigned.json()).code)

await app.close()

function print(...words) {
  process.stdout.write(`${words.join(' ')}\n`)
}
