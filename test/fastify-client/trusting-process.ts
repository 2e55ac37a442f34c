import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
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

/** Environment of a process that trusts an authority of its own. */
export function trusting(ca: string): { readonly NODE_EXTRA_CA_CERTS: string } {
  const path = join(mkdtempSync(join(tmpdir(), 'wimse-')), 'ca.pem')
  writeFileSync(path, ca)
  return { NODE_EXTRA_CA_CERTS: path }
}

/**
 * Makes calls in a process that trusts an authority of its own.
 *
 * @returns for each URL the status, or the code of what went wrong
 */
export async function runTrusting(ca: string, calls: Calls): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [caller, JSON.stringify(calls)], {
    env: { ...process.env, ...trusting(ca) },
  })
  return stdout.trim().split('\n')
}
