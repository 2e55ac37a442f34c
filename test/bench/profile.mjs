// Where does the time of a request go? The service and the floor of http.mjs under V8's own profiler, as busy as
// they can be: microseconds of a request by whose code they are spent in.
// Run after `npm run setup` and a build: npm run bench:profile [-- --algorithm ES256]
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openConnection, saturate } from './http/load.mjs'
import { createCast } from './http/requests.mjs'
import { startService } from './http/service.mjs'
import { title } from './measure.mjs'
import { arrangement, moveToOthers } from './processors.mjs'

const { values } = parseArgs({
  options: { algorithm: { type: 'string', multiple: true, default: ['ES256', 'EdDSA'] } },
})
const CONNECTIONS = 32
const REQUESTS = 3000
const [WARM_UP, ROUNDS] = [4, 12]
const MICROSECONDS_A_SAMPLE = 200

/** Whose code a frame is, the first that fits. */
const OWNERS = [
  ['the signature check', ({ functionName }) => functionName === 'verifyOneShot'],
  ['SHA-256', ({ url }) => url === 'node:internal/crypto/hash'],
  ['`wimse`', ({ url }) => url.includes('/packages/core/')],
  ['`fastify-wimse`', ({ url }) => url.includes('/packages/fastify/')],
  ['Fastify, its router, lru-cache', ({ url }) => url.includes('/node_modules/')],
  ['the measuring', ({ url }) => url.includes('/test/bench/')],
  ['promises', ({ functionName, url }) => functionName === 'runMicrotasks' || url.includes('task_queues')],
  ['the collector', ({ functionName }) => functionName === '(garbage collector)'],
  ["Node's HTTP, sockets, buffers, and the system", () => true],
]

title()
console.log(`${arrangement}\n`)
moveToOthers()
for (const algorithm of values.algorithm) {
  const cast = await createCast(algorithm)
  const floor = await profiled('floor', 'der', cast)
  const ours = await profiled('memory', 'wimse', cast)
  show(algorithm, floor, ours)
}

/** @returns microseconds of a request, by owner */
async function profiled(name, sends, cast) {
  const folder = mkdtempSync(join(tmpdir(), 'wimse-profile-'))
  const sampling = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${MICROSECONDS_A_SAMPLE}`]
  const service = await startService(name, cast.settings, sampling)
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => openConnection(service.port)),
  )
  const windows = []
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const requests = cast.requests(sends, REQUESTS)
    const from = microseconds()
    const { refused } = await saturate(connections, requests)
    if (refused > 0) throw new Error(`${refused} requests were refused`)
    if (round >= 0) windows.push([from, microseconds()])
  }
  for (const connection of connections) connection.close()
  await service.stop()
  const [file] = readdirSync(folder)
  const profile = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  rmSync(folder, { recursive: true })
  return spent(profile, windows)
}

/** The clock that V8 stamps its samples with, the same for all processes. */
function microseconds() {
  return Number(process.hrtime.bigint() / 1000n)
}

function spent({ nodes, samples, timeDeltas, startTime }, windows) {
  const owners = new Map(
    nodes.map(({ id, callFrame }) => [id, OWNERS.find(([, owns]) => owns(callFrame))[0]]),
  )
  const idle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id),
  )
  const times = Object.fromEntries(OWNERS.map(([owner]) => [owner, 0]))
  let at = startTime
  for (const [index, node] of samples.entries()) {
    at += timeDeltas[index]
    if (idle.has(node) || !windows.some(([from, to]) => at >= from && at <= to)) continue
    times[owners.get(node)] += timeDeltas[index] / (ROUNDS * REQUESTS)
  }
  return times
}

function show(algorithm, floor, ours) {
  console.log(
    `${algorithm}, µs of a request\n\n| | the floor | fastify-wimse | more |\n| --- | ---: | ---: | ---: |`,
  )
  const sum = (times) => Object.values(times).reduce((total, time) => total + time, 0)
  const rows = [
    ...OWNERS.map(([owner]) => [owner, floor[owner], ours[owner]]),
    ['all', sum(floor), sum(ours)],
  ]
  for (const [owner, some, other] of rows) {
    console.log(`| ${owner} | ${some.toFixed(1)} | ${other.toFixed(1)} | ${(other - some).toFixed(1)} |`)
  }
  console.log()
}
