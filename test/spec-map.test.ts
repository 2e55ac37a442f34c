import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { faultsOfReferences, REFERENCE, type ReadTest } from './references.js'

/** How many numbered requirements each family has. */
const FAMILIES = {
  WIT: 31,
  WPT: 39,
  CNF: 18,
  ID: 12,
  ERR: 12,
  BEAR: 8,
  AUTHZ: 6,
  SEC: 11,
  BCP: 14,
  URI: 6,
  NODE: 2,
  HSIG: 12,
  CLI: 9,
} as const

const ids = Object.entries(FAMILIES).flatMap(([family, count]) =>
  Array.from({ length: count }, (_, index) => `${family}-${String(index + 1).padStart(2, '0')}`),
)

/** What a map is held against. */
interface Project {
  readonly hasCode: (path: string) => boolean
  readonly readTest: ReadTest
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const project: Project = {
  hasCode: (path) => /^[\w-]+\/src\/.+\.ts$/.test(path) && existsSync(at(`../packages/${path}`)),
  readTest: (path) => (existsSync(at(path)) ? readFileSync(at(path), 'utf8') : null),
}

const REASON = /^(?:not implemented|not yet|out of scope|the deployer’s): .{20,}/

/** Finds all that is wrong with a map, in words. */
function faultsOf(map: string, required: readonly string[], { hasCode, readTest }: Project): string[] {
  const rows = map
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, id]) => /^[A-Z]+-\d+$/.test(id ?? ''))
  const named = rows.map(([, id]) => id!)
  return [
    ...required.filter((id) => !named.includes(id)).map((id) => `${id} has no row`),
    ...named.filter((id) => !required.includes(id)).map((id) => `${id} is no requirement`),
    ...named.filter((id, index) => named.indexOf(id) !== index).map((id) => `${id} has two rows`),
    ...rows.flatMap(([, id, , where = '', shown = '']) =>
      faultsOfRow(where, shown).map((fault) => `${id}: ${fault}`),
    ),
    ...faultsOfReferences(map, readTest),
  ]

  function faultsOfRow(where: string, shown: string): string[] {
    if (where === '—') return REASON.test(shown) ? [] : ['has no code and no reason']
    const paths = [...where.matchAll(/`([^`]+)`/g)].map(([, path]) => path!)
    return [
      ...(paths.length === 0 ? ['names no code'] : []),
      ...paths.filter((path) => !hasCode(path)).map((path) => `there is no code ${path}`),
      ...(shown.match(REFERENCE) === null ? ['names no test'] : []),
    ]
  }
}

describe('SPEC-MAP.md', () => {
  const map = readFileSync(at('../SPEC-MAP.md'), 'utf8')

  it('is about 180 requirements', () => expect(ids).toHaveLength(180))

  it('has a row for each, with code and a test, or with a reason', () => {
    expect(faultsOf(map, ids, project)).toEqual([])
  })

  it('names what is known not to be there', () => {
    const absent = map.split('\n').filter((line) => / \| — \| /.test(line))
    expect(absent.filter((line) => line.startsWith('| HSIG-'))).toHaveLength(12)
    for (const id of ['ERR-11', 'ERR-12']) {
      expect(absent.filter((line) => line.startsWith(`| ${id} |`))).toHaveLength(1)
    }
  })
})

describe('the check of a map', () => {
  const required = ['WIT-01', 'WIT-02', 'ERR-11']
  const small: Project = {
    hasCode: (path) => path === 'core/src/wit.ts',
    readTest: (path) =>
      path === 'core/wit.test.ts' ? "it('refuses a WIT (WIT-01)', () => {}) // not a title" : null,
  }
  const good = [
    '| WIT-01 | a field | `core/src/wit.ts` | `core/wit.test.ts` "refuses a WIT" |',
    '| WIT-02 | one value | `core/src/wit.ts` | `core/wit.test.ts` "refuses a WIT (WIT-01)". And a note |',
    '| ERR-11 | another status | — | not implemented: it is optional, and nobody asked |',
  ]
  const faultsWith = (change: (rows: string[]) => string[]): string[] =>
    faultsOf(change([...good]).join('\n'), required, small)

  it('finds nothing wrong with a good one', () => expect(faultsWith((rows) => rows)).toEqual([]))

  const broken: readonly (readonly [what: string, change: (rows: string[]) => string[], fault: string])[] = [
    ['an id without a row', (rows) => rows.slice(1), 'WIT-01 has no row'],
    ['an unknown id', (rows) => [...rows, rows[0]!.replace('WIT-01', 'WIT-99')], 'WIT-99 is no requirement'],
    ['an id with two rows', (rows) => [...rows, rows[0]!], 'WIT-01 has two rows'],
    [
      'code that does not exist',
      (rows) => rows.with(0, rows[0]!.replace('wit.ts', 'gone.ts')),
      'WIT-01: there is no code core/src/gone.ts',
    ],
    [
      'a row without code',
      (rows) => rows.with(0, rows[0]!.replace('`core/src/wit.ts`', '')),
      'WIT-01: names no code',
    ],
    [
      'a test file that does not exist',
      (rows) => rows.with(0, rows[0]!.replace('wit.test.ts', 'gone.test.ts')),
      'there is no test core/gone.test.ts',
    ],
    [
      'a test of another name',
      (rows) => rows.with(0, rows[0]!.replace('refuses a', 'accepts a')),
      'core/wit.test.ts has no "accepts a WIT"',
    ],
    [
      'a title that is only somewhere in the file',
      (rows) => rows.with(0, rows[0]!.replace('refuses a WIT', 'not a title')),
      'core/wit.test.ts has no "not a title"',
    ],
    [
      'code without a test',
      (rows) => rows.with(0, '| WIT-01 | a field | `core/src/wit.ts` | believe us |'),
      'WIT-01: names no test',
    ],
    [
      'no code and no reason',
      (rows) => rows.with(2, '| ERR-11 | another | — | |'),
      'ERR-11: has no code and no reason',
    ],
    [
      'no code and a word for a reason',
      (rows) => rows.with(2, '| ERR-11 | another | — | not implemented: later |'),
      'ERR-11: has no code and no reason',
    ],
  ]
  for (const [what, change, fault] of broken) {
    it(`finds ${what}`, () => expect(faultsWith(change)).toEqual([fault]))
  }
})
