import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import type { CommandHelp, OptionHelp } from '../../packages/cli/src/help.js'
import { createWorkplace, program, start, type Workplace } from './wimse.js'

const readme = readFileSync(new URL('../../packages/cli/README.md', import.meta.url), 'utf8')
const blocks = [...readme.matchAll(/<!-- run -->\n```sh\n([\s\S]*?)```/g)].map(([, text]) => text!)

describe.skipIf(process.platform === 'win32')('the shell examples of packages/cli/README.md', () => {
  let place: Workplace
  let service: ProtectedService | null = null
  beforeAll(() => {
    place = createWorkplace()
    mkdirSync(place.path('bin'))
    place.write('bin/wimse', `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
    chmodSync(place.path('bin/wimse'), 0o755)
  })
  afterAll(async () => {
    await service?.app.close()
    place.remove()
  })

  /** Runs an example in the shell and gives what it printed. */
  async function printedBy(block: string): Promise<string> {
    const PATH = [place.path('bin'), process.env['PATH']].join(delimiter)
    const script = service === null ? block : block.replaceAll('127.0.0.1:3000', `127.0.0.1:${service.port}`)
    const { code, stdout, stderr } = await start(
      'bash',
      ['-euo', 'pipefail', '-c', script],
      place.folder,
      '',
      {
        ...process.env,
        PATH,
      },
    )
    expect(code, stderr).toBe(0)
    return stdout
  }

  it('are there, and all others only install', () => {
    expect(blocks).toHaveLength(4)
    expect([...readme.matchAll(/```sh\n/g)]).toHaveLength(blocks.length + 1)
  })

  it.for(blocks.map((block, index) => [index + 1, block] as const))(
    'number %i prints what it says',
    async ([index, block]) => {
      if (index === 2) {
        // Its port is known once it listens, and its audience before.
        const keys = JSON.parse(place.read('jwks.json')) as { keys: object[] }
        const { port } = await freePort()
        service = await startProtectedService(
          { audience: `http://127.0.0.1:${port}`, trustDomains: { 'wimse://example.com': { jwks: keys } } },
          port,
        )
      }
      const printed = await printedBy(block)
      const promised = [...block.matchAll(/^# prints: (.*)$/gm)].map(([, text]) => text!)
      expect(promised.length).toBeGreaterThan(0)
      for (const text of promised) expect(printed).toContain(text)
    },
  )

  it('would be noticed if they ended badly or printed something else', async () => {
    await expect(printedBy('wimse frobnicate')).rejects.toThrow('no such command')
    expect(await printedBy('wimse --help')).not.toContain('accepted\n\n')
  })
})

describe('packages/cli/README.md', () => {
  it('lists every command', async () => {
    const { stdout } = await start(process.execPath, [program, '--help'], '.')
    const names = [...stdout.matchAll(/^ {2}(\w+(?: \w+)?) {2,}\S/gm)].map(([, name]) => name!)
    expect(names.length).toBeGreaterThan(8)
    for (const name of names) {
      expect(readme).toMatch(new RegExp(`^\\| \`wimse ${name}[ \`]`, 'm'))
      expect(readme).toMatch(new RegExp(`^\\| \`${name}\` \\| `, 'm'))
    }
  })

  it('lists every option, as the commands define it', async () => {
    const { stdout } = await start(process.execPath, [program, '--help', '--json'], '.')
    const { commands } = JSON.parse(stdout) as { readonly commands: readonly CommandHelp[] }
    const commandsOf = new Map<string, string[]>()
    for (const { name, options } of commands) {
      for (const option of options) {
        const row = rowOf(option)
        commandsOf.set(row, [...(commandsOf.get(row) ?? []), name])
      }
    }
    const rows = [...commandsOf].map(
      ([row, names]) => `${row} ${names.length === commands.length ? 'all' : names.join(', ')} |`,
    )
    const [, listed = ''] = readme.split('<!-- options -->\n')
    expect(listed.split('\n\n')[0]!.split('\n').slice(2)).toEqual(rows)
  })
})

function rowOf({ name, short, value, choices, repeatable, about }: OptionHelp): string {
  const words = [short === null ? `--${name}` : `-${short}, --${name}`, value ?? []].flat().join(' ')
  const among = choices === null ? '' : `; one of ${choices.join(' ')}`
  const cells = [`\`${words}\``, `${about}${among}${repeatable ? '; may be repeated' : ''}`]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

async function freePort(): Promise<{ readonly port: number }> {
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return { port }
}
