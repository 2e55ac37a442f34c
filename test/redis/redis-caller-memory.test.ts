import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisCallerMemory } from 'wimse-redis'
import { newFingerprint } from '../replay/contract.js'
import { libraries, type OpenClient } from './clients.js'
import { type RedisServer, redisServerPath, startRedis } from './redis-server.js'

const given = process.env['REDIS_URL']
const CHECKOUT = 'wimse://example.com/checkout'

describe.skipIf(given === undefined && redisServerPath === null)(
  'redisCallerMemory() on a real server',
  () => {
    let server: RedisServer | null = null
    let url: string

    beforeAll(async () => {
      if (given === undefined) server = await startRedis()
      url = given ?? server!.url
    })
    afterAll(async () => server?.close())

    for (const library of Object.keys(libraries)) {
      describe(`by ${library}`, () => {
        let open: OpenClient
        beforeAll(async () => {
          open = await libraries[library]!(url)
        })
        afterAll(() => open.close())

        const memory = () => redisCallerMemory({ client: open.client, keyPrefix: `${newFingerprint()}:` })

        it('knows a caller since the first time, until it is forgotten', async () => {
          const callers = memory()
          expect(await callers.since(CHECKOUT)).toBeNull()
          await callers.remember(CHECKOUT, 1_760_000_000.25)
          await callers.remember(CHECKOUT, 1_760_000_500)
          expect(await callers.since(CHECKOUT)).toBe(1_760_000_000.25)
          expect(await callers.since('wimse://example.com/audit')).toBeNull()
          await callers.forget(CHECKOUT)
          expect(await callers.since(CHECKOUT)).toBeNull()
        })

        it('is shared by all that use the same server and prefix', async () => {
          const keyPrefix = newFingerprint()
          const [a, b] = [1, 2].map(() => redisCallerMemory({ client: open.client, keyPrefix }))
          await a!.remember(CHECKOUT, 7)
          expect(await b!.since(CHECKOUT)).toBe(7)
        })

        it('keeps entries without an end, in keys of one length', async () => {
          const look = new Redis(url)
          const keyPrefix = newFingerprint()
          const callers = redisCallerMemory({ client: open.client, keyPrefix })
          await callers.remember(CHECKOUT, 7)
          await callers.remember(`${CHECKOUT}/${'x'.repeat(2000)}`, 7)
          const keys = await look.keys(`${keyPrefix}*`)
          expect(keys.map((key) => key.length)).toEqual([86, 86])
          expect(await look.pttl(keys[0]!)).toBe(-1)
          look.disconnect()
        })

        it('rejects when it cannot tell', async () => {
          const look = new Redis(url)
          const keyPrefix = newFingerprint()
          const callers = redisCallerMemory({ client: open.client, keyPrefix })
          await callers.remember(CHECKOUT, 7)
          const [key] = await look.keys(`${keyPrefix}*`)
          for (const text of ['', ' ', 'yesterday', 'NaN', 'Infinity']) {
            await look.set(key!, text)
            await expect(callers.since(CHECKOUT)).rejects.toThrow('no instant')
          }
          await look.del(key!)
          await look.rpush(key!, 'a list')
          await expect(callers.since(CHECKOUT)).rejects.toThrow('WRONGTYPE')
          await expect(callers.remember(CHECKOUT, Number.NaN)).rejects.toThrow(RangeError)
          look.disconnect()
        })
      })
    }
  },
)

describe('the options of redisCallerMemory()', () => {
  const client = createClient()
  for (const [option, options] of [
    ['client', {}],
    ['client', { client: {} }],
    ['keyPrefix', { client, keyPrefix: '{' }],
    ['maxEntriesPerCaller', { client, maxEntriesPerCaller: 1 }],
  ] as const) {
    it(`throw and name ${option}: ${Object.keys(options).join()}`, () => {
      const make = () => redisCallerMemory(options as never)
      expect(make).toThrow(TypeError)
      expect(make).toThrow(option)
    })
  }
})
