import cluster from 'node:cluster'
import { memoryReplayStore } from 'fastify-wimse'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { signedInject } from 'wimse-testkit'
import { ORIGIN, serviceUnderTest } from './service-under-test.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const shared = { claim: async () => 'first' as const }

describe('a replay store in memory', () => {
  const separate = /replay store is in memory/

  it('is nothing to warn of in one process', async () => {
    expect((await serviceUnderTest()).logText()).not.toMatch(separate)
    expect((await serviceUnderTest({ replicas: 1 })).logText()).not.toMatch(separate)
  })

  it('is warned of when there are several replicas', async () => {
    for (const options of [{}, { replay: memoryReplayStore() }]) {
      const { log } = await serviceUnderTest({ replicas: 3, ...options })
      expect(log()).toContainEqual(
        expect.objectContaining({ level: 40, replicas: 3, msg: expect.stringMatching(separate) }),
      )
    }
  })

  it('is warned of in a worker of node:cluster', async () => {
    vi.spyOn(cluster, 'isWorker', 'get').mockReturnValue(true)
    expect((await serviceUnderTest()).logText()).toMatch(separate)
    expect((await serviceUnderTest({ replay: shared })).logText()).not.toMatch(separate)
  })

  it('is not there when the store is shared, or off', async () => {
    for (const replay of [shared, false as const]) {
      expect((await serviceUnderTest({ replicas: 3, replay })).logText()).not.toMatch(separate)
    }
  })
})

describe("onStoreFailure: 'allow'", () => {
  it('lets requests in while the store is down, and says so in the log once a minute', async () => {
    const replay = { claim: async () => Promise.reject(new Error('connection lost')) }
    const { app, identityServer, clock, log } = await serviceUnderTest({ onStoreFailure: 'allow', replay })
    app.get('/', async () => 'in')
    const caller = await identityServer.issue({ subject: '/checkout' })
    for (let requests = 0; requests < 5; requests++) {
      expect((await signedInject(app, caller, { url: `${ORIGIN}/`, now: clock })).statusCode).toBe(200)
    }
    const told = log().filter(({ msg }) => msg === 'requests let in without a replay check')
    expect(told).toEqual([
      expect.objectContaining({
        level: 40,
        requests: 1,
        wimse: expect.objectContaining({ code: 'WIMSE_REPLAY_STORE_UNAVAILABLE' }),
      }),
    ])
  })

  it('is not the default: 503 with Retry-After', async () => {
    const replay = { claim: async () => Promise.reject(new Error('connection lost')) }
    const { app, identityServer, clock } = await serviceUnderTest({ replay })
    app.get('/', async () => 'in')
    const caller = await identityServer.issue({ subject: '/checkout' })
    const reply = await signedInject(app, caller, { url: `${ORIGIN}/`, now: clock })
    expect([reply.statusCode, reply.json().code, reply.headers['retry-after']]).toEqual([
      503,
      'WIMSE_REPLAY_STORE_UNAVAILABLE',
      '1',
    ])
  })
})
