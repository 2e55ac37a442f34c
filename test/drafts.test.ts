import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { askAbout, draftsIn, report } from './drafts.mjs'

const map = readFileSync(new URL('../SPEC-MAP.md', import.meta.url), 'utf8')

/** An answer in the form of the datatracker's API, of which name and rev are read. */
const documentOf = (name: string, rev: unknown): object => ({
  abstract: 'This document defines …',
  expires: '2027-02-08T12:00:00Z',
  id: 132_101,
  name,
  pages: 21,
  resource_uri: `/api/v1/doc/document/${name}/`,
  rev,
  states: ['/api/v1/doc/state/1/', '/api/v1/doc/state/38/'],
  stream: '/api/v1/name/streamname/ietf/',
  time: '2026-08-07T12:00:00Z',
  title: 'WIMSE Workload Proof Token',
  type: '/api/v1/name/doctypename/draft/',
})

/** A datatracker that knows these documents. */
function tracker(revisions: Readonly<Record<string, unknown>>): {
  readonly asked: string[]
  readonly fetchDocument: (url: string) => Promise<Response>
} {
  const asked: string[] = []
  return {
    asked,
    fetchDocument: async (url) => {
      asked.push(url)
      const name = url.split('/').at(-2)!
      return Object.hasOwn(revisions, name)
        ? Response.json(documentOf(name, revisions[name]))
        : new Response('', { status: 404 })
    },
  }
}

describe('npm run drafts', () => {
  const drafts = draftsIn(map)

  it('reads every draft of SPEC-MAP.md, each with the newest revision there', () => {
    const table = map.split('## Documents\n')[1]!.split('\n## ')[0]!
    const rows = [...table.matchAll(/^\| (draft-\S+) \| (\S+).*$/gm)]
    // What became another draft goes on under that name.
    const named = rows.flatMap(([row, name]) => (row.includes('| became draft-') ? [] : [name!]))
    expect(drafts.map(({ name }) => name)).toEqual([...new Set(named)])
    expect(drafts.length).toBeGreaterThan(5)
    const numbered = [...table.matchAll(/^\| ([^|]+) \| (?:[^|]*[ ,])?-\d\d\b/gm)].map(
      ([, document]) => document!,
    )
    expect(numbered.filter((document) => !/^draft-[a-z0-9-]+$/.test(document))).toEqual([])
    expect(drafts).toContainEqual({ name: 'draft-ietf-wimse-wpt', revision: '02' })
  })

  it('asks about each once, and is content when all are as they were', async () => {
    const { asked, fetchDocument } = tracker(
      Object.fromEntries(drafts.map(({ name, revision }) => [name, revision])),
    )
    const answers = await askAbout(drafts, fetchDocument)
    expect(asked).toEqual(
      drafts.map(({ name }) => `https://datatracker.ietf.org/api/v1/doc/document/${name}/`),
    )
    const { lines, exitCode } = report(answers)
    expect(exitCode).toBe(0)
    expect(lines).toContain('draft-ietf-wimse-wpt: -02, as in SPEC-MAP.md')
  })

  const wpt = [{ name: 'draft-ietf-wimse-wpt', revision: '02' }]
  const name = wpt[0]!.name

  it.for([
    ['a newer revision', { [name]: '03' }, 1, `${name}: -03 is newer than -02 of SPEC-MAP.md`],
    ['one that has ten more', { [name]: '12' }, 1, `${name}: -12 is newer than -02 of SPEC-MAP.md`],
    ['an older one', { [name]: '01' }, 1, `${name}: -01 is the newest, and SPEC-MAP.md has -02`],
    ['no such draft', {}, 2, `${name}: not known (status 404)`],
    [
      'an answer without a revision',
      { [name]: null },
      2,
      `${name}: not known (the answer is of another form)`,
    ],
  ] as const)('tells of %s', async ([, revisions, exitCode, line]) => {
    const answers = await askAbout(wpt, tracker(revisions).fetchDocument)
    expect(report(answers)).toEqual({ lines: [line], exitCode })
  })

  it('tells of a datatracker that cannot be reached', async () => {
    const cause = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })
    const answers = await askAbout(wpt, async () => Promise.reject(new TypeError('fetch failed', { cause })))
    expect(report(answers)).toEqual({ lines: [`${name}: not known (ENOTFOUND)`], exitCode: 2 })
  })
})
