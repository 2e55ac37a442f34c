#!/usr/bin/env node
import { run } from './run.js'
import { processTerminal } from './terminal.js'

// Whoever reads our output may stop reading, as head(1) does: that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

process.exitCode = await run(process.argv.slice(2), processTerminal())
