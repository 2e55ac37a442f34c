// The service of the soak: one process that serves until it is told to end, and tells of itself over IPC.
import Fastify from 'fastify'
import { wimse } from 'fastify-wimse'
import { Redis } from 'ioredis'
import { memoryReplayStore } from 'wimse'
import { redisReplayStore } from 'wimse-redis'

const { PORT, JWKS_FILE, REDIS_PORT } = process.env
const origin = `http://127.0.0.1:${PORT}`
const app = Fastify()
await protect('memory', memoryReplayStore())
if (REDIS_PORT !== undefined) {
  const client = new Redis(Number(REDIS_PORT), { enableOfflineQueue: false, maxRetriesPerRequest: 1 })
  await new Promise((resolve, reject) => client.once('ready', resolve).once('error', reject))
  app.addHook('onClose', async () => client.disconnect())
  await protect('redis', redisReplayStore({ client }))
}
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
async function protect(name, replay) {
  await app.register(
    async (scope) => {
      await scope.register(wimse, {
        audience: origin,
        trustDomains: { 'wimse://example.com': { jwksFile: JWKS_FILE, cooldown: 1 } },
        witCacheSize: 1000,
        clockTolerance: 0,
        replay,
      })
      scope.get('/stock/:sku', async (request) => ({ caller: request.workload.id }))
    },
    { prefix: `/${name}` },
  )
}

process.on('message', (what) => {
  if (what === 'end') {
    void app.close().then(() => process.disconnect())
    return
  }
  globalThis.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  const resources = process.getActiveResourcesInfo()
  const sockets = resources.filter((kind) => kind === 'TCPSocketWrap').length
  process.send({ rss, heapUsed, external, handles: resources.length - sockets, sockets })
})
process.send('ready')
