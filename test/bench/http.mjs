// What does a service pay for knowing who calls? CPU of its process for a request, next to a bare Fastify that
// makes the one signature check nobody can do without; requests a second, next to other ways to know who calls;
// and how long an answer takes while there is little to do.
// Run after `npm run setup` and a build: npm run bench:http [-- --rounds 11 --requests 5000 --algorithm ES256]
import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { atRate, openConnection, saturate } from './http/load.mjs'
import { createCast } from './http/requests.mjs'
import { startService } from './http/service.mjs'
import { median, ratio, title } from './measure.mjs'
import { arrangement, moveToOthers } from './processors.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '11' },
    requests: { type: 'string', default: '5000' },
    algorithm: { type: 'string', multiple: true, default: ['ES256', 'EdDSA'] },
  },
})
const ROUNDS = Number(values.rounds)
const REQUESTS = Number(values.requests)
const WARM_UP = 3
const CONNECTIONS = 32
const QUIET_SECONDS = 1
const QUIET_ROUNDS = Math.min(ROUNDS, 9)

/** `sends` names the kind of request; `share`, how many of the requests, where each takes long. */
const CASES = {
  bare: { what: 'bare Fastify', sends: 'wimse', open: true },
  floor: { what: 'bare + one verify: the floor', sends: 'der' },
  memory: { what: 'fastify-wimse, replays in memory', sends: 'wimse' },
  redis: { what: 'fastify-wimse, replays in Redis', sends: 'wimse' },
  'in-turns': { what: 'authenticate() in a hook, proofs of a turn together', sends: 'wimse' },
  'at-once': { what: 'authenticate() in a hook, each proof at once', sends: 'wimse' },
  jose: { what: 'jose by hand, WIT cached, no replay check', sends: 'wimse' },
  'jose-replays': { what: 'jose by hand, WIT cached, replays in lru-cache', sends: 'wimse' },
  'fastify-jwt': { what: '@fastify/jwt, bearer, not cached, one key in its configuration', sends: 'bearer' },
  'fastify-jwt-set': { what: "@fastify/jwt, bearer, not cached, the issuer's key set", sends: 'bearer' },
  oauth4webapi: { what: 'Fastify + oauth4webapi, DPoP', sends: 'dpop', share: 0.4 },
  express: { what: 'express-oauth2-jwt-bearer, DPoP', sends: 'dpop', share: 0.4 },
}

/** What is asked: CPU at most, requests a second at least. In brackets what we aim at. */
const ASKED = {
  ES256: [
    ['cpu', 'memory', 'floor', '≤ 1.40 (1.10)'],
    ['rate', 'redis', 'memory', '≥ 0.60 (0.80)'],
    ['rate', 'memory', 'oauth4webapi', '≥ 2.5 (4)'],
    ['rate', 'memory', 'express', '≥ 3 (5)'],
    ['cpu', 'memory', 'jose', '≤ 0.90 (0.70)'],
    ['cpu', 'memory', 'jose-replays', '≤ 0.90 (0.70)'],
    ['cpu', 'memory', 'fastify-jwt', '≤ 1.0 (0.65)'],
    ['cpu', 'memory', 'fastify-jwt-set', '≤ 1.0 (0.65)'],
  ],
}
/** Verifying together is for busy times: it must cost nobody anything when there is little to do. */
const ASKED_AT_A_TENTH = [
  ['p50', 'in-turns', 'at-once', '≤ 1'],
  ['p99', 'in-turns', 'at-once', '≤ 1'],
]
const FIGURES = { cpu: 'CPU', rate: 'requests/s', p50: 'p50', p99: 'p99' }
ASKED.EdDSA = [['cpu', 'memory', 'floor', '≤ 1.25 (1.09)'], ...ASKED.ES256.slice(1)]

title()
console.log(`${arrangement}\n`)
moveToOthers()
const redis = await startRedis()
if (redis === null) console.log('**redis-server is not on the PATH: nothing is measured with Redis.**\n')
for (const algorithm of values.algorithm) await bench(algorithm)

async function bench(algorithm) {
  const cast = await createCast(algorithm)
  const keys = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(cast.jwks))
  })
  await new Promise((resolve) => keys.listen(0, '127.0.0.1', resolve))
  const jwksUri = `http://127.0.0.1:${keys.address().port}/`
  const names = Object.keys(CASES).filter((name) => name !== 'redis' || redis !== null)
  const services = {}
  for (const name of names) {
    services[name] = await startService(name, { ...cast.settings, jwksUri, redisPort: redis?.port })
    await seeToIt(CASES[name], services[name], cast)
  }

  const rounds = Object.fromEntries(names.map((name) => [name, []]))
  // Turn about, there and back, so that whatever else the machine does falls on all. A round is half a second: with
  // a tenth of that, what it takes to begin anew after the turns of the others would be a part of what is measured.
  // Twelve thousand requests are what it takes until the compiler is done with the slowest to warm up.
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const { sends, share = 1 } = CASES[name]
      const figures = await saturated(services[name], cast.requests(sends, Math.ceil(REQUESTS * share)))
      if (round >= 0) rounds[name].push(figures)
    }
  }
  showSaturated(algorithm, rounds)
  showAsked(algorithm, rounds, ASKED[algorithm])

  const perSecond = median(rounds.floor.map(({ rate }) => rate)) / 10
  const quiet = { floor: [], memory: [], 'in-turns': [], 'at-once': [] }
  for (let round = 0; round < QUIET_ROUNDS; round++) {
    for (const [name, figures] of Object.entries(quiet)) {
      const requests = cast.requests(CASES[name].sends, Math.ceil(perSecond * QUIET_SECONDS))
      figures.push(await unhurried(services[name], requests, perSecond))
    }
  }
  showUnhurried(algorithm, quiet, perSecond)
  showAsked(`${algorithm}, at a tenth`, quiet, ASKED_AT_A_TENTH)

  for (const service of Object.values(services)) service.stop()
  keys.close()
}

/** A service that lets a forged request in, or keeps a good one out, would be measured for something else. */
async function seeToIt({ what, sends, open = false }, { port }, cast) {
  const connection = await openConnection(port)
  const [good] = cast.requests(sends, 1)
  const answers = [await connection.send(good), await connection.send(cast.forged(sends))]
  connection.close()
  const [admitted, refused] = answers
  if (admitted !== 200 || (open ? refused !== 200 : refused < 400 || refused > 499)) {
    throw new Error(`${what}: a good request was answered with ${admitted}, a forged one with ${refused}`)
  }
}

async function saturated({ port, begin, end }, requests) {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(port)))
  await begin({ watchDelay: true })
  const { seconds, refused } = await saturate(connections, requests)
  const { cpu, delay } = await end()
  for (const connection of connections) connection.close()
  return {
    cpu: cpu / requests.length,
    rate: requests.length / seconds,
    busy: cpu / 1e6 / seconds,
    delay,
    refused,
  }
}

async function unhurried({ port, begin, end }, requests, perSecond) {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(port)))
  await begin({ watchDelay: false })
  const { milliseconds, refused } = await atRate(connections, requests, perSecond)
  const { cpu } = await end()
  for (const connection of connections) connection.close()
  const sorted = milliseconds.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.floor(sorted.length * share)]
  return { p50: at(0.5), p99: at(0.99), cpu: cpu / requests.length, refused }
}

function showSaturated(algorithm, rounds) {
  console.log(
    `${algorithm}, ${CONNECTIONS} connections that send as fast as answers come, ${ROUNDS} rounds of ${REQUESTS}\n`,
  )
  table(
    [
      '',
      'CPU µs a request',
      'of the floor',
      'requests/s',
      'of the floor',
      'CPUs busy',
      'loop delay p99 ms',
      'non-2xx',
    ],
    Object.entries(rounds).map(([name, figures]) => [
      CASES[name].what,
      median(column(figures, 'cpu')).toFixed(1),
      compare(rounds, 'cpu', name, 'floor').toFixed(2),
      Math.round(median(column(figures, 'rate'))),
      compare(rounds, 'rate', name, 'floor').toFixed(2),
      median(column(figures, 'busy')).toFixed(2),
      median(column(figures, 'delay')).toFixed(1),
      sum(column(figures, 'refused')),
    ]),
  )
}

function showAsked(when, rounds, askedOfRounds) {
  table(
    [`asked, ${when}`, 'ratio', 'spread of the rounds', 'asked (aim)'],
    askedOfRounds
      .filter(([, some, other]) => some in rounds && other in rounds)
      .map(([figure, some, other, asked]) => {
        const shares = rounds[some].map((round, at) => round[figure] / rounds[other][at][figure])
        const spread = `${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)}`
        const what = `${FIGURES[figure]}: ${CASES[some].what} / ${CASES[other].what}`
        return [what, median(shares).toFixed(2), spread, asked]
      }),
  )
}

function showUnhurried(algorithm, quiet, perSecond) {
  console.log(`${algorithm}, ${Math.round(perSecond)} requests/s: a tenth of what the floor can do\n`)
  table(
    ['', 'p50 ms', 'of the floor', 'p99 ms', 'of the floor', 'CPU µs a request', 'of the floor', 'non-2xx'],
    Object.entries(quiet).map(([name, figures]) => [
      CASES[name].what,
      ...['p50', 'p99', 'cpu'].flatMap((figure) => [
        median(column(figures, figure)).toFixed(figure === 'cpu' ? 1 : 2),
        compare(quiet, figure, name, 'floor').toFixed(2),
      ]),
      sum(column(figures, 'refused')),
    ]),
  )
}

function column(figures, name) {
  return figures.map((round) => round[name])
}

function compare(rounds, figure, some, other) {
  return ratio(column(rounds[some], figure), column(rounds[other], figure))
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}

function table(heading, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  console.log(
    [heading, heading.map((_, at) => (at === 0 ? '---' : '---:')), ...rows].map(line).join('\n'),
    '\n',
  )
}

async function startRedis() {
  if (spawnSync('redis-server', ['--version']).error !== undefined) return null
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const server = spawn('redis-server', ['--port', `${port}`, '--save', '', '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  })
  server.unref()
  // However this ends: a signal alone would not be an exit.
  process.on('exit', () => server.kill())
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1))
  await sleep(500)
  return { port }
}
