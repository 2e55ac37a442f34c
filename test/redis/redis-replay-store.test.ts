import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisReplayStore } from 'wimse-redis'
import { newFingerprint, promisesOfReplayStores } from '../replay/contract.js'
import { libraries, type OpenClient } from './clients.js'
import { type RedisServer, redisServerPath, startRedis } from './redis-server.js'

const CHECKOUT = 'wimse://example.com/checkout'
const given = process.env['REDIS_URL']

describe.skipIf(given === undefined && redisServerPath === null)(
  'redisReplayStore() on a real server',
  () => {
    let server: RedisServer | null = null
    let url: string
    const opened: OpenClient[] = []

    beforeAll(async () => {
      if (given === undefined) server = await startRedis()
      url = given ?? server!.url
    })
    afterAll(async () => {
      for (const client of opened) client.close()
      await server?.close()
    })

    const open = async (library: string, at = url): Promise<OpenClient> => {
      const client = await libraries[library]!(at)
      opened.push(client)
      return client
    }

    for (const library of Object.keys(libraries)) {
      describe(`by ${library}`, () => {
        let one: OpenClient
        let two: OpenClient
        beforeAll(async () => {
          one = await open(library)
          two = await open(library)
        })

        promisesOfReplayStores(() => ({
          store: redisReplayStore({ client: one.client }),
          other: redisReplayStore({ client: two.client }),
        }))

        it('writes keys of one length, with an end, and says how long they live in milliseconds', async () => {
          const look = new Redis(url)
          const keyPrefix = `${newFingerprint()}:`
          const store = redisReplayStore({ client: one.client, keyPrefix })
          await store.claim(newFingerprint(), 59.5, CHECKOUT)
          await store.claim('x'.repeat(5000), 59.5, CHECKOUT)
          const keys = await look.keys(`${keyPrefix}*`)
          expect(keys.map((key) => key.length)).toEqual([keyPrefix.length + 43, keyPrefix.length + 43])
          const left = await look.pttl(keys[0]!)
          expect(left).toBeGreaterThan(55_000)
          expect(left).toBeLessThanOrEqual(59_500)
          look.disconnect()
        })

        it('keeps stores of different prefixes apart', async () => {
          const [a, b] = [newFingerprint(), newFingerprint()].map((keyPrefix) =>
            redisReplayStore({ client: one.client, keyPrefix }),
          )
          const proof = newFingerprint()
          expect([await a!.claim(proof, 60, CHECKOUT), await b!.claim(proof, 60, CHECKOUT)]).toEqual([
            'first',
            'first',
          ])
        })

        it('sends the claims of one turn together', async () => {
          const proxy = await startProxy(new URL(url))
          const { client } = await open(library, `redis://127.0.0.1:${proxy.port}`)
          const store = redisReplayStore({ client, warn: () => undefined })
          await store.claim(newFingerprint(), 60, CHECKOUT)
          proxy.chunks.length = 0
          const claims = Array.from({ length: 64 }, async () => store.claim(newFingerprint(), 60, CHECKOUT))
          expect(new Set(await Promise.all(claims))).toEqual(new Set(['first']))
          // The policy is asked for after the first claim, so that may be among them.
          expect(proxy.chunks.length).toBeLessThanOrEqual(4)
          proxy.close()
        })

        it('recognises its own claim when the answer was lost', async () => {
          const proxy = await startProxy(new URL(url))
          const { client } = await open(library, `redis://127.0.0.1:${proxy.port}`)
          const resend = resending(client as unknown as Settable)
          const store = redisReplayStore({ client: resend, warn: () => undefined })
          const proof = newFingerprint()
          expect(await store.claim(proof, 60, CHECKOUT)).toBe('first')
          expect(await store.claim(proof, 60, CHECKOUT)).toBe('seen')
          proxy.close()
        })
      })
    }

    it('lets one of two processes have each proof', async () => {
      const program = fileURLToPath(new URL('claimant.mjs', import.meta.url))
      const port = new URL(url).port || '6379'
      const proofs = Array.from({ length: 200 }, newFingerprint)
      const processes = [0, 1].map(() => fork(program, [port, ...proofs]))
      await Promise.all(processes.map(async (child) => once(child, 'message')))
      const answers = processes.map(async (child) => once(child, 'message'))
      for (const child of processes) child.send('go')
      const [a, b] = (await Promise.all(answers)).map(([list]) => list as readonly string[])
      const winners = proofs.map((_, index) => [a![index], b![index]].sort().join())
      expect(new Set(winners)).toEqual(new Set(['first,seen']))
    })

    it('says full when one caller, or one trust domain, has its fill, and serves the others', async () => {
      const { client } = await open('ioredis')
      const store = redisReplayStore({ client, maxEntriesPerCaller: 10 })
      const claim = async (caller: string) => store.claim(newFingerprint(), 60, caller)
      const firsts = async (callers: readonly string[]) =>
        (await Promise.all(callers.map(claim))).filter((answer) => answer === 'first').length
      expect(await firsts(Array.from({ length: 30 }, () => CHECKOUT))).toBe(10)
      expect(await firsts(Array.from({ length: 5 }, () => 'wimse://example.com/audit'))).toBe(5)
      const made = Array.from({ length: 200 }, (_, index) => `wimse://example.com/${index}`)
      expect(await firsts(made)).toBe(25)
      expect(await claim('wimse://other.example/checkout')).toBe('first')
    })

    it('does not count a replay', async () => {
      const { client } = await open('ioredis')
      const store = redisReplayStore({ client, maxEntriesPerCaller: 2 })
      const proof = newFingerprint()
      for (const answer of ['first', 'seen', 'seen', 'seen']) {
        expect(await store.claim(proof, 60, CHECKOUT)).toBe(answer)
      }
      expect(await store.claim(newFingerprint(), 60, CHECKOUT)).toBe('first')
      expect(await store.claim(newFingerprint(), 60, CHECKOUT)).toBe('full')
    })
  },
)

describe.skipIf(redisServerPath === null)('a server that evicts', () => {
  for (const library of Object.keys(libraries)) {
    it(`is reported once by ${library}`, async () => {
      const server = await startRedis(['--maxmemory-policy', 'allkeys-lru'])
      const { client, close } = await libraries[library]!(server.url)
      const warnings: string[] = []
      const store = redisReplayStore({ client, warn: (message) => void warnings.push(message) })
      for (let claims = 0; claims < 3; claims++) await store.claim(newFingerprint(), 60, CHECKOUT)
      await expect.poll(() => warnings).toEqual([expect.stringContaining('allkeys-lru')])
      await store.claim(newFingerprint(), 60, CHECKOUT)
      expect(warnings).toHaveLength(1)
      close()
      await server.close()
    })

    it(`may forbid CONFIG, and claims go on by ${library}`, async () => {
      const server = await startRedis(['--user', ...'default on nopass ~* &* +@all -config'.split(' ')])
      const { client, close } = await libraries[library]!(server.url)
      const warnings: string[] = []
      const store = redisReplayStore({ client, warn: (message) => void warnings.push(message) })
      expect(await store.claim(newFingerprint(), 60, CHECKOUT)).toBe('first')
      expect(await store.claim(newFingerprint(), 60, CHECKOUT)).toBe('first')
      expect(warnings).toEqual([])
      close()
      await server.close()
    })
  }
})

describe('the options of redisReplayStore()', () => {
  const client = createClient()
  for (const [option, options] of [
    ['client', {}],
    ['client', { client: null }],
    ['client', { client: 'redis://127.0.0.1' }],
    ['client', { client: new Map() }],
    ['client', { client: { set: () => undefined } }],
    ['client', { client: Promise.resolve(client) }],
    ['keyPrefix', { client, keyPrefix: 5 }],
    ['keyPrefix', { client, keyPrefix: 'a{b}' }],
    ['maxEntriesPerCaller', { client, maxEntriesPerCaller: 0 }],
    ['warn', { client, warn: true }],
    ['ttl', { client, ttl: 60 }],
  ] as const) {
    it(`throw and name ${option}: ${Object.keys(options).join()}`, () => {
      const make = () => redisReplayStore(options as never)
      expect(make).toThrow(TypeError)
      expect(make).toThrow(option)
    })
  }

  it('take a client that is not connected yet', () => {
    expect(redisReplayStore({ client })).toHaveProperty('claim')
  })
})

interface Settable {
  set(...args: readonly unknown[]): Promise<unknown>
}

/** A client that does not hear the first answer to SET and sends it again, as libraries do by themselves. */
function resending(client: Settable): never {
  const set = async (...args: readonly unknown[]): Promise<unknown> => {
    await client.set(...args)
    return client.set(...args)
  }
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'set') return set
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }) as never
}

/** Passes bytes on to a server, and remembers how many came at once. */
async function startProxy({ hostname, port }: URL) {
  const chunks: number[] = []
  const sockets: Socket[] = []
  const server = createServer((from) => {
    const to = connect(Number(port || 6379), hostname)
    sockets.push(from, to)
    for (const socket of [from, to]) socket.on('error', () => undefined)
    from.on('data', (data) => chunks.push(data.length))
    from.pipe(to)
    to.pipe(from)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    chunks,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
