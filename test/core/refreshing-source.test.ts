import { describe, expect, it } from 'vitest'
import type { TrustBundle, TrustEvent } from 'wimse'
import { createRefreshingSource } from '../../packages/core/src/trust/refreshing-source.js'
import { generateTestKeyPair } from 'wimse-testkit'
import { manualTiming } from './manual-timing.js'

const key = (kid: string): object => ({ ...generateTestKeyPair('ES256').publicJwk, kid })
const [a, b, c] = [key('a'), key('b'), key('c')]

/** A source whose key set the test changes, on time that the test moves. */
function sourceUnderTest(
  options: { cooldown?: number; maxStale?: number; refreshSeconds?: number; timeoutMs?: number } = {},
) {
  const { cooldown = 5, maxStale = 3600, refreshSeconds = 300, timeoutMs = 5000 } = options
  const timing = manualTiming()
  const events: Omit<TrustEvent, 'trustDomain'>[] = []
  const issuer: {
    answer: (signal: AbortSignal) => Buffer | Promise<Buffer>
    loads: number
    changed: () => void
  } = {
    answer: () => Buffer.from(JSON.stringify({ keys: [a] })),
    loads: 0,
    changed: () => undefined,
  }
  const source = createRefreshingSource(
    {
      refreshSeconds,
      load: async (signal) => {
        issuer.loads++
        return issuer.answer(signal)
      },
      watch: (changed) => {
        issuer.changed = changed
        return () => {
          issuer.changed = () => undefined
        }
      },
    },
    { cooldown, maxStale, timeoutMs, onEvent: (event) => events.push(event), timing },
  )
  return {
    source,
    timing,
    events,
    issuer,
    publish: (keys: readonly object[], more: object = {}) => {
      issuer.answer = () => Buffer.from(JSON.stringify({ keys, ...more }))
    },
    fail: (error = new Error('the issuer is down')) => {
      issuer.answer = () => {
        throw error
      }
    },
    kids: async () => kidsOf(await source.bundleFor('x')),
    kidsRefreshed: async () => kidsOf(await source.refreshedFor!('x')),
  }
}

const kidsOf = (bundle: TrustBundle): (string | undefined)[] => bundle.keys.map(({ kid }) => kid)

describe('a refreshing source', () => {
  it('loads nothing before it is asked, and once when many ask at once', async () => {
    const { source, issuer, kids } = sourceUnderTest()
    expect(issuer.loads).toBe(0)
    const all = await Promise.all([source.ready!(), ...Array.from({ length: 100 }, kids)])
    expect(all[100]).toEqual(['a'])
    expect(issuer.loads).toBe(1)
  })

  it('loads again at its interval, and gives the same bundle while nothing has changed', async () => {
    const { source, timing, issuer, kids, publish } = sourceUnderTest()
    const first = await source.bundleFor('x')
    await timing.pass(301)
    expect(issuer.loads).toBe(2)
    expect(source.bundleFor('x')).toBe(first)
    publish([b])
    await timing.pass(300)
    expect(await kids()).toEqual(['b'])
    expect(source.bundleFor('x')).not.toBe(first)
  })

  it('loads as often as spiffe_refresh_hint says, within reason', async () => {
    for (const [hint, interval] of [
      [60, 60],
      [0, 1],
      [1e9, 3600],
      ['60', 300],
      [-5, 300],
    ] as const) {
      const { timing, kids, publish } = sourceUnderTest()
      publish([a], { spiffe_refresh_hint: hint })
      await kids()
      await timing.pass(0)
      expect([hint, timing.next()]).toEqual([hint, interval])
    }
  })

  it('does not go back to a bundle with a lower spiffe_sequence', async () => {
    const { timing, kids, publish, events } = sourceUnderTest()
    publish([a], { spiffe_sequence: 7 })
    await kids()
    publish([b], { spiffe_sequence: 6 })
    await timing.pass(301)
    expect(await kids()).toEqual(['a'])
    expect(events.at(-1)).toMatchObject({
      type: 'failed',
      reason: expect.stringContaining('spiffe_sequence'),
    })
    publish([b], { spiffe_sequence: 8 })
    await timing.pass(300)
    expect(await kids()).toEqual(['b'])
  })

  it('keeps to the highest spiffe_sequence it has seen, over bundles without one as well', async () => {
    const { timing, kids, publish } = sourceUnderTest()
    publish([a], { spiffe_sequence: 100 })
    await kids()
    publish([a, b])
    await timing.pass(301)
    expect(await kids()).toEqual(['a', 'b'])
    publish([c], { spiffe_sequence: 1 })
    await timing.pass(3000)
    expect(await kids()).toEqual(['a', 'b'])
    publish([c], { spiffe_sequence: 100 })
    await timing.pass(300)
    expect(await kids()).toEqual(['c'])
  })

  it('takes a spiffe_sequence that was started anew, once its keys are past maxStale', async () => {
    const { timing, kids, publish } = sourceUnderTest({ maxStale: 3600 })
    publish([a], { spiffe_sequence: 100 })
    await kids()
    publish([b], { spiffe_sequence: 1 })
    await timing.pass(300 + 3600)
    expect(await kids()).toEqual(['a'])
    await timing.pass(301)
    expect(await kids()).toEqual(['b'])
    publish([c], { spiffe_sequence: 2 })
    await timing.pass(301)
    expect(await kids()).toEqual(['c'])
    publish([a], { spiffe_sequence: 1 })
    await timing.pass(301)
    expect(await kids()).toEqual(['c'])
  })

  describe('while loading fails', () => {
    it('serves the last good keys on, up to maxStale past their next load, and then none', async () => {
      const { timing, kids, fail } = sourceUnderTest({ maxStale: 3600 })
      await kids()
      fail()
      await timing.pass(300 + 3600)
      expect(await kids()).toEqual(['a'])
      await timing.pass(1)
      await expect(kids()).rejects.toThrow(/maxStale/)
    })

    it('serves them on while a load is under way, whatever maxStale, and not once it has failed', async () => {
      const { timing, kids, issuer, publish } = sourceUnderTest({ maxStale: 0 })
      await kids()
      let fail: (error: Error) => void = () => undefined
      issuer.answer = async () => new Promise((_resolve, reject) => (fail = reject))
      await timing.pass(300)
      expect(issuer.loads).toBe(2)
      await timing.pass(0.1)
      expect(await kids()).toEqual(['a'])
      publish([b])
      fail(new Error('the issuer is down'))
      await new Promise(setImmediate)
      await expect(kids()).rejects.toThrow(/maxStale/)
      await timing.pass(timing.next()!)
      expect(await kids()).toEqual(['b'])
    })

    it('does not bring back keys that were too old when a load began', async () => {
      const { timing, kids, issuer } = sourceUnderTest({ maxStale: 10 })
      await kids()
      issuer.answer = async () => new Promise(() => undefined)
      timing.skip(315)
      await expect(kids()).rejects.toThrow(/maxStale/)
      await timing.pass(0)
      expect(issuer.loads).toBe(2)
      await expect(kids()).rejects.toThrow(/maxStale/)
    })

    it('tries again soon, then less and less often, and recovers', async () => {
      const { timing, kids, fail, publish, issuer } = sourceUnderTest()
      await kids()
      fail()
      await timing.pass(300)
      const waits: number[] = []
      for (let attempt = 0; attempt < 14; attempt++) {
        waits.push(timing.next()!)
        await timing.pass(timing.next()!)
      }
      expect(waits.slice(0, 4)).toEqual([0.25, 0.5, 1, 2])
      expect(waits.at(-1)).toBe(300)
      const loads = issuer.loads
      publish([b])
      await timing.pass(300)
      expect([await kids(), issuer.loads]).toEqual([['b'], loads + 1])
      expect(timing.next()).toBe(300)
    })

    it('keeps trying at short intervals until there are keys at all, without making anybody wait', async () => {
      const { timing, kids, fail, publish, issuer } = sourceUnderTest({ cooldown: 5 })
      fail()
      await expect(kids()).rejects.toThrow(/no keys/)
      await timing.pass(60)
      expect(issuer.loads).toBeGreaterThan(10)
      publish([a])
      await timing.pass(5)
      expect(await kids()).toEqual(['a'])
    })

    for (const [what, answer] of [
      ['text', 'no json'],
      ['a list', '[]'],
      ['no keys', '{}'],
      ['half a file', '{"keys":[{"kty":"EC","crv":"P-2'],
      ['two members of one name', '{"keys":[],"keys":[]}'],
      ['a set without one usable key', '{"keys":[{"kty":"oct","k":"AA"}]}'],
    ] as const) {
      it(`counts ${what} as a failure`, async () => {
        const { timing, kids, issuer, events } = sourceUnderTest()
        await kids()
        issuer.answer = () => Buffer.from(answer)
        await timing.pass(301)
        expect(await kids()).toEqual(['a'])
        expect(events.at(-1)!.type).toBe('failed')
      })
    }
  })

  it('takes an empty set as the withdrawal of every key', async () => {
    const { timing, kids, publish } = sourceUnderTest()
    await kids()
    publish([])
    await timing.pass(301)
    expect(await kids()).toEqual([])
  })

  describe('for a key it does not have', () => {
    it('looks once for ten thousand unknown ids, and has a new key within one interval', async () => {
      const { timing, kids, kidsRefreshed, publish, issuer } = sourceUnderTest({ cooldown: 5 })
      await kids()
      for (let id = 0; id < 10_000; id++) await kidsRefreshed()
      expect(issuer.loads).toBe(2)
      publish([a, b])
      for (let second = 0; second < 5; second++) {
        await timing.pass(1)
        await kidsRefreshed()
      }
      expect([await kids(), issuer.loads]).toEqual([['a', 'b'], 3])
    })

    it('joins the look that is under way', async () => {
      const { kids, kidsRefreshed, publish, issuer } = sourceUnderTest()
      await kids()
      publish([a, b])
      const answers = await Promise.all(Array.from({ length: 100 }, kidsRefreshed))
      expect(issuer.loads).toBe(2)
      expect(new Set(answers.map(String))).toEqual(new Set(['a,b']))
    })

    it('does not keep scheduled loads waiting, and they do not wait for it', async () => {
      const { timing, kids, kidsRefreshed, publish, issuer } = sourceUnderTest({ cooldown: 5 })
      await kids()
      await timing.pass(299)
      await kidsRefreshed()
      publish([b])
      for (let second = 0; second < 320; second++) {
        await timing.pass(1)
        await kidsRefreshed()
      }
      expect(await kids()).toEqual(['b'])
      expect(issuer.loads).toBeLessThan(2 + 320 / 5 + 3)
    })

    it('does not back off further, nor put the next load off, when looking fails', async () => {
      for (const unknownKids of [false, true]) {
        const { timing, kids, kidsRefreshed, fail, publish } = sourceUnderTest({ cooldown: 5 })
        await kids()
        await timing.pass(299)
        fail()
        for (let second = 0; second < 40; second++) {
          await timing.pass(1)
          if (unknownKids) expect(await kidsRefreshed()).toEqual(['a'])
        }
        publish([b])
        // Loads at 300, 300.25, 300.75, ... 315.75, 331.75 and 363.75.
        await timing.pass(24)
        expect([unknownKids, await kids()]).toEqual([unknownKids, ['a']])
        await timing.pass(1)
        expect([unknownKids, await kids()]).toEqual([unknownKids, ['b']])
      }
    })

    it('does not put the next load off when looking succeeds, and keeps to a shorter hint', async () => {
      const { timing, kids, kidsRefreshed, publish, issuer } = sourceUnderTest()
      await kids()
      await timing.pass(100)
      await kidsRefreshed()
      expect([issuer.loads, timing.next()]).toEqual([2, 200])
      publish([b], { spiffe_refresh_hint: 30 })
      await timing.pass(10)
      await kidsRefreshed()
      expect([issuer.loads, timing.next()]).toEqual([3, 30])
    })

    it('lets a hundred wait for a look, and answers everyone else with the keys at hand', async () => {
      const { kids, kidsRefreshed, publish, issuer } = sourceUnderTest()
      await kids()
      publish([a, b])
      const answers = await Promise.all(Array.from({ length: 1000 }, kidsRefreshed))
      expect(issuer.loads).toBe(2)
      expect(answers.filter((answer) => String(answer) === 'a,b')).toHaveLength(100)
      expect(answers.filter((answer) => String(answer) === 'a')).toHaveLength(900)
      expect(await kidsRefreshed()).toEqual(['a', 'b'])
    })

    it('keeps the old keys when looking fails', async () => {
      const { kids, kidsRefreshed, fail } = sourceUnderTest()
      await kids()
      fail()
      expect(await kidsRefreshed()).toEqual(['a'])
    })
  })

  it('looks when what it watches has changed, once for a burst of changes', async () => {
    const { timing, kids, publish, issuer } = sourceUnderTest()
    await kids()
    publish([b])
    for (let change = 0; change < 50; change++) issuer.changed()
    await timing.pass(0.1)
    expect([await kids(), issuer.loads]).toEqual([['b'], 2])
  })

  it('tells what happened', async () => {
    const { timing, kids, publish, events } = sourceUnderTest()
    publish([a, b, { kty: 'oct', k: 'AA' }])
    await kids()
    expect(events).toEqual([
      { type: 'refreshed', reason: expect.stringContaining('keys[2]') },
      { type: 'key-added', kid: 'a', keyThumbprint: expect.any(String) },
      { type: 'key-added', kid: 'b', keyThumbprint: expect.any(String) },
    ])
    events.length = 0
    publish([b, c])
    await timing.pass(301)
    expect(events.map(({ type, kid }) => `${type} ${kid}`)).toEqual([
      'refreshed undefined',
      'key-added c',
      'key-removed a',
    ])
  })

  for (const [how, onEvent] of [
    [
      'throws',
      () => {
        throw new Error('a bug of the listener')
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug of the listener')) as never],
  ] as const) {
    it(`goes on when its listener ${how}`, async () => {
      const unhandled: unknown[] = []
      const note = (error: unknown): void => void unhandled.push(error)
      process.on('unhandledRejection', note)
      const timing = manualTiming()
      const source = createRefreshingSource(
        { refreshSeconds: 300, load: async () => Buffer.from(JSON.stringify({ keys: [a] })) },
        { cooldown: 5, maxStale: 60, timeoutMs: 5000, timing, onEvent },
      )
      expect(kidsOf(await source.bundleFor('x'))).toEqual(['a'])
      await timing.pass(1)
      process.off('unhandledRejection', note)
      expect(unhandled).toEqual([])
    })
  }

  it('gives up a load that takes too long, tells it so, and loads again', async () => {
    const { timing, kids, issuer, events, publish } = sourceUnderTest({ timeoutMs: 50 })
    await kids()
    let given: AbortSignal | null = null
    issuer.answer = async (signal) => {
      given = signal
      return new Promise(() => undefined)
    }
    await timing.pass(300)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([issuer.loads, events.at(-1)]).toEqual([
      2,
      { type: 'failed', reason: expect.stringContaining('50 ms') },
    ])
    expect(given).toMatchObject({ aborted: true })
    publish([b])
    await timing.pass(1)
    expect([await kids(), issuer.loads]).toEqual([['b'], 3])
  })

  it('takes nothing of a load that was given up', async () => {
    const { timing, kids, issuer, events } = sourceUnderTest({ timeoutMs: 50 })
    await kids()
    let answerLate: (bytes: Buffer) => void = () => undefined
    issuer.answer = async () =>
      new Promise((resolve) => {
        answerLate = resolve
      })
    await timing.pass(300)
    await new Promise((resolve) => setTimeout(resolve, 100))
    answerLate(Buffer.from(JSON.stringify({ keys: [b] })))
    await timing.pass(0)
    expect([await kids(), events.at(-1)!.type]).toEqual([['a'], 'failed'])
  })

  it('stops when it is closed', async () => {
    const { source, timing, kids, issuer } = sourceUnderTest()
    await kids()
    await source.close!()
    await timing.pass(10_000)
    expect([issuer.loads, timing.next()]).toEqual([1, null])
    await expect(kids()).rejects.toThrow(/closed/)
  })

  it('breaks off what is under way when it is closed, and says no more', async () => {
    const { source, timing, kids, events, issuer } = sourceUnderTest()
    let given: AbortSignal | null = null
    let answer: (bytes: Buffer) => void = () => undefined
    issuer.answer = async (signal) => {
      given = signal
      return new Promise((resolve) => {
        answer = resolve
      })
    }
    const [asked, ready] = [kids(), source.ready!()]
    const outcomes = Promise.allSettled([asked, ready])
    await timing.pass(0)
    await source.close!()
    expect(given).toMatchObject({ aborted: true })
    expect(await outcomes).toMatchObject([
      { status: 'rejected', reason: { message: expect.stringContaining('closed') } },
      { status: 'rejected', reason: { message: expect.stringContaining('closed') } },
    ])
    answer(Buffer.from(JSON.stringify({ keys: [a] })))
    await timing.pass(1000)
    expect([events, issuer.loads, timing.next()]).toEqual([[], 1, null])
  })

  it('does not look for a change it saw before it was closed', async () => {
    const { source, timing, kids, issuer } = sourceUnderTest()
    await kids()
    issuer.changed()
    await source.close!()
    expect(timing.next()).toBe(null)
    await timing.pass(10)
    expect(issuer.loads).toBe(1)
  })
})
