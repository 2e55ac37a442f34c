// Runs the tests and says in the last line how many there were. With --no-skips a skipped test is a failure.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const results = join(here, '.results.json')
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const args = process.argv.slice(2)
const noSkips = args.includes('--no-skips') || process.env.NO_SKIPS === '1'

rmSync(results, { force: true })
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', join(here, 'vitest.config.ts'), ...args.filter((arg) => arg !== '--no-skips')],
  { stdio: 'inherit', cwd: here },
)

const { numPassedTests, numFailedTests, numPendingTests, success } = JSON.parse(readFileSync(results, 'utf8'))
if (numPendingTests > 0) console.error(`${numPendingTests} tests were skipped; the reasons stand at the top`)
// A file that does not load fails no test.
const failed =
  Math.max(numFailedTests, success || numFailedTests > 0 ? 0 : 1) + (noSkips ? numPendingTests : 0)
console.log(`${numPassedTests} passed, ${failed} failed`)
process.exitCode = status !== 0 || failed > 0 ? 1 : 0
