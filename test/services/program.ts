import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A program of the demo as it was built, running in a process of its own. */
export interface Program {
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until standard output has what is looked for. */
  readonly says: (what: RegExp) => Promise<string>
  readonly exitCode: Promise<number | null>
}

const programs: Program[] = []

/** Kills all that were started. */
export async function endPrograms(): Promise<void> {
  for (const { process, exitCode } of programs.splice(0)) {
    process.kill('SIGKILL')
    await exitCode
  }
}

/**
 * Starts a program in a process of its own, with no more of an environment than it is given.
 *
 * @param path of the script, from `apps/`
 */
export function startProgram(
  path: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Program {
  const script = isAbsolute(path) ? path : fileURLToPath(new URL(`../../apps/${path}`, import.meta.url))
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const exitCode = once(child, 'close').then(() => child.exitCode)
  const says = async (what: RegExp): Promise<string> => {
    for (;;) {
      const [found] = what.exec(stdout) ?? []
      if (found !== undefined) return found
      if (child.exitCode !== null) throw new Error(`${path} ended with ${child.exitCode}: ${stderr}`)
      await Promise.race([once(child.stdout, 'data'), exitCode])
    }
  }
  const program = { process: child, stdout: () => stdout, stderr: () => stderr, says, exitCode }
  programs.push(program)
  return program
}
