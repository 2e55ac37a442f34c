import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type WimseOptions, wimse } from 'fastify-wimse'
import { createWorkloadFetch, staticCredentials, type WorkloadFetch } from 'fastify-wimse-client'
import { redisCallerMemory, redisReplayStore } from 'wimse-redis'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { libraries, type OpenClient } from '../redis/clients.js'
import { freePort, type RedisServer, redisServerPath, startRedis } from '../redis/redis-server.js'

const CALLERS = ['checkout', 'audit', 'reports'] as const
type Caller = (typeof CALLERS)[number]

/** One process of a service. */
interface Replica {
  readonly app: FastifyInstance
  readonly origin: string
  close(): Promise<void>
}

describe.skipIf(redisServerPath === null)(
  'the move of a small fleet, over real sockets with Redis (BEAR-01 to BEAR-04)',
  () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    let redis: RedisServer
    const clients: OpenClient[] = []
    const replicas: Replica[] = []

    beforeAll(async () => {
      redis = await startRedis()
    })
    afterAll(async () => {
      await Promise.all(replicas.map(async (replica) => replica.close()))
      for (const client of clients) client.close()
      await redis.close()
    })

    /** The legacy tokens: whoever holds one is believed to be its owner. */
    const tokens = new Map(
      CALLERS.map((caller) => [`${caller}-legacy-token`, `wimse://example.com/${caller}`]),
    )

    async function startReplica(service: string, mode: WimseOptions['mode'] & string): Promise<Replica> {
      const open = await libraries['ioredis']!(redis.url)
      clients.push(open)
      const { client } = open
      const port = await freePort()
      const origin = `http://127.0.0.1:${port}`
      const app = Fastify({ forceCloseConnections: true })
      await app.register(wimse, {
        audience: origin,
        trustDomains: identityServer.trustDomains,
        mode,
        bearer: { verify: (token) => tokens.get(token) ?? null },
        transition: { remember: redisCallerMemory({ client, keyPrefix: `${service}:caller:` }) },
        replay: redisReplayStore({ client, keyPrefix: `${service}:replay:` }),
        adoptionWindow: 1,
        replicas: 2,
      })
      app.get('/', async (request) => ({ caller: request.workload!.id, via: request.workload!.via }))
      await app.listen({ port, host: '127.0.0.1' })
      const replica = { app, origin, close: async () => app.close() }
      replicas.push(replica)
      return replica
    }

    it('goes caller by caller, and a stolen token is worth nothing once its owner has moved', async () => {
      const inventory = [
        await startReplica('inventory', 'transition'),
        await startReplica('inventory', 'transition'),
      ]
      const billing = [await startReplica('billing', 'transition')]
      const everywhere = [...inventory, ...billing]

      const withToken = async ({ origin }: Replica, caller: Caller): Promise<string> =>
        answerOf(fetch(`${origin}/`, { headers: { authorization: `Bearer ${caller}-legacy-token` } }))
      const fetches = new Map<Caller, WorkloadFetch>()
      for (const caller of CALLERS) {
        const credential = await identityServer.issue({ subject: `/${caller}` })
        const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })
        fetches.set(
          caller,
          createWorkloadFetch({ credentials, targets: everywhere.map(({ origin }) => origin) }),
        )
      }
      const withWit = async ({ origin }: Replica, caller: Caller): Promise<string> =>
        answerOf(fetches.get(caller)!(`${origin}/`))
      const thief = withToken

      // Everybody is at bearer.
      for (const caller of CALLERS) {
        for (const replica of everywhere) expect(await withToken(replica, caller)).toBe(`${caller} by bearer`)
      }
      expect(board(inventory)).toEqual({ checkout: 'bearer', audit: 'bearer', reports: 'bearer' })
      expect(inventory.some(isReady)).toBe(false)

      // A token is stolen. Nobody can tell the thief from its owner yet.
      expect(await thief(inventory[0]!, 'checkout')).toBe('checkout by bearer')

      // One after the other they move, each with a single call to a single replica.
      const moved: Caller[] = []
      for (const caller of CALLERS) {
        expect(await withWit(inventory[moved.length % 2]!, caller)).toBe(`${caller} by wit`)
        moved.push(caller)
        for (const replica of inventory) {
          for (const other of CALLERS) {
            const expected = moved.includes(other) ? '403 WIMSE_BEARER_REFUSED' : `${other} by bearer`
            expect(await thief(replica, other)).toBe(expected)
          }
          expect(await withWit(replica, caller)).toBe(`${caller} by wit`)
        }
        expect(board(inventory)).toMatchObject(Object.fromEntries(moved.map((one) => [one, 'wit'])))
      }
      // The other service goes its own way: it has seen no WIT yet.
      expect(await withToken(billing[0]!, 'checkout')).toBe('checkout by bearer')
      expect(await withWit(billing[0]!, 'checkout')).toBe('checkout by wit')
      expect(await thief(billing[0]!, 'checkout')).toBe('403 WIMSE_BEARER_REFUSED')

      // One caller has to go back, for a day.
      await inventory[0]!.app.wimse.forget('wimse://example.com/reports')
      for (const replica of inventory) expect(await withToken(replica, 'reports')).toBe('reports by bearer')
      expect(await withWit(inventory[1]!, 'reports')).toBe('reports by wit')
      for (const replica of inventory)
        expect(await withToken(replica, 'reports')).toBe('403 WIMSE_BEARER_REFUSED')

      // Nobody uses a bearer token for the whole window: the route is ready, on both replicas.
      await new Promise((resolve) => setTimeout(resolve, 1200))
      for (const caller of CALLERS)
        for (const replica of inventory) expect(await withWit(replica, caller)).toBe(`${caller} by wit`)
      expect(inventory.every(isReady)).toBe(true)

      // A replica that starts now knows who has moved.
      const late = await startReplica('inventory', 'transition')
      expect(await thief(late, 'checkout')).toBe('403 WIMSE_BEARER_REFUSED')

      // And the last step.
      const final = await startReplica('inventory', 'required')
      expect(await thief(final, 'checkout')).toBe('400 WIMSE_WIT_MISSING')

      // While Redis is away nobody can be let in, by either credential.
      await redis.kill()
      expect(await withToken(inventory[0]!, 'checkout')).toMatch(/^503 /)
      expect(await withWit(inventory[0]!, 'checkout')).toMatch(/^503 /)
    })
  },
)

async function answerOf(response: Promise<Response>): Promise<string> {
  const { status, text } = await response.then(async (one) => ({
    status: one.status,
    text: await one.text(),
  }))
  const { caller, via, code } = JSON.parse(text) as { caller?: string; via?: string; code?: string }
  return status === 200 ? `${caller!.slice('wimse://example.com/'.length)} by ${via}` : `${status} ${code}`
}

/** What the replicas of a service know together: a caller that has shown a WIT to one of them has moved. */
function board(replicas: readonly Replica[]): Record<string, 'wit' | 'bearer'> {
  const callers = replicas.flatMap(({ app }) => app.wimse.adoption().routes.flatMap((route) => route.callers))
  const moved = new Set(callers.filter(({ wit }) => wit.requests > 0).map(({ caller }) => caller))
  return Object.fromEntries(
    callers.map(({ caller }) => [
      caller.slice('wimse://example.com/'.length),
      moved.has(caller) ? 'wit' : 'bearer',
    ]),
  )
}

function isReady({ app }: Replica): boolean {
  return app.wimse.adoption().routes.every(({ ready }) => ready)
}
