// What Stryker's last run found, by file; and whether each mutant that no test noticed is one that nobody can notice.
// Run by `npm run mutation`, after Stryker.
import { readFileSync } from 'node:fs'

const results = process.argv.length > 2 ? process.argv.slice(2) : ['.stryker-tmp/mutation.json']
const equivalents = JSON.parse(readFileSync(new URL('equivalents.json', import.meta.url), 'utf8'))
const unused = new Set(equivalents)
const unexplained = []

console.log('| | mutants | noticed | cannot be noticed | not noticed |\n| --- | ---: | ---: | ---: | ---: |')
const files = results.flatMap((file) => Object.entries(JSON.parse(readFileSync(file, 'utf8')).files))
const seen = new Set(files.map(([file]) => file))
for (const [file, { source, mutants }] of files) {
  const counted = mutants.filter(({ status }) => !['Ignored', 'CompileError'].includes(status))
  const left = counted.filter(({ status }) => !['Killed', 'Timeout', 'RuntimeError'].includes(status))
  const known = left.filter((mutant) => explanationOf(file, source, mutant) !== undefined)
  unexplained.push(
    ...left.filter((mutant) => !known.includes(mutant)).map((mutant) => describe(file, source, mutant)),
  )
  console.log(
    `| \`${file}\` | ${counted.length} | ${counted.length - left.length} | ${known.length} | ${left.length - known.length} |`,
  )
}
for (const one of unexplained) console.log(`\nnot noticed: ${JSON.stringify(one, null, 2)}`)
for (const one of unused) {
  if (seen.has(one.file)) console.log(`\nexplained, and not there: ${JSON.stringify(one, null, 2)}`)
}
process.exitCode = unexplained.length === 0 ? 0 : 1

function explanationOf(file, source, mutant) {
  const { code, becomes } = describe(file, source, mutant)
  const found = equivalents.find((one) => one.file === file && one.code === code && one.becomes === becomes)
  unused.delete(found)
  return found
}

function describe(file, source, { location, replacement }) {
  return { file, code: plain(textAt(source, location)), becomes: plain(replacement) }
}

function textAt(source, { start, end }) {
  const lines = source.split('\n').slice(start.line - 1, end.line)
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column - 1)
  lines[0] = lines[0].slice(start.column - 1)
  return lines.join('\n')
}

/** Without the line breaks of whoever formatted it. */
function plain(code) {
  return code.replace(/\s+/g, ' ').trim()
}
