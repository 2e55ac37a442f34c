import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../packages/cli/src/index.js'
import { createWorkplace, namesACure, start, type Workplace } from './wimse.js'

let place: Workplace
beforeAll(() => {
  place = createWorkplace()
})
afterAll(() => place.remove())

/** In this process: what is asked for does not depend on one of its own. */
async function printed(
  ...words: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  const code = await run(words, {
    stdin: null,
    stdout: (chunk) => (stdout += String(chunk)),
    stderr: (text) => (stderr += text),
    now: () => 1_760_000_000,
  })
  return { code, stdout, stderr }
}

const COMMANDS = [
  'key',
  'wit issue',
  'wit verify',
  'wpt sign',
  'wpt verify',
  'inspect',
  'call',
  'conformance',
  'completion',
]

describe('help', () => {
  it('of wimse lists every command', async () => {
    const { stdout, code } = await place.wimse(['--help'])
    expect(code).toBe(0)
    expect(stdout).toMatchSnapshot()
    expect([...stdout.matchAll(/^ {2}(\w+(?: \w+)?) {2,}\S/gm)].map(([, name]) => name)).toEqual(COMMANDS)
  })

  it.for(COMMANDS)('of wimse %s stays as it is, within 100 columns, and its examples parse', async (name) => {
    const { code, stdout, stderr } = await printed(...name.split(' '), '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatchSnapshot()
    const [text, examples] = stdout.split('Examples:\n')
    expect(text!.split('\n').filter((line) => line.length > 100)).toEqual([])
    const options = [...examples!.matchAll(/--[a-z-]+/g)].map(([option]) => option)
    expect(options.filter((option) => !text!.includes(option))).toEqual([])
  })

  it('in JSON tells of the same commands, operands and options', async () => {
    for (const words of [
      ['--help', '--json'],
      ['--json', '--help'],
      ['help', '--json'],
    ]) {
      const { code, stdout, stderr } = await printed(...words)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(JSON.parse(stdout)).toMatchObject({
        command: 'help',
        commands: COMMANDS.map((name) => ({ name, summary: expect.any(String) })),
      })
    }
    const { commands } = JSON.parse((await printed('wit', '--json', '--help')).stdout)
    expect(commands.map(({ name }: { name: string }) => name)).toEqual(['wit issue', 'wit verify'])
  })

  it.for(COMMANDS)('of wimse %s in JSON has every option of the text', async (name) => {
    const { stdout: text } = await printed(...name.split(' '), '--help')
    const { code, stdout } = await printed(...name.split(' '), '--help', '--json')
    expect(code).toBe(0)
    const { commands, ...rest } = JSON.parse(stdout)
    expect(rest).toEqual({ command: 'help' })
    const [{ operands, options, ...about }, ...others] = commands
    expect({ ...about, others }).toEqual({
      name,
      others: [],
      summary: text.split('\n')[0],
      notes: expect.any(Array),
      examples: expect.any(Array),
    })
    expect(text).toContain(`Usage: wimse ${name}${operands === null ? '' : ` ${operands}`} [options]\n`)
    type Option = Readonly<Record<'name' | 'short' | 'value' | 'about', string | null>>
    const spelled = (options as Option[]).map(
      ({ name, short, value }) =>
        `${short === null ? '   ' : `-${short},`} --${name}${value === null ? '' : ` ${value}`}`,
    )
    expect(
      [...text.matchAll(/^ {2}((?:-\w,| {3}) --[a-z-]+(?: [^ \n]+)?)/gm)].map(([, line]) => line),
    ).toEqual(spelled)
  })

  it.for([...COMMANDS, 'wit', 'wpt'])('of wimse %s is that of wimse help %s too', async (name) => {
    for (const words of [[], ['--json']]) {
      const usual = await printed(...name.split(' '), '--help', ...words)
      expect(usual.code).toBe(0)
      expect(await printed('help', ...name.split(' '), ...words)).toEqual(usual)
      expect(await printed(...words, '--help', ...name.split(' '))).toEqual(usual)
    }
  })

  it('of a command that is none is none', async () => {
    for (const words of [
      ['help', 'frobnicate'],
      ['--help', 'frobnicate'],
    ]) {
      expect(await printed(...words)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('there is no such command'),
      })
    }
    const overview = await printed('--help')
    expect(await printed('help')).toEqual(overview)
    expect(overview.code).toBe(0)
  })

  it('is where a command line that is none points to', async () => {
    for (const words of [[], ['frobnicate'], ['wit'], ['wit', 'frob']]) {
      const { code, stdout, stderr } = await printed(...words)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('wimse --help')
    }
  })
})

describe('the version', () => {
  it('is that of package.json, in words and in JSON, built and not', async () => {
    const manifest = readFileSync(new URL('../../packages/cli/package.json', import.meta.url), 'utf8')
    const { version } = JSON.parse(manifest) as { readonly version: string }
    expect(await printed('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect(await place.wimse(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    for (const words of [
      ['--version', '--json'],
      ['--json', '--version'],
    ]) {
      expect(JSON.parse((await printed(...words)).stdout)).toEqual({ command: 'version', version })
    }
  })
})

describe('a command line', () => {
  it('that cannot be read is told without its values', async () => {
    for (const words of [
      ['--bogus=SECRET'],
      ['--jwks'],
      ['--json=SECRET'],
      ['-SECRET'],
      ['a', 'b', 'SECRET'],
    ]) {
      const { code, stderr } = await printed('wit', 'verify', ...words)
      expect(code).toBe(2)
      expect(stderr).toContain('wimse wit verify --help')
      expect(stderr).not.toContain('SECRET')
      expect(namesACure(stderr), stderr).toBe(true)
    }
  })

  it('is answered in JSON when that was asked for, however wrong it is', async () => {
    const { stdout, stderr } = await printed('wit', 'verify', '--json', '--bogus')
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'USAGE', message: expect.stringContaining('--bogus'), cure: expect.any(String) },
    })
  })

  it('may begin with --json, and with no other option', async () => {
    const { code, stdout } = await printed('--json', 'completion', 'bash')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ command: 'completion', shell: 'bash' })
    expect(await printed('completion', 'bash', '--json')).toEqual({ code, stdout, stderr: '' })
    const { code: refused, stderr } = await printed('--now', '1', 'key')
    expect(refused).toBe(2)
    expect(stderr).toContain('options come after the command')
    expect(stderr).toContain('wimse --help')
  })

  it('without standard input says that something is to be piped in', async () => {
    const { code, stderr } = await printed('inspect')
    expect(code).toBe(2)
    expect(stderr).toContain('Pipe it in')
  })
})

describe('completion', () => {
  it.for(['bash', 'zsh', 'fish'])('for %s knows every command and option', async (shell) => {
    const { stdout } = await printed('completion', shell)
    for (const flag of ['help', 'version']) expect(stdout).toMatch(new RegExp(`(?:--|-l )${flag}\\b`))
    for (const name of COMMANDS) {
      for (const word of name.split(' ')) expect(stdout).toContain(word)
      const { stdout: help } = await printed(...name.split(' '), '--help')
      for (const [, option] of help.matchAll(/^ {2}(?:-\w,| {3}) --([a-z-]+)/gm))
        expect(stdout).toContain(option)
    }
  })

  it('for another shell there is none', async () => {
    expect(await printed('completion', 'csh')).toMatchObject({ code: 2 })
  })

  it.for([
    ['ca\t x', ['call', 'x']],
    ['--v\t', ['--version']],
    ['w\t\t', ['w']],
    ['wit i\t', ['wit', 'issue']],
    ['wpt sign --re\t', ['wpt', 'sign', '--revision']],
    ['wpt sign --revision wpt-01\t -', ['wpt', 'sign', '--revision', 'wpt-01', '-']],
    ['wpt sign --revision w\t2', ['wpt', 'sign', '--revision', 'wpt-02']],
    ['key --public on\t', ['key', '--public', 'one.jwk']],
    ['key --public my\t', ['key', '--public', 'my key.jwk']],
    ['key --public my\\ k\t', ['key', '--public', 'my key.jwk']],
    ['key --public "my k\t', ['key', '--public', 'my key.jwk']],
    ['key --public=my\t', ['key', '--public=my key.jwk']],
    ['key --public a\t', ['key', '--public', 'a folder/']],
    ['key --public a\tin\t', ['key', '--public', 'a folder/inner.jwk']],
    ['key --alg=Es\t', ['key', '--alg=Es']],
    ['key --alg=Ed2\t', ['key', '--alg=Ed25519']],
    ['key --alg Ed2\t', ['key', '--alg', 'Ed25519']],
    ['inspect on\t', ['inspect', 'one.jwk']],
    ['inspect one.jwk --jw\t on\t', ['inspect', 'one.jwk', '--jwks', 'one.jwk']],
    ['completion z\t', ['completion', 'zsh']],
    ['call x -X \t--me', ['call', 'x', '-X', '--me']],
    ['call x -X --da\t', ['call', 'x', '-X', '--da']],
    ['call x -H --da\t', ['call', 'x', '-H', '--da']],
    ['call x -i --da\t', ['call', 'x', '-i', '--data']],
    ['call http:\tx', ['call', 'http:x']],
    ['wit verify --jwks http://t\t', ['wit', 'verify', '--jwks', 'http://t']],
    ['wit verify --jwks http:/\t/x --jw\t', ['wit', 'verify', '--jwks', 'http://x', '--jwks']],
  ] as const)('in bash makes of %j %j', async ([typed, words]) => {
    place.write('wimse.bash', (await printed('completion', 'bash')).stdout)
    place.write('rc', `source wimse.bash; wimse() { printf 'RAN'; printf '<%s>' "$@"; echo; }; PS1=''`)
    for (const name of ['one.jwk', 'my key.jwk', 'a folder/inner.jwk', 'call/inner.jwk']) {
      mkdirSync(dirname(place.path(name)), { recursive: true })
      place.write(name, '')
    }
    const { stdout } = await start(
      'bash',
      ['--noprofile', '--rcfile', 'rc', '-i'],
      place.folder,
      `wimse ${typed}\n`,
      { PATH: process.env['PATH'], HOME: place.folder, TERM: 'dumb', INPUTRC: '/dev/null' },
    )
    expect(/^RAN(.*)$/m.exec(stdout)?.[1]).toBe(words.map((word) => `<${word}>`).join(''))
  })
})
