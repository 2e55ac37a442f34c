import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisCallerMemory, redisReplayStore } from 'wimse-redis'
import type { OpenClient } from '../redis/clients.js'
import { libraries } from '../redis/clients.js'
import { faults, sufferFault } from '../redis/faults.js'
import { type Figures, startLoad, STORE_TIMEOUT_MS } from '../redis/load.js'
import { redisServerPath } from '../redis/redis-server.js'
import { promisesOfReplayStores } from '../replay/contract.js'
import {
  clusterLibraries,
  type RedisCluster,
  sentinelLibraries,
  startCluster,
  startSentinelPair,
} from './redis-topologies.js'

const STALL_MS = 5000

/** What has to hold whatever happens; prints the figures. */
function expectSafe(what: string, figures: Figures): void {
  const { requests, byStatus, byCode, acceptedReplays, acceptedAfterLoss, longestWait, lateness } = figures
  console.log(
    JSON.stringify({
      what,
      requests,
      byStatus,
      byCode,
      acceptedReplays,
      acceptedAfterLoss,
      longestWaitMs: Math.round(longestWait),
      processLateMs: Math.round(lateness),
    }),
  )
  expect(acceptedReplays).toBe(0)
  expect(Object.keys(byStatus).filter((status) => !['200', '400', '503'].includes(status))).toEqual([])
  expect(longestWait - lateness).toBeLessThanOrEqual(STORE_TIMEOUT_MS + 50)
}

describe.skipIf(redisServerPath === null)('a Redis that fails for five seconds', () => {
  for (const fault of faults) {
    for (const library of Object.keys(libraries)) {
      it(`${fault.what} (${library})`, async () => {
        expectSafe(`${fault.what} (${library})`, await sufferFault(fault, library, STALL_MS))
      })
    }
  }
})

describe.skipIf(redisServerPath === null)('a cluster of three', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(async () => cluster.close())

  for (const [library, open] of Object.entries(clusterLibraries)) {
    describe(`by ${library}`, () => {
      let one: OpenClient
      let two: OpenClient
      beforeAll(async () => {
        const ports = cluster.servers.map(({ port }) => port)
        one = await open(ports)
        two = await open(ports)
      })
      afterAll(() => {
        one.close()
        two.close()
      })

      promisesOfReplayStores(() => ({
        store: redisReplayStore({ client: one.client }),
        other: redisReplayStore({ client: two.client }),
      }))

      it('remembers callers', async () => {
        const memory = redisCallerMemory({ client: one.client })
        await memory.remember(`wimse://example.com/${library}`, 7)
        expect(await memory.since(`wimse://example.com/${library}`)).toBe(7)
        await memory.forget(`wimse://example.com/${library}`)
        expect(await memory.since(`wimse://example.com/${library}`)).toBeNull()
      })

      it('asks every node whether it evicts', async () => {
        const last = cluster.servers.at(-1)!
        const node = await libraries['ioredis']!(last.url)
        const config = node.client as unknown as { config: (...args: string[]) => Promise<unknown> }
        await config.config('SET', 'maxmemory-policy', 'volatile-ttl')
        const warnings: string[] = []
        const store = redisReplayStore({ client: one.client, warn: (message) => void warnings.push(message) })
        await store.claim('asked', 1, 'wimse://example.com/checkout')
        await expect.poll(() => warnings).toEqual([expect.stringContaining('volatile-ttl')])
        await config.config('SET', 'maxmemory-policy', 'noeviction')
        node.close()
      })

      it('with one node stalled goes on with the others', async () => {
        const load = await startLoad(redisReplayStore({ client: one.client }))
        await load.recovered()
        cluster.servers[1]!.signal('SIGSTOP')
        await sleep(STALL_MS)
        cluster.servers[1]!.signal('SIGCONT')
        await load.recovered()
        expectSafe(`cluster, one of three stalled (${library})`, await load.stop())
      })
    })
  }
})

describe.skipIf(redisServerPath === null)('a master with a replica and a sentinel', () => {
  for (const [library, open] of Object.entries(sentinelLibraries)) {
    it(`fails over (${library})`, async () => {
      const pair = await startSentinelPair()
      const { client, close } = await open(pair.sentinelPort)
      const load = await startLoad(redisReplayStore({ client }))
      await load.recovered()
      await sleep(1000)
      await pair.master.kill()
      await sleep(100)
      load.dataLost()
      await load.recovered()
      await sleep(1000)
      const figures = await load.stop()
      expect(figures.byStatus[503]).toBeGreaterThan(0)
      expectSafe(`failover by sentinel (${library})`, figures)
      close()
      await pair.close()
    })
  }
})
