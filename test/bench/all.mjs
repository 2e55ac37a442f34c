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
if (values.write !== undefined) writeSection(values.write, printed.join('\n'))

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

/** Puts it in the place of what the file has about this major version of Node, or at its end. */
function writeSection(file, text) {
  const heading = `## Node ${process.versions.node.split('.')[0]}\n`
  const [preface, ...sections] = readFileSync(file, 'utf8').split(/^(?=## )/m)
  const others = sections.map((section) => `${section.trimEnd()}\n`)
  const at = others.findIndex((section) => section.startsWith(heading))
  others.splice(at < 0 ? others.length : at, at < 0 ? 0 : 1, `${heading}\n${text}`)
  writeFileSync(file, [`${preface.trimEnd()}\n`, ...others].join('\n'))
}
