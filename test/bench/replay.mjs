// What does a claim cost at a thousand to four million live proofs, next to the one signature a request
// cannot do without? And through Redis, next to a bare SET of the same client?
// Run after `npm run setup` and a build: npm run bench:replay [--store|--redis]
import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes, randomFillSync, sign, verify } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { memoryReplayStore } from 'wimse'
import { redisReplayStore } from 'wimse-redis'
import { median, title } from './measure.mjs'

const LIFE_SECONDS = 125
title()

const random = Buffer.alloc(32 * 4096)
let used = random.length
// From one buffer: the collector frees a buffer of its own for each in pauses longer than what is measured.
function newFingerprint() {
  if (used === random.length) {
    randomFillSync(random)
    used = 0
  }
  return random.toString('base64url', used, (used += 32))
}

if (!process.argv.includes('--redis')) await benchMemory()
if (!process.argv.includes('--store')) await benchRedis()

async function benchMemory() {
  const floor = verifyMicroseconds()
  console.log(`one ES256 verify: ${floor.toFixed(1)} µs\n`)
  console.log(
    '| live proofs | µs a claim | of one verify | bytes an entry | longest claim, ms (least of 5 runs) | without a claim |',
  )
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const size of [1e3, 1e4, 1e5, 1e6, 4e6]) {
    const { microseconds, bytes, longest, longestOfNone } = await benchSize(size)
    const share = `${((100 * microseconds) / floor).toFixed(1)} %`
    const pauses = [longest, longestOfNone].map((pause) => pause.toFixed(1))
    const row = [size.toExponential(0), microseconds.toFixed(2), share, bytes.toFixed(0), ...pauses]
    console.log(`| ${row.join(' | ')} |`)
  }
}

function verifyMicroseconds() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = randomBytes(300)
  const signature = sign('sha256', text, privateKey)
  const rounds = Array.from({ length: 20 }, () => {
    const start = performance.now()
    for (let times = 0; times < 500; times++) verify('sha256', text, publicKey, signature)
    return ((performance.now() - start) * 1000) / 500
  })
  return median(rounds)
}

/** Fills a store at an even rate until as many come in as expire, and then measures. */
async function benchSize(size) {
  const before = await settledMemory()
  const claim = claimsOn(size)
  const pauses = [longestPause(size, claim)]
  const bytes = ((await settledMemory()) - before) / size
  const rounds = []
  const inRound = 20_000
  for (let round = 0; round < Math.max(15, size / inRound / 2); round++) {
    const fingerprints = Array.from({ length: inRound }, newFingerprint)
    const start = performance.now()
    for (const fingerprint of fingerprints) claim(fingerprint)
    rounds.push(((performance.now() - start) * 1000) / inRound)
  }
  // What the store itself does it does each time; what else runs on the machine does not.
  while (pauses.length < 5) pauses.push(longestPause(size, claimsOn(size)))
  const longestOfNone = Math.min(...Array.from({ length: 5 }, () => longestPause(size, () => undefined)))
  return { microseconds: median(rounds), bytes, longest: Math.min(...pauses), longestOfNone }
}

/** Claims on a new store, at the rate at which it comes to hold this many. */
function claimsOn(size) {
  let now = 0
  const callers = Array.from({ length: 50 }, (_, index) => `wimse://example.com/caller-${index}`)
  const store = memoryReplayStore({ maxEntries: size * 2, now: () => now })
  let claims = 0
  return (fingerprint) => {
    now += LIFE_SECONDS / size
    if (store.claim(fingerprint, LIFE_SECONDS, callers[claims++ % callers.length]) !== 'first') {
      throw new Error('a new proof was refused')
    }
  }
}

/** Milliseconds of the longest turn; of claims from the empty store on, so that growing is part of it. */
function longestPause(times, work) {
  let longest = 0
  for (let done = 0; done < times; done++) {
    const fingerprint = newFingerprint()
    const start = performance.now()
    work(fingerprint)
    longest = Math.max(longest, performance.now() - start)
  }
  return longest
}

async function settledMemory() {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function benchRedis() {
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const server = spawn('redis-server', ['--port', `${port}`, '--save', '', '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  })
  await sleep(500)
  const nodeRedis = await createClient({ url: `redis://127.0.0.1:${port}` }).connect()
  const clients = {
    ioredis: ioredisBench(new Redis(port)),
    iovalkey: ioredisBench(new Valkey(port)),
    'node-redis': {
      client: nodeRedis,
      set: (key) =>
        nodeRedis.set(key, '1', {
          expiration: { type: 'PX', value: LIFE_SECONDS * 1000 },
          condition: 'NX',
        }),
      empty: () => nodeRedis.flushDb(),
      close: () => nodeRedis.destroy(),
    },
  }
  console.log('\n| client | in flight | SET NX PX, a second | claims, a second | of it | µs cpu a claim |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |')
  for (const [name, { client, set, empty, close }] of Object.entries(clients)) {
    const store = redisReplayStore({ client, maxEntriesPerCaller: 1e9 })
    const raw = (fingerprint) => set(`wimse:replay:${fingerprint}`)
    const ours = (fingerprint) => store.claim(fingerprint, LIFE_SECONDS, 'wimse://example.com/checkout')
    for (const inFlight of [64, 1]) {
      const count = inFlight === 1 ? 4000 : 20_000
      const ratios = []
      const rates = []
      const cpu = []
      // Turn about, so that whatever else the machine does falls on both.
      for (let round = 0; round < 25; round++) {
        const bare = await rateOf(raw, count, inFlight)
        await empty()
        const claims = await rateOf(ours, count, inFlight)
        await empty()
        if (round < 5) continue
        ratios.push(claims.perSecond / bare.perSecond)
        rates.push([bare.perSecond, claims.perSecond])
        cpu.push(claims.cpu)
      }
      const [bare, claims] = [0, 1].map((at) => Math.round(median(rates.map((pair) => pair[at]))))
      const row = [name, inFlight, bare, claims, median(ratios).toFixed(2), median(cpu).toFixed(1)]
      console.log(`| ${row.join(' | ')} |`)
    }
    close()
  }
  server.kill()
}

function ioredisBench(client) {
  return {
    client,
    set: (key) => client.set(key, '1', 'PX', LIFE_SECONDS * 1000, 'NX'),
    empty: () => client.flushdb(),
    close: () => client.disconnect(),
  }
}

async function rateOf(send, count, inFlight) {
  const fingerprints = Array.from({ length: count }, newFingerprint)
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const lane = async () => {
    for (let next = fingerprints.pop(); next !== undefined; next = fingerprints.pop()) await send(next)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  return { perSecond: count / seconds, cpu: (user + system) / count }
}
