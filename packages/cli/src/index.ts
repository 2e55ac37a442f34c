/**
 * The command `wimse`, for programs that would rather call it than start it.
 *
 * @module
 */
export type { ExitCode } from './failure.js'
export { run } from './run.js'
export { processTerminal, type Terminal } from './terminal.js'
