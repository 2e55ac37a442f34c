// One start of a service, in a process of its own: says when it was ready, and what it weighs.
import Fastify from 'fastify'

const [what, trustDomains] = JSON.parse(process.argv[2])
const app = Fastify()
if (what !== 'bare') {
  const { wimse } = await import('fastify-wimse')
  if (what === 'registered') {
    await app.register(wimse, { audience: 'https://inventory.example.com', trustDomains })
  }
}
app.get('/stock/:sku', async () => 'in stock')
await app.ready()
const ready = performance.now()
const { user, system } = process.cpuUsage()
globalThis.gc()
const { rss, heapUsed } = process.memoryUsage()
process.send({ ready, cpu: (user + system) / 1000, rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 })
// What keeps a service up is not measured here.
process.disconnect()
await app.close()
