import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { AuthenticationError, AuthorizationError, problemFor, UnavailableError } from 'wimse'
import { DENIALS, OUTAGES, REFUSALS, SIGNING_FAULTS } from '../packages/core/src/codes.js'
import { faultsOfReferences, REFERENCE } from './references.js'

const root = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const documents = [
  'README.md',
  'SECURITY.md',
  'SPEC-MAP.md',
  '.github/CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`),
  ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`),
]

/** The rows of all tables behind a marker such as `<!-- codes: proof -->`, each as its cells. */
function rowsBehind(document: string, marker: string): readonly (readonly string[])[] {
  const [, rest = ''] = document.split(`<!-- ${marker} -->\n`)
  const table = rest.split('\n\n')[0]!.trimEnd().split('\n').slice(2)
  return table.map((row) => cellsOf(row))
}

/** Bars within code are spelled `\|`. Anchors are left out. */
function cellsOf(row: string): readonly string[] {
  return row
    .replaceAll(/<a id="[\w-]+"><\/a>/g, '')
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim())
}

describe('docs/errors.md', () => {
  const document = read('docs/errors.md')
  const calledSide = { ...REFUSALS, ...OUTAGES, ...DENIALS }

  it('lists exactly the codes of the called side, each with its status, under its stage', () => {
    const stages = new Set(Object.values(calledSide).map(({ stage }) => stage))
    const listed = [...stages].flatMap((stage) =>
      rowsBehind(document, `codes: ${stage}`).map(([status, code]) => `${code} ${stage} ${status}`),
    )
    const known = Object.entries(calledSide).map(
      ([code, { stage, status }]) => `\`${code}\` ${stage} ${status}`,
    )
    expect(listed.sort()).toEqual(known.sort())
  })

  it('lists exactly the codes of the calling side', () => {
    const listed = rowsBehind(document, 'codes: signing').map(([code]) => code)
    expect(listed.sort()).toEqual(
      Object.keys(SIGNING_FAULTS)
        .map((code) => `\`${code}\``)
        .sort(),
    )
  })

  it('has an anchor in the row of each code, where problemTypeBase leads', () => {
    const anchors = [...document.matchAll(/<a id="([\w-]+)"><\/a>`(\w+)` \|/g)]
    const keysOf = <Codes extends object>(codes: Codes) => Object.keys(codes) as (keyof Codes)[]
    const reason = 'x'
    const errors = [
      ...keysOf(REFUSALS).map((code) => new AuthenticationError(code, { reason })),
      ...keysOf(OUTAGES).map((code) => new UnavailableError(code, { reason })),
      ...keysOf(DENIALS).map((code) => new AuthorizationError(code, { reason })),
    ]
    const page = 'https://docs.example.com/errors.md#'
    const led = errors.map((error) => problemFor(error, { typeBase: page }).body)
    // No problem document tells of the calling side; its codes are spelled alike.
    const thrown = Object.keys(SIGNING_FAULTS).map((code) => ({
      type: page + code.slice('WIMSE_'.length).toLowerCase().replaceAll('_', '-'),
      code,
    }))
    expect(anchors.map(([, anchor, code]) => `${page}${anchor} ${code}`).sort()).toEqual(
      [...led, ...thrown].map(({ type, code }) => `${type} ${code}`).sort(),
    )
  })

  it('says of each what it means in the log and how it is cured', () => {
    const rows = document.split('\n').filter((line) => /^\|.*`WIMSE_[A-Z_]+` \|/.test(line))
    expect(rows).toHaveLength(Object.keys({ ...calledSide, ...SIGNING_FAULTS }).length)
    expect(rows.filter((row) => cellsOf(row).some((cell) => cell === ''))).toEqual([])
  })

  it('quotes texts that are in the code', () => {
    const sources = readdirSync(join(root, 'packages'), { recursive: true, encoding: 'utf8' })
      .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path))
      .map((path) => read(`packages/${path}`))
      .join('\n')
    const rows = document.split('\n').filter((line) => /^\|.*`WIMSE_[A-Z_]+` \|/.test(line))
    const quotes = rows.flatMap((row) =>
      [
        ...cellsOf(row)
          .join(' | ')
          .matchAll(/"([^"]+)"/g),
      ].map(([, text]) => text!),
    )
    expect(quotes.length).toBeGreaterThan(60)
    expect(quotes.filter((text) => !sources.includes(text))).toEqual([])
  })
})

describe('docs/threat-model.md', () => {
  const document = read('docs/threat-model.md')
  const readTest = (path: string): string | null =>
    existsSync(join(root, 'test', path)) ? read(`test/${path}`) : null

  /** What is wrong with the promises of a threat model, in words. */
  const faultsOf = (model: string): readonly string[] => {
    const promises = model.split('\n').flatMap((line) => (/^\| P-\d+ \|/.test(line) ? [cellsOf(line)] : []))
    return [
      ...promises.flatMap(([id], index) =>
        id === `P-${String(index + 1).padStart(2, '0')}` ? [] : [`${id} is out of turn`],
      ),
      ...promises.flatMap(([id, , code = '']) => {
        const paths = [...code.matchAll(/`([^`]+)`/g)].map(([, path]) => path!)
        return paths.length > 0 && paths.every((path) => existsSync(join(root, 'packages', path)))
          ? []
          : [`${id} names no code, or code that is not there`]
      }),
      ...promises.flatMap(([id, , , shown = '']) =>
        shown.match(REFERENCE) === null ? [`${id} names no test`] : [],
      ),
      ...faultsOfReferences(model, readTest),
    ]
  }

  it('promises nothing without code and a test that shows it', () => {
    expect(document.match(/^\| P-\d+ \|/gm)?.length).toBeGreaterThan(30)
    expect(faultsOf(document)).toEqual([])
  })

  it.for([
    ['a promise that is gone', '| P-02 | ', '| P-0x | ', 'P-03 is out of turn'],
    ['code that is not there', '`core/src/trust/wit.ts`', '`core/src/gone.ts`', 'P-03 names no code'],
    [
      'a test of another name',
      '"no later hook, ',
      '"some later hook, ',
      'fastify/order.test.ts has no "some',
    ],
    [
      'a test that is not there',
      '`fastify/order.test.ts`',
      '`fastify/gone.test.ts`',
      'there is no test fastify/gone',
    ],
    ['a promise without a test', '`fastify/identity-token.test.ts` "', '"', 'P-04 names no test'],
  ] as const)('is seen to be wrong by %s', ([, from, to, fault]) => {
    expect(document).toContain(from)
    expect(faultsOf(document.replace(from, to)).some((found) => found.startsWith(fault))).toBe(true)
  })

  it('says of all that is not protected what that means and what to do', () => {
    const [, section = ''] = document.split('## What is not protected\n')
    const rows = section
      .split('\n## ')[0]!
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2)
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter((row) => cellsOf(row).length !== 3 || cellsOf(row).includes(''))).toEqual([])
  })
})

describe('docs/operations.md', () => {
  /** What the plugin says: the first text of each call of a logger. */
  const messages = readdirSync(join(root, 'packages/fastify/src'))
    .map((path) => read(`packages/fastify/src/${path}`))
    .flatMap((text) => text.split(/\blog\.(?:debug|info|warn|error)\(/).slice(1))
    .map((call) => /'([a-zA-Z][^']* [^']*)'/.exec(call)?.[1] ?? call)

  it('lists every line of the log', () => {
    const document = read('docs/operations.md')
    expect(new Set(messages).size).toBeGreaterThan(12)
    const unlisted = messages.filter((message) => !document.includes(message.split(',')[0]!))
    expect(unlisted).toEqual([])
  })

  it('lists no line that is not there', () => {
    const listed = [...read('docs/operations.md').matchAll(/^\| (?:debug|info|warn|error) \| `([^`]+)` \|/gm)]
    expect(listed.length).toBeGreaterThan(12)
    const texts = listed.map(([, text]) => text!.replace(/, …$/, ''))
    expect(texts.filter((text) => !messages.some((message) => message.startsWith(text)))).toEqual([])
  })
})

describe('every comment in a document', () => {
  /** What a test finds a table or a block by. Readers never see it, and so nothing that is told or planned. */
  const MARKER =
    /^<!-- (?:options|codes|fields|signing codes|metrics|sizes|package\.json|run)(?:: [\w.-]+)? -->$/
  const strangersIn = (document: string): readonly string[] =>
    [...document.matchAll(/<!--[\s\S]*?-->/g)].map(([comment]) => comment).filter((one) => !MARKER.test(one))

  it('is a marker for a test', () => {
    expect(documents.flatMap((path) => strangersIn(read(path)))).toEqual([])
  })

  it('would be found when it is a note', () => {
    expect(strangersIn('<!-- run -->\n<!-- More to come. -->\n<!-- options: both -->')).toEqual([
      '<!-- More to come. -->',
    ])
  })
})

describe('every link in a document', () => {
  /** Headings as GitHub makes anchors of them, and anchors that are written down. */
  const anchorsOf = (document: string): readonly string[] => [
    ...[...document.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
    ...[...document.matchAll(/<a id="([\w-]+)">/g)].map(([, id]) => id!),
  ]

  const brokenIn = (path: string, document: string): readonly string[] =>
    [...document.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file, anchor] = target.split('#') as [string, string?]
        const at = file === '' ? path : relative(root, join(root, dirname(path), file))
        if (!existsSync(join(root, at))) return true
        if (anchor === undefined) return false
        return !anchorsOf(read(at.endsWith('.md') ? at : `${at}/README.md`)).includes(anchor)
      })

  it.for(documents.filter((path) => existsSync(join(root, path))))('of %s leads somewhere', (path) => {
    expect(brokenIn(path, read(path))).toEqual([])
  })

  it('would be found when it leads nowhere', () => {
    const links =
      '[a](trust.md) [b](gone.md) [c](trust.md#gone) [d](errors.md#calling-side) [e](https://a.example/b)'
    expect(brokenIn('docs/new.md', links)).toEqual(['gone.md', 'trust.md#gone'])
  })
})
