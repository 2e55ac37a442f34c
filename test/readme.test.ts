import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { AUTHENTICATOR_OPTIONS } from 'wimse'
import { DENIALS, OUTAGES, REFUSALS, SIGNING_FAULTS } from '../packages/core/src/codes.js'
import { CONNECTION_OPTIONS } from '../packages/spiffe/src/connection-options.js'
import { SPIFFE_BUNDLES_OPTIONS } from '../packages/spiffe/src/spiffe-bundles.js'
import { SPIFFE_CREDENTIALS_OPTIONS } from '../packages/spiffe/src/spiffe-credentials.js'

const root = new URL('../', import.meta.url)
const scratch = new URL('./.readme/', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

const readmes = [
  'README.md',
  'docs/observability.md',
  ...readdirSync(new URL('packages', root)).map((name) => `packages/${name}/README.md`),
]

afterAll(() => rmSync(scratch, { recursive: true, force: true }))
afterEach(() => {
  vi.restoreAllMocks()
})

describe('every example in a README runs, and prints what it says', () => {
  mkdirSync(scratch, { recursive: true })
  for (const readme of readmes) {
    const blocks = [...read(readme).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!)
    it(`${readme} has one`, () => expect(blocks.length).toBeGreaterThan(0))
    for (const [index, code] of blocks.entries()) {
      it(`${readme}, example ${index + 1}`, async () => {
        const file = new URL(`${readme.replaceAll('/', '-')}-${index}.ts`, scratch)
        writeFileSync(file, code)
        const printed: string[] = []
        vi.spyOn(console, 'log').mockImplementation(
          (...values: unknown[]) => void printed.push(values.map(String).join(' ')),
        )
        await import(/* @vite-ignore */ file.pathname)
        const promised = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)/g)].map(([, text]) => text)
        expect(promised.length).toBeGreaterThan(0)
        expect(printed).toEqual(promised)
      })
    }
  }
})

describe('every table in a README is true', () => {
  const tableAfter = (readme: string, marker: string): string[] => {
    const [, rest] = read(readme).split(`<!-- ${marker} -->\n`)
    return (rest ?? '').split('\n\n')[0]!.split('\n').slice(2)
  }
  const firstCell = (row: string): string => /`([^`]+)`/.exec(row)?.[1] ?? row

  const pluginOptions = [
    'mode',
    'allow',
    'stripTokens',
    'problemTypeBase',
    'onDenied',
    'bearer',
    'transition',
    'adoptionWindow',
    'replicas',
  ]
  const clientOptions = [
    'credentials',
    'targets',
    'revision',
    'lifetime',
    'otherTokens',
    'redirect',
    'allowInsecure',
    'now',
  ]
  const ofBothSpiffeSources: ReadonlySet<string> = new Set([...CONNECTION_OPTIONS, 'onEvent'])
  for (const [readme, marker, names] of [
    ['README.md', 'options: fastify-wimse', [...AUTHENTICATOR_OPTIONS, ...pluginOptions]],
    ['packages/fastify/README.md', 'options: fastify-wimse', [...AUTHENTICATOR_OPTIONS, ...pluginOptions]],
    ['README.md', 'options: fastify-wimse-client', clientOptions],
    ['packages/fastify-client/README.md', 'options: fastify-wimse-client', clientOptions],
    [
      'packages/redis/README.md',
      'options: redisReplayStore',
      ['client', 'keyPrefix', 'maxEntriesPerCaller', 'warn'],
    ],
    ['packages/spiffe/README.md', 'options: both', [...CONNECTION_OPTIONS, 'onEvent']],
    [
      'packages/spiffe/README.md',
      'options: spiffeCredentials',
      SPIFFE_CREDENTIALS_OPTIONS.filter((name) => !ofBothSpiffeSources.has(name)),
    ],
    [
      'packages/spiffe/README.md',
      'options: spiffeBundles',
      SPIFFE_BUNDLES_OPTIONS.filter((name) => !ofBothSpiffeSources.has(name)),
    ],
  ] as const) {
    it(`${readme} lists every option (${marker})`, () => {
      expect(tableAfter(readme, marker).map(firstCell).sort()).toEqual([...names].sort())
    })
  }

  for (const [name, file, begins] of [
    ['createAuthenticator', 'authenticator-options.ts', 'interface AuthenticatorOptions {'],
    ['createTrustBundleSource', 'trust/sources.ts', 'interface TrustBundleSourceOptions {'],
    ['issueWit', 'signing/issue-wit.ts', 'interface IssueWitOptions {'],
    ['signRequest', 'signing/sign-request.ts', 'interface SignRequestOptions {'],
    ['signWpt', 'signing/sign-wpt.ts', 'interface WptOptions {'],
    ['createWitRequest', 'signing/wit-request.ts', 'function createWitRequest('],
    ['verifyWitRequest', 'signing/wit-request.ts', 'function verifyWitRequest('],
    ['memoryReplayStore', 'replay/memory-replay-store.ts', 'interface MemoryReplayStoreOptions {'],
    ['memoryCallerMemory', 'access/memory-caller-memory.ts', 'interface MemoryCallerMemoryOptions {'],
    ['resolveConfirmation', 'trust/confirmation-options.ts', 'interface ConfirmationOptions {'],
  ] as const) {
    it(`packages/core/README.md lists every option of ${name}, what is required and each default of its docstring`, () => {
      const rows = tableAfter('packages/core/README.md', `options: ${name}`)
      const members = membersIn(read(`packages/core/src/${file}`), begins)
      expect(members.length).toBeGreaterThan(0)
      const listed = rows.map((row) => [firstCell(row), row.includes('| **required**: ')])
      expect(listed).toEqual(members.map(({ option, required }) => [option, required]))
      for (const { option, default: value } of members) {
        expect(rows.find((row) => firstCell(row) === option)).toContain(value)
      }
    })
  }

  it('README.md lists every code of the called side with its status', () => {
    const rows = tableAfter('README.md', 'codes').map((row) => [
      firstCell(row),
      Number(/^\| (\d+)/.exec(row)?.[1]),
    ])
    const codes = Object.entries({ ...REFUSALS, ...OUTAGES, ...DENIALS }).map(([code, { status }]) => [
      code,
      status,
    ])
    expect(rows.sort()).toEqual(codes.sort())
  })

  it('README.md lists every code of the calling side that can be thrown', () => {
    const codes = Object.keys(SIGNING_FAULTS)
    expect(tableAfter('README.md', 'signing codes').map(firstCell).sort()).toEqual(codes.sort())
  })
})

/** Options in a source file, from where their type begins, with what their docstrings say is the default. */
function membersIn(
  source: string,
  begins: string,
): readonly { readonly option: string; readonly required: boolean; readonly default: string }[] {
  const [text] = source.slice(source.indexOf(begins)).split(/\n\s*\}/)
  const members = text!.matchAll(/(?:\/\*\*((?:(?!\*\/)[^])*)\*\/\s*)?^ +readonly (\w+)(\??):/gm)
  return [...members].map(([, doc = '', option, optional]) => {
    const [, quoted, plain = ''] = /Default (?:`([^`]+)`|(\d[\d,]*(?: MiB)?|true|false))/.exec(doc) ?? []
    return { option: option!, required: optional === '', default: quoted ?? plain.replaceAll(',', '') }
  })
}
