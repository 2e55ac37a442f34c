// Runs the benches one after the other, each in a process of its own.
// Run after `npm run setup` and a build: npm run bench [-- http client …] [-- --write docs/performance.md]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** By the name of their script: which file, and what question it answers. */
const BENCHES = {
  library: ['library.mjs', 'The library alone, next to one signature'],
  http: ['http.mjs', 'A service, next to one signature check and to others'],
  profile: ['profile.mjs', 'Where the time of a request goes'],
  client: ['client.mjs', 'A client, next to one signature'],
  start: ['start.mjs', 'Starting'],
  replay: ['replay.mjs', 'Remembering proofs'],
  trust: ['trust-domains.mjs', 'Ten thousand trust domains'],
}

const { values, positionals } = parseArgs({
  options: { write: { type: 'string' } },
  allowPositionals: true,
})
const chosen = positionals.length === 0 ? Object.keys(BENCHES) : positionals
const unknown = chosen.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined)
  throw new Error(`no bench is called ${unknown}; ${Object.keys(BENCHES).join(', ')}`)

const printed = []
for (const name of chosen) printed.push(await run(...BENCHES[name]))
if (values.write !== undefined) writeSection(values.write, printed)

/** What it printed. One that fails ends the run, so that nothing half measured is written down. */
async function run(file, question) {
  const heading = `### ${question}\n\n`
  process.stdout.write(heading)
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part) => {
    process.stdout.write(part)
    text += part
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${file} ended with code ${code}`)
  return `${heading}${text.trim()}\n`
}

/**
 * Puts tables in the place of what the file has about the same questions on this major version of Node, whose sections
 * stand at its end, in order. Questions that were not asked keep their tables.
 */
function writeSection(file, printed) {
  const major = Number.parseInt(process.versions.node, 10)
  const [preface, ...sections] = readFileSync(file, 'utf8').split(/^(?=## )/m)
  const versionOf = (section) => Number(/^## Node (\d+)\n/.exec(section)?.[1] ?? 0)
  const others = sections.filter((section) => versionOf(section) !== major)
  const before = sections.find((section) => versionOf(section) === major) ?? ''
  const tables = Object.values(BENCHES).flatMap(([, question]) => {
    const isAbout = (table) => table.startsWith(`### ${question}\n`)
    return [...printed, ...before.split(/^(?=### )/m)].find(isAbout) ?? []
  })
  const section = [`## Node ${major}`, ...tables].map((part) => part.trimEnd()).join('\n\n')
  const written = [...others, section].toSorted((a, b) => versionOf(a) - versionOf(b))
  writeFileSync(file, `${[preface, ...written].map((part) => part.trimEnd()).join('\n\n')}\n`)
}
