import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { wimse, type WimseOptions } from 'fastify-wimse'
import { afterEach, describe, expect, it } from 'vitest'
import { createTestIdentityServer, goodRequest } from 'wimse-testkit'

const ORIGIN = 'https://inventory.example.com'
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const SENDING_TAKES_MS = 150

/**
 * A caller can go while its answer is still on its way through the hooks of the application. What Fastify makes of
 * a reply that a hook returns is settled then, as if nothing had been answered.
 */
describe('a caller that hangs up while a refusal is being sent', () => {
  const apps: FastifyInstance[] = []
  afterEach(async () => {
    await Promise.all(apps.splice(0).map(async (app) => app.close()))
  })

  interface Service {
    readonly port: number
    readonly reached: readonly string[]
    readonly sending: () => number
  }

  async function start(options: Partial<WimseOptions> = {}, http2 = false): Promise<Service> {
    const reached: string[] = []
    let sending = 0
    const app = Fastify({ forceCloseConnections: true, ...(http2 ? { http2 } : {}) } as object)
    apps.push(app)
    await app.register(wimse, { audience: ORIGIN, trustDomains: identityServer.trustDomains, ...options })
    app.addHook('onSend', async (_request, _reply, payload) => {
      sending++
      await sleep(SENDING_TAKES_MS)
      return payload
    })
    app.delete('/stock', async () => void reached.push('handler'))
    app.get('/stock', async () => void reached.push('handler'))
    app.get('/gone', { config: { wimse: false } }, (_request, reply) => reply.callNotFound())
    app.setNotFoundHandler(async () => void reached.push('not-found handler'))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as { port: number }
    return { port, reached, sending: () => sending }
  }

  const untilSending = async ({ sending }: Service): Promise<void> => {
    while (sending() === 0) await sleep(5)
  }

  async function hangUp(service: Service, head: string): Promise<readonly string[]> {
    const socket = connectTcp(service.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`${head} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await untilSending(service)
    socket.destroy()
    await sleep(3 * SENDING_TAKES_MS)
    return service.reached
  }

  for (const head of ['DELETE /stock', 'GET /stock', 'GET /nowhere', 'GET /gone']) {
    it(`${head}: no handler runs`, async () => {
      expect(await hangUp(await start(), head)).toEqual([])
    })
  }

  it('over HTTP/2: no handler runs', async () => {
    const service = await start({}, true)
    const session: ClientHttp2Session = connect(`http://127.0.0.1:${service.port}`)
    session.on('error', () => undefined)
    const stream = session.request({ ':path': '/stock', ':method': 'DELETE' })
    stream.on('error', () => undefined)
    await untilSending(service)
    stream.close()
    await sleep(3 * SENDING_TAKES_MS)
    session.destroy()
    expect(service.reached).toEqual([])
  })

  it('is answered by the handler where it is not refused (the control)', async () => {
    const service = await start()
    const { headers } = await goodRequest({ identityServer, url: `${ORIGIN}/stock` })
    const response = await fetch(`http://127.0.0.1:${service.port}/stock`, {
      headers: headers as Record<string, string>,
    })
    expect([response.status, service.reached]).toEqual([200, ['handler']])
    const open = await start({ mode: 'off' })
    expect(await hangUp(open, 'DELETE /stock')).toEqual(['handler'])
  })
})

describe('a refusal that comes while the answer of a timeout is on its way', () => {
  it('ends that request, and neither the process nor the next one', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    const app = Fastify({ handlerTimeout: 50 })
    app.addHook('onError', async () => sleep(200))
    let revoked = true
    await app.register(wimse, {
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      isRevoked: async () => {
        if (revoked) await sleep(100)
        return revoked
      },
    })
    let reached = 0
    app.get('/stock', async () => void reached++)
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    const call = async (): Promise<number | 'hung up'> => {
      const { headers } = await goodRequest({ identityServer, url: `${ORIGIN}/stock` })
      return fetch(`${origin}/stock`, { headers: headers as Record<string, string> }).then(
        ({ status }) => status,
        () => 'hung up',
      )
    }
    expect([await call(), reached]).toEqual(['hung up', 0])
    revoked = false
    expect([await call(), reached]).toEqual([200, 1])
    await sleep(200)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
    await app.close()
  })
})
