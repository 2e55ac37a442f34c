import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A program that some tests run for real. */
export interface RealPart {
  readonly name: string
  /** Null when it is not on this machine. */
  readonly path: string | null
  readonly versionFlag: string
}

/** The programs that the tests use when they are there; `.ci/run` installs them and accepts no skip. */
export const realParts: readonly RealPart[] = [
  { name: 'redis-server', path: onPath('redis-server'), versionFlag: '--version' },
  { name: 'nginx', path: onPath('nginx', '/usr/sbin'), versionFlag: '-v' },
  { name: 'chromium', path: onPath('chromium'), versionFlag: '--version' },
  { name: 'promtool', path: onPath('promtool'), versionFlag: '--version' },
]

const shared = fileURLToPath(new URL('../../shared/vectors/', import.meta.url))

/** The folder of shared test vectors, which a plain clone does not have; null then. */
export const sharedVectors: string | null = existsSync(shared) ? shared : null

const keySets = 'wycheproof/json_web_key_test.json'

/**
 * Wycheproof's key sets, when they are among the shared vectors. That they are not is told and skips nothing:
 * tests that always run make such sets themselves.
 */
export const wycheproofKeySets: string | null = existsSync(join(shared, keySets)) ? keySets : null

function onPath(program: string, ...more: readonly string[]): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...more]
  return folders.map((folder) => join(folder, program)).find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
