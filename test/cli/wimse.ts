import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The command as it was built. */
export const program: string = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))
if (!existsSync(program)) {
  throw new Error('packages/cli is not built; `npx tsc -b test` at the root of the repository builds it')
}

/** How a run ended and what it said. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder to work in, with what a run needs. */
export interface Workplace {
  readonly folder: string
  readonly path: (name: string) => string
  readonly write: (name: string, text: string) => string
  readonly read: (name: string) => string
  /** Starts the built command here, in a process of its own. */
  readonly wimse: (words: readonly string[], input?: string, env?: NodeJS.ProcessEnv) => Promise<Run>
  readonly remove: () => void
}

/** Makes an empty folder. */
export function createWorkplace(): Workplace {
  const folder = mkdtempSync(join(tmpdir(), 'wimse-cli-'))
  const path = (name: string): string => join(folder, name)
  return {
    folder,
    path,
    write: (name, text) => {
      writeFileSync(path(name), text, { mode: 0o600 })
      return name
    },
    read: (name) => readFileSync(path(name), 'utf8'),
    wimse: (words, input = '', env = {}) =>
      start(process.execPath, [program, ...words], folder, input, { ...process.env, ...env }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Runs a line of bash in which `wimse` is the command; it ends as the first command of its last pipe did. */
export async function bash({ folder }: Workplace, line: string): Promise<Run> {
  const script = `wimse() { '${process.execPath}' '${program}' "$@"; }; ${line}; exit "\${PIPESTATUS[0]}"`
  return start('bash', ['--norc', '-c', script], folder)
}

/** Starts any program, gives it its input, and waits for its end. */
export async function start(
  file: string,
  args: readonly string[],
  cwd: string,
  input = '',
  env: NodeJS.ProcessEnv = process.env,
): Promise<Run> {
  const child = spawn(file, args, { cwd, env })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  // It may end without having read.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}

/** A key pair for an identity server and a workload, with a WIT, all made by the command. */
export async function issueTokens(place: Workplace, now?: number): Promise<void> {
  const moment = now === undefined ? [] : ['--now', String(now)]
  const made = [
    await place.wimse(['key', '--out', 'issuer.jwk', '--set']),
    await place.wimse(['key', '--out', 'checkout.jwk']),
    await place.wimse([
      'wit',
      'issue',
      '--issuer-key',
      'issuer.jwk',
      '--subject',
      'wimse://example.com/checkout',
      '--confirmation-key',
      'checkout.jwk',
      '--out',
      'checkout.wit',
      ...moment,
    ]),
  ]
  const failed = made.find(({ code }) => code !== 0)
  if (failed !== undefined) throw new Error(failed.stderr)
  place.write('jwks.json', made[0]!.stdout)
}

/** What checks of this trust domain take. */
export const TRUST: readonly string[] = ['--jwks', 'jwks.json', '--trust-domain', 'wimse://example.com']
export const CREDENTIAL: readonly string[] = ['--wit', 'checkout.wit', '--key', 'checkout.jwk']

/** The proof in the fields that were printed. */
export function proofIn(fields: string): string {
  return /^(?:Workload-Proof-Token: |Authorization: WPT )(.*)$/m.exec(fields)![1]!
}

/** Whether an error for people has a second line, which is what to do about it: a whole sentence. */
export function namesACure(stderr: string): boolean {
  return /^wimse: (?!warning: ).+\n {2}(?:[A-Z`-]|wimse ).+\.\n$/m.test(stderr)
}

/** What must not be on a screen or in a log unless it was asked for. */
export function secretsIn(text: string): readonly string[] {
  return [...text.matchAll(/e[yw3][\w-]{14,}|"d"|BEGIN [A-Z ]*PRIVATE|\bat .+:\d+:\d+|node:internal/g)].map(
    ([match]) => match,
  )
}
