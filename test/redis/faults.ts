import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { redisReplayStore } from 'wimse-redis'
import { libraries } from './clients.js'
import { type Figures, type LoadedService, startLoad } from './load.js'
import { type RedisServer, startRedis } from './redis-server.js'

/** Something that goes wrong with a Redis while requests come in, and is over when the promise settles. */
export interface Fault {
  readonly what: string
  readonly args?: readonly string[]
  happen(server: RedisServer, load: LoadedService, stallMs: number): Promise<void>
}

const MEMORY_FULL = ['--maxmemory', '6mb', '--maxmemory-policy', 'noeviction']

/** Faults of one server. */
export const faults: readonly Fault[] = [
  {
    what: 'stalled',
    happen: async (server, _load, stallMs) => {
      server.signal('SIGSTOP')
      await sleep(stallMs)
      server.signal('SIGCONT')
    },
  },
  {
    what: 'killed and started again, empty',
    happen: async (server, load, stallMs) => {
      await server.kill()
      await sleep(stallMs)
      load.dataLost()
      await server.restart()
    },
  },
  {
    what: 'emptied by a quick restart',
    happen: async (server, load) => {
      await server.kill()
      await sleep(100)
      load.dataLost()
      await server.restart()
    },
  },
  {
    what: 'out of memory',
    args: MEMORY_FULL,
    happen: async (server, _load, stallMs) => {
      const filler = new Redis(server.port)
      const full = async (): Promise<void> => {
        for (let key = 0; ; key++) await filler.set(`filler:${key}`, 'x'.repeat(10_000))
      }
      await full().catch(() => undefined)
      await sleep(stallMs)
      await filler.unlink(await filler.keys('filler:*'))
      filler.disconnect()
    },
  },
  {
    what: 'demoted to a replica and promoted again',
    happen: async (server, _load, stallMs) => {
      const operator = new Redis(server.port)
      // Of a master that is not there: reads go on, writes are refused, and the data stays.
      await operator.call('REPLICAOF', '127.0.0.1', '1')
      await sleep(stallMs)
      await operator.call('REPLICAOF', 'NO', 'ONE')
      operator.disconnect()
    },
  },
]

/** Lets a fault happen under load, through one of the client libraries. */
export async function sufferFault(fault: Fault, library: string, stallMs: number): Promise<Figures> {
  const server = await startRedis(fault.args ?? [])
  const { client, close } = await libraries[library]!(server.url)
  const load = await startLoad(redisReplayStore({ client }))
  try {
    await load.recovered()
    await fault.happen(server, load, stallMs)
    await load.recovered()
    return await load.stop()
  } finally {
    close()
    await server.close()
  }
}
