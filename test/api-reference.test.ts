import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { describeApi, staleReports } from './api-reference.mjs'
import { readMembers } from './rooms/source-files.js'

describe('docs/api', () => {
  const expected = describeApi()

  it('is what the packages export', () => {
    expect(staleReports(expected), 'run `npm run api` after a build').toEqual([])
  })

  it('has a report for each door of each package', () => {
    expect([...expected.keys()].sort()).toEqual(
      [
        'fastify-wimse-client.api.md',
        'fastify-wimse.api.md',
        'wimse-cli.api.md',
        'wimse-explain.api.md',
        'wimse-opentelemetry.api.md',
        'wimse-redis.api.md',
        'wimse-spiffe.api.md',
        'wimse-testkit.api.md',
        'wimse.api.md',
      ].sort(),
    )
  })

  it('lists every report beside its door', () => {
    const page = readFileSync(new URL('../docs/api/README.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| \[(\S+)\]\((\S+)\) \| `(\S+)` \|$/gm)]
    const doors = readMembers('packages').flatMap((member) => member.doors)
    const wanted = doors.map((door) => [`${door.replaceAll('/', '-')}.api.md`, door])
    expect(wanted.map(([report]) => report).sort()).toEqual([...expected.keys()].sort())
    const listed = rows.map(([, text, target, door]) => [text === target && target, door])
    expect(listed.sort()).toEqual(wanted.sort())
  })

  it('says of each member of an event or a message what it is', () => {
    const types = [...expected.values()].flatMap((report) => [
      ...report.matchAll(/^export interface (\w+(?:Event|Message)) [^]*?^}/gm),
    ])
    expect(types.length).toBeGreaterThan(6)
    const silent = types.filter(([text]) => text.includes('(undocumented)'))
    expect(silent.map(([, name]) => name)).toEqual([])
  })

  it('would be seen to be stale by one option more, by a door more, and by one that is gone', () => {
    const name = 'wimse-redis.api.md'
    const changed = new Map(expected).set(name, expected.get(name)!.replace('keyPrefix', 'prefix'))
    expect(staleReports(changed)).toEqual([name])
    expect(staleReports(new Map(expected).set('wimse-new.api.md', ''))).toEqual(['wimse-new.api.md'])
    const fewer = new Map([...expected].filter(([report]) => report !== name))
    expect(staleReports(fewer)).toEqual([name])
  })
})
