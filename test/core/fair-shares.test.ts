import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { memoryReplayStore } from 'wimse'
import { fixedClock } from 'wimse-testkit'
import { newFingerprint } from '../replay/contract.js'

const callersOf = (domain: string, howMany: number): readonly string[] =>
  Array.from({ length: howMany }, (_, index) => `wimse://${domain}/caller-${index}`)

/** A store of this many entries, and who holds how many of them. */
function storeOf(maxEntries: number) {
  const clock = fixedClock(1000)
  const store = memoryReplayStore({ maxEntries, now: clock })
  const held = new Map<string, number>()
  const claim = (caller: string): unknown => {
    const answer = store.claim(newFingerprint(), 60, caller)
    if (answer === 'first') held.set(caller, (held.get(caller) ?? 0) + 1)
    return answer
  }
  /** Each in turn asks until all are refused. */
  const flood = (callers: readonly string[]): void => {
    while (callers.map(claim).includes('first'));
  }
  const heldBy = (caller: string): number => held.get(caller) ?? 0
  return { clock, claim, flood, heldBy }
}

describe('memoryReplayStore() shares its room out', () => {
  it('gives one caller alone half of it', () => {
    const { flood, heldBy } = storeOf(1000)
    const [caller] = callersOf('example.com', 1)
    flood([caller!])
    expect(heldBy(caller!)).toBe(500)
  })

  for (const howMany of [2, 3, 10, 15]) {
    it(`gives each of ${howMany} callers that all want more 1/${howMany + 1}`, () => {
      const { flood, heldBy } = storeOf(1000)
      const callers = callersOf('example.com', howMany)
      flood(callers)
      for (const caller of callers) {
        expect(heldBy(caller)).toBeGreaterThanOrEqual(Math.floor(1000 / (howMany + 1)))
      }
    })

    it(`gives callers of ${howMany} trust domains as much`, () => {
      const { flood, heldBy } = storeOf(1000)
      const callers = Array.from({ length: howMany }, (_, index) => `wimse://d${index}.example/caller`)
      flood(callers)
      for (const caller of callers) {
        expect(heldBy(caller)).toBeGreaterThanOrEqual(Math.floor(1000 / (howMany + 1)))
      }
    })
  }

  it('gives a second caller a third, though the first has flooded it', () => {
    const { flood, heldBy } = storeOf(1000)
    const [first, second] = callersOf('example.com', 2)
    flood([first!])
    flood([second!])
    expect([heldBy(first!), heldBy(second!)]).toEqual([500, 333])
  })

  it('has room left for who comes after any few floods', () => {
    const { flood, claim } = storeOf(10_000)
    const [a, b, c, late] = callersOf('example.com', 4)
    for (const caller of [a!, b!, c!]) flood([caller])
    for (let proofs = 0; proofs < 100; proofs++) expect(claim(late!)).toBe('first')
  })

  it('has room left for another trust domain, however many callers one makes up', () => {
    const { flood, claim } = storeOf(10_000)
    flood(callersOf('flooding.example', 3000))
    expect(claim('wimse://flooding.example/one-more')).toBe('full')
    for (let proofs = 0; proofs < 100; proofs++) {
      expect(claim(`wimse://other.example/caller-${proofs}`)).toBe('first')
    }
  })

  it('takes scheme and authority together for a trust domain', () => {
    const { flood, claim } = storeOf(1000)
    flood(callersOf('example.com', 500))
    expect(claim('wimse://example.com')).toBe('full')
    expect(claim('spiffe://example.com/caller-0')).toBe('first')
  })

  it('comes back to equal shares as entries expire', () => {
    const { flood, heldBy, clock } = storeOf(1000)
    const [first, second, third] = callersOf('example.com', 3)
    flood([first!])
    clock.advance(62)
    flood([second!, third!])
    expect([heldBy(second!), heldBy(third!)]).toEqual([333, 333])
  })

  it('is as large as it says once every old entry has expired', () => {
    const { flood, heldBy, clock } = storeOf(50_000)
    const [caller] = callersOf('example.com', 1)
    for (let round = 1; round <= 3; round++) {
      flood([caller!])
      expect(heldBy(caller!)).toBe(25_000 * round)
      clock.advance(62)
    }
  })
})

describe('a flood: 300,000 proofs of one caller against a store of 100,000', () => {
  const clock = fixedClock(1000)
  const store = memoryReplayStore({ maxEntries: 100_000, now: clock })
  const flooding = 'wimse://example.com/flooding'
  const others = [...callersOf('example.com', 50), ...callersOf('other.example', 50)]
  const spent: { readonly proof: string; readonly caller: string }[] = []
  let refusedOthers = 0
  let acceptedReplays = 0

  const claim = (caller: string): unknown => {
    const proof = randomBytes(32).toString('base64url')
    const answer = store.claim(proof, 125, caller)
    if (answer === 'first') spent.push({ proof, caller })
    return answer
  }
  const replay = ({ proof, caller }: { readonly proof: string; readonly caller: string }): void => {
    if (store.claim(proof, 125, caller) === 'first') acceptedReplays++
  }

  it('refuses none of the other callers, and accepts no replay', { timeout: 60_000 }, () => {
    for (let proofs = 0; proofs < 300_000; proofs++) {
      claim(flooding)
      clock.advance(60 / 300_000)
      if (proofs % 20 === 0 && claim(others[(proofs / 20) % others.length]!) !== 'first') refusedOthers++
      if (proofs % 10 === 0) replay(spent[(proofs * 7919) % spent.length]!)
    }
    for (const one of spent) replay(one)
    expect({ refusedOthers, acceptedReplays }).toEqual({ refusedOthers: 0, acceptedReplays: 0 })
    expect(spent.filter(({ caller }) => caller === flooding).length).toBeLessThanOrEqual(50_000)
    expect(spent.filter(({ caller }) => caller !== flooding)).toHaveLength(15_000)
  })
})

describe('memoryReplayStore() at any size', () => {
  it('agrees with a plain map about a hundred thousand claims', () => {
    const clock = fixedClock(0)
    const store = memoryReplayStore({ maxEntries: 1_000_000, maxEntriesPerCaller: 1_000_000, now: clock })
    const model = new Map<string, number>()
    const proofs = Array.from({ length: 20_000 }, newFingerprint)
    const bytes = randomBytes(400_000)
    let disagreements = 0
    for (let claims = 0; claims < 100_000; claims++) {
      const proof = proofs[bytes.readUInt16LE(claims * 4) % proofs.length]!
      const forSeconds = 1 + bytes[claims * 4 + 2]!
      if (bytes[claims * 4 + 3] === 0) clock.advance(bytes[claims * 4 + 2]! / 8)
      const at = clock()
      const live = (model.get(proof) ?? 0) > Math.floor(at)
      if (!live) model.set(proof, Math.ceil(at + forSeconds))
      if (store.claim(proof, forSeconds, 'wimse://example.com/a') !== (live ? 'seen' : 'first')) {
        disagreements++
      }
    }
    expect(disagreements).toBe(0)
  })

  it('tells apart fingerprints that differ in one character', () => {
    const proof = newFingerprint()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (let at = 0; at < proof.length; at++) {
      const store = memoryReplayStore()
      for (const character of [...alphabet.split(''), 'é', '\u0141', ' ']) {
        const other = proof.slice(0, at) + character + proof.slice(at + 1)
        expect(store.claim(other, 60, 'wimse://example.com/a')).toBe('first')
      }
      expect(store.claim(proof, 60, 'wimse://example.com/a')).toBe('seen')
    }
  })
})
