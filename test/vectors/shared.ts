import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sharedVectors } from '../machine.js'

/** Reads a file of shared vectors; the tests that use it are skipped, loudly, where there are none. */
export function readVectors<T>(file: string, empty: T): T {
  return sharedVectors === null ? empty : (JSON.parse(readFileSync(join(sharedVectors, file), 'utf8')) as T)
}
