import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TargetOptions } from 'fastify-wimse-client'

const caller = fileURLToPath(new URL('caller.mjs', import.meta.url))

/** Calls to make in a process of its own, since a process reads once which authorities it trusts. */
export interface Calls {
  readonly wit: string
  readonly key: object
  readonly targets: readonly (string | TargetOptions)[]
  readonly urls: readonly string[]
  readonly redirect?: 'same-target'
}

/**
 * Makes calls in a process that trusts an authority of its own, as `NODE_EXTRA_CA_CERTS` has it.
 *
 * @returns for each URL the status, or the code of what went wrong
 */
export async function runTrusting(ca: string, calls: Calls): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'wimse-'))
  try {
    writeFileSync(join(folder, 'ca.pem'), ca)
    const { stdout } = await promisify(execFile)(process.execPath, [caller, JSON.stringify(calls)], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
    })
    return stdout.trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
