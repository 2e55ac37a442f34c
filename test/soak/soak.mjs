// Does it hold for half an hour? One service at saturation, with a replay store in memory and one in Redis, its
// issuer's keys and its callers' tokens rotating all the time; replays and faults among the requests; the file
// of keys torn, and Redis stopped, again and again. Every answer has to be the right one, memory and handles have
// to stay where they are, and the service may hold no socket that is not a connection of the client or to Redis.
// Run after `npm run setup` and a build: npm run soak [-- --minutes 30]
import { fork, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as send } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { signRequest } from 'wimse'
import { createTestIdentityServer, faults } from 'wimse-testkit'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new TypeError('--minutes is not a number above 0')

const CALLERS = 50
const AT_ONCE = 32
/** Seconds. */
const [ISSUER_LIFE, WIT_LIFE, SAMPLE_EVERY] = [20, 30, 5]
/** Seconds: how often the file of keys is torn and Redis is stopped, and for how long. */
const [TROUBLE_EVERY, TROUBLE_LASTS] = [30, 2]
/** Milliseconds a request may still be answered as if Redis were stopped: it waits for it that long. */
const AFTERMATH = 1000
/** Milliseconds after which no connection of a client that has hung up may be left. */
const FAREWELL = 5000
/** Of a hundred requests. */
const [REPLAYS, FAULTS] = [5, 5]
const NAMES = { handles: 'handles, without sockets', strays: 'sockets to nobody' }
/** How much the last third of the run may lie above the third before it. */
const MOST_GROWTH = 1.1

const port = await freePort()
const origin = `http://127.0.0.1:${port}`
const folder = mkdtempSync(join(tmpdir(), 'wimse-soak-'))
const jwksFile = join(folder, 'jwks.json')
let issuers = [createTestIdentityServer({ origin: 'wimse://example.com' })]
let signing = issuers[0]
publishKeys()
const redis = await startRedis()
const stores = redis === null ? ['memory'] : ['memory', 'redis']
if (redis === null) console.log('**redis-server is not on the PATH: the store in memory alone.**')
const service = fork(new URL('service.mjs', import.meta.url), {
  execArgv: ['--expose-gc'],
  env: {
    ...process.env,
    PORT: String(port),
    JWKS_FILE: jwksFile,
    ...(redis === null ? {} : { REDIS_PORT: String(redis.port) }),
  },
})
// However this ends; when it ends well, the service has ended by itself before.
process.on('exit', () => service.kill())
await heard('ready')

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
const callers = await Promise.all(Array.from({ length: CALLERS }, (_, index) => newCaller(index)))
const counts = {
  right: 0,
  wrong: 0,
  replaysRefused: 0,
  faultsRefused: 0,
  unavailable: 0,
  rotations: 0,
  troubles: 0,
}
/** Until when an answer may say that Redis is away: 0 where it is not. */
let redisAwayUntil = 0
const wrong = new Map()
/** One after the other: a key that is published into a torn file is not published. */
let turn = Promise.resolve()
const samples = []
const end = Date.now() + minutes * 60_000
const rotating = rotate()
const sampling = sample()
const troubling = trouble()
await Promise.all(Array.from({ length: AT_ONCE }, load))
await Promise.all([rotating, sampling, troubling])
agent.destroy()
const left = await whatIsLeft()
redis?.process.kill()
rmSync(folder, { recursive: true, force: true })
report()
service.send('end')
// What is left open keeps a process going.
setTimeout(() => {
  console.log('\nthe service has not ended')
  process.exit(1)
}, FAREWELL).unref()

async function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address()
      server.close(() => resolve(free))
    })
  })
}

async function startRedis() {
  if (spawnSync('redis-server', ['--version']).error !== undefined) return null
  const free = await freePort()
  const server = spawn('redis-server', ['--port', `${free}`, '--save', '', '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  })
  // However this ends.
  process.on('exit', () => server.kill())
  await sleep(500)
  return { port: free, process: server }
}

function inTurn(what) {
  turn = turn.then(what)
  return turn
}

/** Redis loses nothing: it only stands still. */
async function trouble() {
  while (Date.now() + (TROUBLE_EVERY + TROUBLE_LASTS) * 1000 < end) {
    await sleep(TROUBLE_EVERY * 1000)
    await inTurn(standStill)
  }
}

async function standStill() {
  counts.troubles++
  redisAwayUntil = Number.POSITIVE_INFINITY
  redis?.process.kill('SIGSTOP')
  writeFileSync(jwksFile, '{"keys": [{"kty": "EC", ')
  await sleep(TROUBLE_LASTS * 1000)
  publishKeys()
  redis?.process.kill('SIGCONT')
  redisAwayUntil = Date.now() + AFTERMATH
}

function publishKeys() {
  writeFileSync(`${jwksFile}.new`, JSON.stringify({ keys: issuers.flatMap(({ jwks }) => jwks.keys) }))
  renameSync(`${jwksFile}.new`, jwksFile)
}

async function newCaller(index) {
  const credential = await signing.issue({ subject: `/caller/${index}`, lifetime: WIT_LIFE })
  return { index, credential }
}

async function heard(what) {
  return new Promise((resolve) => {
    const listen = (message) => {
      if (what !== undefined && message !== what) return
      service.off('message', listen)
      resolve(message)
    }
    service.on('message', listen)
  })
}

async function rotate() {
  let seconds = 0
  while (Date.now() < end) {
    await sleep(1000)
    seconds++
    if (seconds % ISSUER_LIFE === 0) await inTurn(rotateIssuer)
    const now = Date.now() / 1000
    for (const caller of callers) {
      if (caller.credential.expiresAt - now < WIT_LIFE / 2)
        Object.assign(caller, await newCaller(caller.index))
    }
  }
}

/** A new key of the issuer is published before it signs, and an old one as long as its tokens live. */
async function rotateIssuer() {
  issuers = [...issuers.slice(-2), createTestIdentityServer({ origin: 'wimse://example.com' })]
  publishKeys()
  await sleep(2000)
  signing = issuers.at(-1)
  counts.rotations++
}

async function sample() {
  while (Date.now() < end) {
    await sleep(SAMPLE_EVERY * 1000)
    samples.push(await askService())
  }
}

/** What the service tells of itself, and how many of its sockets nobody knows of. */
async function askService() {
  service.send('sample')
  const told = await heard()
  const { sockets, freeSockets } = agent
  const mine = [sockets, freeSockets].flatMap((byOrigin) => Object.values(byOrigin).flat())
  const expected = mine.filter(({ connecting }) => !connecting).length + (redis === null ? 0 : 1)
  return { ...told, strays: told.sockets - expected }
}

/** The same once the client has hung up, which the service may hear of a moment later. */
async function whatIsLeft() {
  const until = Date.now() + FAREWELL
  for (;;) {
    const told = await askService()
    if (told.strays === 0 || Date.now() > until) return told
    await sleep(100)
  }
}

async function load() {
  while (Date.now() < end) {
    const caller = callers[Math.floor(Math.random() * CALLERS)]
    const chance = Math.random() * 100
    const store = stores[Math.floor(Math.random() * stores.length)]
    const url = `${origin}/${store}/stock/apple`
    if (chance < FAULTS) {
      const fault = faults[Math.floor(Math.random() * faults.length)]
      const { headers } = await fault.request({ identityServer: signing, url })
      if (await isAnswered({ url, headers, store }, fault.status, fault.code, fault.name))
        counts.faultsRefused++
      continue
    }
    const request = { url, headers: signRequest(caller.credential, { url }), store }
    const isAdmitted = await isAnswered(request, 200, undefined, 'a good request')
    if (isAdmitted && chance < FAULTS + REPLAYS) {
      if (await isAnswered(request, 400, 'WIMSE_WPT_REPLAYED', 'a replay')) counts.replaysRefused++
    }
  }
}

/** @returns whether it was answered so, and not that the store is away while it is */
async function isAnswered(request, status, code, what) {
  const sentAt = Date.now()
  const answer = await call(request)
  if (answer.status === status && answer.code === code) {
    counts.right++
    return true
  }
  const isAway = request.store === 'redis' && sentAt < redisAwayUntil
  if (isAway && answer.status === 503 && answer.code === 'WIMSE_REPLAY_STORE_UNAVAILABLE') {
    counts.unavailable++
    return false
  }
  counts.wrong++
  const key = `${what} (${request.store}): ${answer.status} ${answer.code} after ${Date.now() - sentAt} ms`
  wrong.set(key, (wrong.get(key) ?? 0) + 1)
  return false
}

function call({ url, headers }) {
  return new Promise((resolve, reject) => {
    const outgoing = send(url, { agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode, code: JSON.parse(text).code }))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

function report() {
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
  const third = Math.floor(samples.length / 3)
  const growth = (member) => {
    const of = (from, to) => median(samples.slice(from, to).map((one) => one[member]))
    return [of(third, 2 * third), of(2 * third)]
  }
  console.log(`${minutes} minutes, Node ${process.version}: ${JSON.stringify(counts)}`)
  for (const [what, times] of wrong) console.log(`  wrong: ${what} × ${times}`)
  let flat = true
  console.log('\n| | middle third | last third |\n| --- | ---: | ---: |')
  for (const member of ['rss', 'heapUsed', 'external', 'handles', 'sockets', 'strays']) {
    const [middle, last] = growth(member)
    flat &&= last <= middle * MOST_GROWTH
    const isCount = ['handles', 'sockets', 'strays'].includes(member)
    const shown = (value) => (isCount ? value : `${(value / 1_048_576).toFixed(1)} MiB`)
    console.log(`| ${NAMES[member] ?? member} | ${shown(middle)} | ${shown(last)} |`)
  }
  console.log(`\nsockets when the client had hung up: ${left.sockets}, of these to nobody: ${left.strays}`)
  // A Redis that was never missed was never stopped.
  const wasMissed = redis === null || counts.troubles === 0 || counts.unavailable > 0
  if (!wasMissed) console.log('\nRedis was stopped, and no request felt it')
  process.exitCode = flat && left.strays === 0 && counts.wrong === 0 && wasMissed ? 0 : 1
}
