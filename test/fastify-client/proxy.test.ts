import httpProxy from '@fastify/http-proxy'
import replyFrom from '@fastify/reply-from'
import Fastify, { type FastifyInstance } from 'fastify'
import { staticCredentials, wimseInterceptor } from 'fastify-wimse-client'
import { Agent } from 'undici'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import { freePort } from '../redis/redis-server.js'
import { startRecordingServer } from './recording-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const credential = await identityServer.issue({ subject: '/gateway' })
const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })

/** The recipe of the README: a dispatcher that signs, and headers from which the caller's own proof is gone. */
const recipe = (target: string) => ({
  undici: new Agent().compose(wimseInterceptor({ credentials, targets: [target] })) as Agent,
  rewriteRequestHeaders: (_request: unknown, headers: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(headers).filter(([name]) => name !== 'host' && !name.startsWith('workload-')),
    ) as Record<string, string>,
})

for (const [name, register] of [
  [
    '@fastify/reply-from',
    async (app: FastifyInstance, target: string): Promise<void> => {
      const { undici, rewriteRequestHeaders } = recipe(target)
      await app.register(replyFrom, {
        base: target,
        undici,
        retryMethods: ['GET'],
        retryDelay: () => 1,
      } as never)
      app.all('/*', (_request, reply) => reply.from(undefined, { rewriteRequestHeaders }))
    },
  ],
  [
    '@fastify/http-proxy',
    async (app: FastifyInstance, target: string): Promise<void> => {
      const { undici, rewriteRequestHeaders } = recipe(target)
      await app.register(httpProxy, {
        upstream: target,
        undici,
        replyOptions: { rewriteRequestHeaders },
      } as never)
    },
  ],
] as const) {
  describe(`a proxy with ${name} that signs what it passes on`, () => {
    let service: ProtectedService
    let proxy: FastifyInstance
    beforeEach(async () => {
      const port = await freePort()
      const origin = `http://127.0.0.1:${port}`
      service = await startProtectedService(
        { audience: origin, trustDomains: identityServer.trustDomains },
        port,
      )
      proxy = Fastify()
      await register(proxy, origin)
    })
    afterEach(async () => Promise.all([proxy.close(), service.app.close()]))

    it('is who it is to the service behind it, with and without a body', async () => {
      for (const request of [
        { method: 'GET', url: '/a?b=c' },
        { method: 'POST', url: '/a', headers: { 'content-type': 'application/json' }, payload: '{"a":1}' },
      ] as const) {
        const response = await proxy.inject(request)
        expect([response.statusCode, response.json()]).toEqual([
          200,
          { caller: 'wimse://example.com/gateway' },
        ])
      }
    })

    it('passes no identity of its own caller on', async () => {
      const response = await proxy.inject({
        url: '/a',
        headers: {
          'workload-identity-token': 'a.b.c',
          'workload-proof-token': 'a.b.c',
          host: 'evil.example',
        },
      })
      expect(response.json()).toEqual({ caller: 'wimse://example.com/gateway' })
    })

    it('gives each attempt a proof of its own where it tries again', async () => {
      let failures = 1
      const upstream = await startRecordingServer((_request, response) => {
        if (failures-- > 0) response.writeHead(503, { 'retry-after': '0' }).end()
        else response.end('ok')
      })
      const own = Fastify()
      await register(own, upstream.origin)
      const response = await own.inject('/a')
      const proofs = upstream.requests.map(({ fields }) => fields.get('workload-proof-token')!.join())
      expect(new Set(proofs).size).toBe(proofs.length)
      if (name === '@fastify/reply-from') expect([response.statusCode, proofs.length]).toEqual([200, 2])
      await own.close()
      await upstream.close()
    })
  })
}
