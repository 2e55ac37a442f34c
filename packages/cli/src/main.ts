#!/usr/bin/env node
import { run } from './run.js'
import { processTerminal } from './terminal.js'

/** No code of a command: what it came to is lost with its output. */
const OUTPUT_LOST = 5

process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // Whoever reads our output may stop reading, as head(1) does: that is no fault, and changes no verdict.
  if (code === 'EPIPE' || process.exitCode === OUTPUT_LOST) return
  process.exitCode = OUTPUT_LOST
  process.stderr.write(`wimse: standard output cannot be written (${code ?? 'for a reason unknown'})\n`)
})
// There is nobody left to tell.
process.stderr.on('error', () => undefined)

const exitCode = await run(process.argv.slice(2), processTerminal())
process.exitCode ??= exitCode
