// The service of the soak: one process that serves until it is told to end, and tells of itself over IPC.
import Fastify from 'fastify'
import { wimse } from 'fastify-wimse'

const { PORT, JWKS_FILE } = process.env
const origin = `http://127.0.0.1:${PORT}`
let handled = 0
const app = Fastify()
await app.register(wimse, {
  audience: origin,
  trustDomains: { 'wimse://example.com': { jwksFile: JWKS_FILE, cooldown: 1 } },
  witCacheSize: 1000,
  clockTolerance: 0,
})
app.get('/stock/:sku', async (request) => {
  handled++
  return { caller: request.workload.id }
})
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
process.on('message', (what) => {
  if (what === 'end') {
    void app.close().then(() => process.disconnect())
    return
  }
  globalThis.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  const handles = process.getActiveResourcesInfo().filter((kind) => kind !== 'TCPSocketWrap').length
  process.send({ rss, heapUsed, external, handles, handled })
})
process.send('ready')
