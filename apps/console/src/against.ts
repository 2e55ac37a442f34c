import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Output } from './run.js'
import type { Services } from './services.js'
import { formatTable } from './table.js'
import { replicaTour, takeTour, tour } from './tour.js'

const USAGE = `Usage: npm run tour -- --against https://localhost:8443 [--material DIR]

  --against   where the gateway of the compose file is reached
  --material  folder with the visitor's secrets and the certificate of the gateway's authority; without it
              they are copied out of the running console, with docker compose
`

/**
 * Takes the tour of services that run somewhere else, behind the gateway of the compose file.
 *
 * @param args the command line, without program and script
 * @returns the exit code: 0 when every line came out as expected, 1 when not or when it cannot be taken, 2 for
 *   flags it does not know
 */
export async function tourAgainst(args: readonly string[], { stdout, stderr }: Output): Promise<number> {
  const flags = readFlags(args)
  if (flags === null) {
    stderr.write(USAGE)
    return 2
  }
  const { against, material } = flags
  try {
    if (material === undefined) return withCopiedMaterial(against)
    const secrets = readSecrets(material)
    const lines = await takeTour(
      {
        identityServer: `${against}/identity`,
        inventory: `${against}/inventory`,
        checkout: `${against}/checkout`,
        ...secrets,
      },
      [...tour, ...replicaTour],
    ).catch((error: unknown) => {
      throw new Obstacle(`the visitor gets no identity at ${against}/identity: ${reasonOf(error)}`)
    })
    stdout.write(formatTable(lines))
    return lines.every(({ asExpected }) => asExpected) ? 0 : 1
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error
    stderr.write(`The tour cannot be taken: ${error.message}\n`)
    return 1
  }
}

/** Why the tour cannot be taken, in words for whoever wanted to. */
class Obstacle extends Error {}

function readSecrets(folder: string): Pick<Services, 'visitorSecret' | 'visitorToken' | 'latecomerToken'> {
  const secret = (name: string): string => readFileSync(join(folder, name), 'utf8').trim()
  try {
    return {
      visitorSecret: secret('visitor'),
      visitorToken: secret('visitor-token'),
      latecomerToken: secret('latecomer-token'),
    }
  } catch (error) {
    throw new Obstacle(`the secrets of the visitor cannot be read: ${reasonOf(error)}`)
  }
}

/** Of `fetch` the cause says why. */
function reasonOf(error: unknown): string {
  const { cause = error } = error as Error
  const { code, message } = cause as NodeJS.ErrnoException
  return message === '' ? (code ?? 'no answer') : message
}

/** A process reads once, at its start, which authorities it trusts: so it takes another. */
function withCopiedMaterial(against: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'wimse-tour-'))
  try {
    copyMaterial(folder)
    const script = fileURLToPath(new URL('take-tour.js', import.meta.url))
    const { status } = spawnSync(process.execPath, [script, '--against', against, '--material', folder], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
      stdio: 'inherit',
    })
    return status ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function copyMaterial(folder: string): void {
  try {
    execFileSync('docker', ['compose', 'cp', 'console:/srv/demo/.', folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  } catch {
    throw new Obstacle(
      'docker compose could not copy its secrets out of the console. Is it running? Otherwise give --material.',
    )
  }
}

function readFlags(args: readonly string[]): { against: string; material: string | undefined } | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { against: { type: 'string' }, material: { type: 'string' } },
    })
    const { against, material } = values
    if (against === undefined || !URL.canParse(against)) return null
    return { against: against.replace(/\/$/, ''), material }
  } catch {
    return null
  }
}
