import { memoryReplayStore } from 'wimse'
import { describe, expect, it } from 'vitest'
import { proofFingerprint } from '../../packages/core/src/replay/replay-store.js'
import { parseWorkloadIdentifier } from 'wimse'
import { fixedClock } from 'wimse-testkit'

describe('memoryReplayStore() (WPT-22, SEC-05)', () => {
  const storeAt = (options: object = {}) => {
    const clock = fixedClock(1000.5)
    return { clock, store: memoryReplayStore({ now: clock, ...options }) }
  }

  it('knows a proof the second time', () => {
    const { store } = storeAt()
    expect([store.claim('a', 60, 'x'), store.claim('a', 60, 'x'), store.claim('b', 60, 'x')]).toEqual([
      'first',
      'seen',
      'first',
    ])
  })

  it('knows it for as long as it was told, and not forever', () => {
    const { store, clock } = storeAt()
    void store.claim('a', 60, 'x')
    clock.advance(59.9)
    expect(store.claim('a', 60, 'x')).toBe('seen')
    clock.advance(2)
    expect(store.claim('a', 60, 'x')).toBe('first')
  })

  it('is not made to remember longer by a replay', () => {
    const { store, clock } = storeAt()
    void store.claim('a', 60, 'x')
    clock.advance(30)
    void store.claim('a', 60, 'x')
    clock.advance(32)
    expect(store.claim('a', 60, 'x')).toBe('first')
  })

  it('does not forget a live proof when it is full, and has room again once some have expired', () => {
    const { store, clock } = storeAt({ maxEntries: 3, maxEntriesPerCaller: 3 })
    expect(['a', 'b', 'c', 'd'].map((proof) => store.claim(proof, 60, 'x'))).toEqual([
      'first',
      'first',
      'first',
      'full',
    ])
    expect(['a', 'b', 'c'].map((proof) => store.claim(proof, 60, 'x'))).toEqual(['seen', 'seen', 'seen'])
    clock.advance(62)
    expect(store.claim('d', 60, 'x')).toBe('first')
  })

  it('has all its room after a silence at once, unless there is a live entry', () => {
    const { store, clock } = storeAt({ maxEntries: 400_000 })
    const caller = 'wimse://a.example/a'
    const fill = (round: number): number => {
      let held = 0
      while (store.claim(`${round} ${held}`, 60, caller) === 'first') held++
      return held
    }
    expect(fill(1)).toBe(200_000)
    clock.advance(600)
    expect(fill(2)).toBe(200_000)
    expect(store.claim('2 0', 60, caller)).toBe('seen')
    clock.advance(600)
    expect([store.claim('long', 3600, caller), store.claim('short', 60, caller)]).toEqual(['first', 'first'])
    clock.advance(600)
    expect([store.claim('long', 60, caller), store.claim('short', 60, caller)]).toEqual(['seen', 'first'])
  })

  it('is full first for the caller that fills it', () => {
    const { store } = storeAt({ maxEntries: 10 })
    const answers = Array.from({ length: 8 }, (_, index) => store.claim(`x${index}`, 60, 'x'))
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(5)
    expect(store.claim('y', 60, 'y')).toBe('first')
    expect(store.claim('x0', 60, 'x')).toBe('seen')
  })

  it('is rid of entries with a life too short to count, even those claimed on a whole second', () => {
    const clock = fixedClock(1000)
    const store = memoryReplayStore({ maxEntries: 10, now: clock })
    void store.claim('before', 60, 'x')
    clock.advance(1)
    const claims = (name: string): number =>
      Array.from({ length: 12 }, (_, index) => store.claim(`${name}${index}`, 1e-20, 'x')).filter(
        (answer) => answer === 'first',
      ).length
    expect(claims('a')).toBe(4)
    clock.advance(1)
    expect(claims('b')).toBe(4)
  })

  it('lets one of two hundred copies through', () => {
    const { store } = storeAt()
    const answers = Array.from({ length: 200 }, () => store.claim('a', 60, 'x'))
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(1)
  })

  for (const options of [
    { maxEntries: 0 },
    { maxEntries: 1.5 },
    { maxEntries: Number.NaN },
    { maxEntriesPerCaller: -1 },
    { maxEntry: 1 },
    { now: 5 },
  ]) {
    it(`throws for ${JSON.stringify(options)}`, () => {
      expect(() => memoryReplayStore(options as object)).toThrow(Object.keys(options)[0]!)
    })
  }
})

describe('proofFingerprint()', () => {
  const of = (sender: string, jti: string): string => proofFingerprint(parseWorkloadIdentifier(sender), jti)

  it('is as long whatever the proof', () => {
    expect(
      [of('wimse://a.example', '1'), of('wimse://a.example/b', 'x'.repeat(256))].map(({ length }) => length),
    ).toEqual([43, 43])
  })

  it('differs by scheme, trust domain, workload and jti, and has no doubtful boundary', () => {
    const all = [
      of('wimse://a.example/b', 'c'),
      of('spiffe://a.example/b', 'c'),
      of('wimse://b.example/b', 'c'),
      of('wimse://a.example/bc', ''),
      of('wimse://a.example', '/b\nc'),
      of('wimse://a.example/b', 'c\n'),
      of('wimse://a.example/b', 'd'),
    ]
    expect(new Set(all).size).toBe(all.length)
  })
})
