// What does a service that knows its callers take longer to start, and how much heavier is it, than a bare Fastify?
// Run after `npm run setup` and a build: npm run bench:start [-- --rounds 21]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createTestIdentityServer } from 'wimse-testkit'
import { median, title } from './measure.mjs'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '21' } } })
const PROBE = fileURLToPath(new URL('start/probe.mjs', import.meta.url))
const CASES = {
  bare: 'bare Fastify',
  imported: 'and fastify-wimse imported',
  registered: 'and registered, for one trust domain',
}
const FIGURES = ['ready', 'cpu', 'rss', 'heap']
const { trustDomains } = createTestIdentityServer({ origin: 'wimse://example.com' })

title()
const rounds = Object.fromEntries(Object.keys(CASES).map((what) => [what, []]))
// The first reads the files from the disk.
for (let round = -1; round < Number(values.rounds); round++) {
  for (const [what, figures] of Object.entries(rounds)) {
    const figure = await start(what)
    if (round >= 0) figures.push(figure)
  }
}
console.log('| | ms to ready | above | CPU ms | above | RSS MB | above | heap MB | above |')
console.log(`| --- |${' ---: |'.repeat(2 * FIGURES.length)}`)
for (const [what, figures] of Object.entries(rounds)) {
  const cells = FIGURES.flatMap((name) => [
    median(figures.map((figure) => figure[name])).toFixed(1),
    median(figures.map((figure, round) => figure[name] - rounds.bare[round][name])).toFixed(1),
  ])
  console.log(`| ${[CASES[what], ...cells].join(' | ')} |`)
}
console.log()

/** Starts once; time counts from the start of the process, memory after the collector has run. */
async function start(what) {
  const child = fork(PROBE, [JSON.stringify([what, trustDomains])], { execArgv: ['--expose-gc'] })
  const [[figures]] = await Promise.all([once(child, 'message'), once(child, 'exit')])
  return figures
}
