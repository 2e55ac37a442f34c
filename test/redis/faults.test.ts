import { describe, expect, it } from 'vitest'
import { redisReplayStore } from 'wimse-redis'
import { libraries } from './clients.js'
import { faults, sufferFault } from './faults.js'
import { STORE_TIMEOUT_MS, startLoad } from './load.js'
import { redisServerPath, startRedis } from './redis-server.js'

const STALL_MS = 1000

describe.skipIf(redisServerPath === null)('a service under load, whose Redis is', () => {
  for (const fault of faults) {
    for (const library of Object.keys(libraries)) {
      it(`${fault.what} (${library})`, async () => {
        const figures = await sufferFault(fault, library, STALL_MS)
        expect(figures.acceptedReplays).toBe(0)
        expect(Object.keys(figures.byStatus)).toEqual(['200', '400', '503'])
        // Nearer to the timeout than to the fault, on a machine as busy as it likes.
        expect(figures.longestWait - figures.lateness).toBeLessThan((STORE_TIMEOUT_MS + STALL_MS) / 2)
        expect(Object.keys(figures.byCode).sort()).toEqual([
          fault.what === 'out of memory' ? 'WIMSE_REPLAY_STORE_FULL' : 'WIMSE_REPLAY_STORE_UNAVAILABLE',
          'WIMSE_WPT_REPLAYED',
        ])
      })
    }
  }

  it('well, accepts each proof once and refuses nobody', async () => {
    const server = await startRedis()
    const { client, close } = await libraries['ioredis']!(server.url)
    const load = await startLoad(redisReplayStore({ client }))
    await load.recovered()
    const figures = await load.stop()
    expect(figures.acceptedReplays).toBe(0)
    expect(Object.keys(figures.byStatus)).toEqual(['200', '400'])
    close()
    await server.close()
  })

  it('forgetful, is seen to be so: the count of replays would show them', async () => {
    const load = await startLoad({ claim: () => 'first' })
    await load.recovered()
    expect((await load.stop()).acceptedReplays).toBeGreaterThan(0)
  })
})
