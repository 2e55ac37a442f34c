import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { startConsole } from './console.js'
import { startEmbedded } from './embedded.js'
import { freePort } from './free-port.js'
import type { Services } from './services.js'
import { formatTable } from './table.js'
import { takeTour, tour, type TourCall } from './tour.js'

const USAGE = `Usage: npm start -- [--once] [--verbose]

  --once     end after the tour: exit code 0 when every line came out as expected, else 1
  --verbose  show what the services log, on standard error
`

/** Ports one can write into a browser; without them `--once` never collides with anything. */
const PORTS = { identityServer: 4401, inventory: 4402, checkout: 4403 } as const
const CONSOLE_PORT = 4400

/** Where a program writes; `process` is one. */
export interface Output {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
}

/**
 * Starts the services, takes the tour, prints it, and, unless told `--once`, serves until interrupted, the
 * console too.
 *
 * @param args the command line, without program and script
 * @param calls what the tour shows
 * @returns the exit code: 0 when every line came out as expected, 1 when not, 2 for flags it does not know
 */
export async function run(
  args: readonly string[],
  { stdout, stderr }: Output,
  calls: readonly TourCall[] = tour,
): Promise<number> {
  const flags = readFlags(args)
  if (flags === null) {
    stderr.write(USAGE)
    return 2
  }
  const log = {
    level: flags.verbose ? 'info' : 'error',
    stream: { write: (line: string) => void stderr.write(line) },
  }
  // From now on, since secrets are about to be in files. SIGHUP is a terminal that was closed.
  const interrupted = flags.once
    ? null
    : Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map(async (signal) => once(process, signal)))
  const services = await startEmbedded({ ...(flags.once ? {} : { ports: PORTS }), log })
  try {
    const lines = await takeTour(services, calls)
    stdout.write(formatTable(lines))
    if (!flags.once) {
      const console = await startConsole({
        services,
        credentials: services.consoleCredentials,
        port: await freePort(CONSOLE_PORT),
        log,
      })
      stdout.write(invitationTo(services, console.url))
      await interrupted
      await console.close()
    }
    return lines.every(({ asExpected }) => asExpected) ? 0 : 1
  } finally {
    await services.close()
  }
}

function readFlags(args: readonly string[]): { once: boolean; verbose: boolean } | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { once: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false } },
    })
    return values
  } catch {
    return null
  }
}

function invitationTo({ identityServer, inventory, checkout }: Services, console: string): string {
  return `
The services keep running until Ctrl-C. Look into requests, and see who still uses bearer tokens:

  console          ${console}

  identity server  ${identityServer}/jwks.json
  inventory        ${inventory}/healthz
  checkout         ${checkout}/healthz

Order something; checkout proves to the inventory who it is:

  curl -i ${checkout}/orders -H 'content-type: application/json' -d '{"sku":"pear","quantity":1}'

Ask the inventory without a proof:

  curl -i ${inventory}/stock/pear
`
}
