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

  it('leaves something to each of many callers that fill it one after another', () => {
    const { flood, heldBy } = storeOf(500_000)
    const callers = callersOf('example.com', 30)
    for (const caller of callers) flood([caller])
    const held = callers.map(heldBy)
    expect(held.slice(0, 3)).toEqual([250_000, 166_666, 41_667])
    let rest = 500_000 * (1 / 12 - 1 / 64)
    for (let before = 3; before < 30; before++) {
      expect(Math.abs(held[before]! - rest / before)).toBeLessThan(3)
      rest -= rest / before
    }
    expect(held.slice(3, 6)).toEqual([11_284, 5642, 3385])
  })

  it('gives each of many callers in one domain 1/(n + 1), up to the part for another domain', () => {
    for (const howMany of [20, 30, 100]) {
      const { flood, heldBy } = storeOf(100_000)
      const callers = callersOf('example.com', howMany)
      flood(callers)
      const promised = Math.min(1 / (howMany + 1), 63 / 64 / howMany)
      expect(Math.min(...callers.map(heldBy))).toBeGreaterThanOrEqual(Math.floor(100_000 * promised) - 1)
    }
  })

  for (const [flooding, share] of [
    [1, 1 / 3],
    [2, 1 / 4],
    [3, 1 / 6],
    [9, 1 / 18],
  ] as const) {
    it(`keeps 1/${1 / share} for a domain that has claimed before, though ${flooding} others flood`, () => {
      const { claim, flood, heldBy, clock } = storeOf(100_000)
      const victims = callersOf('victim.example', 40)
      for (let domain = 0; domain < flooding; domain++) claim(`wimse://flooding-${domain}.example/first`)
      claim(victims[0]!)
      clock.advance(62)
      for (let domain = 0; domain < flooding; domain++) {
        for (const caller of callersOf(`flooding-${domain}.example`, 30)) flood([caller])
      }
      flood([victims[1]!])
      expect(heldBy(victims[1]!)).toBeGreaterThanOrEqual(Math.floor((100_000 * share) / 2) - 1)
      flood(victims.slice(2))
      const held = victims.slice(1).reduce((sum, caller) => sum + heldBy(caller), 0)
      expect(held).toBeGreaterThanOrEqual(Math.floor(100_000 * share * 0.95))
    })
  }

  it('keeps a 64th for domains that have not claimed before, each of which leaves a part of it', () => {
    const { flood, claim, heldBy } = storeOf(500_000)
    flood(callersOf('flooding.example', 3000))
    expect(claim('wimse://flooding.example/one-more')).toBe('full')
    const late = [1, 2, 3].map((domain) => `wimse://late-${domain}.example/caller`)
    for (const caller of late) flood([caller])
    const held = late.map(heldBy)
    expect(held[0]).toBeGreaterThan(1900)
    expect(Math.min(...held)).toBeGreaterThan(200)
  })

  it('keeps no room for the domain of a readiness probe, and answers it whoever floods', () => {
    const { flood, heldBy, claim } = storeOf(10_000)
    claim('wimse://readiness.invalid')
    const callers = callersOf('example.com', 4)
    flood(callers)
    for (const caller of callers) expect(heldBy(caller)).toBeGreaterThanOrEqual(1999)
    flood(callersOf('example.com', 500))
    for (let probes = 0; probes < 5; probes++) expect(claim('wimse://readiness.invalid')).toBe('first')
  })

  it('refuses nobody while half of it is free, whoever holds the other half', () => {
    const { flood, claim, heldBy } = storeOf(10_000)
    for (let domain = 0; domain < 9; domain++) claim(`wimse://d${domain}.example/caller`)
    flood(['wimse://example.com/busy'])
    expect(heldBy('wimse://example.com/busy')).toBe(5000 - 9)
  })

  it('never lets callers fill it, however they take turns', () => {
    for (let round = 0; round < 20; round++) {
      const { claim, heldBy } = storeOf(6000)
      const callers = callersOf('example.com', 2 + (round % 7))
      for (let claims = 0; claims < 20_000; claims++) {
        const turn = randomBytes(1)[0]! % 8 === 0 ? claims % callers.length : Math.floor(claims / 700)
        claim(callers[turn % callers.length]!)
      }
      const left = 6000 - callers.reduce((sum, caller) => sum + heldBy(caller), 0)
      expect(left).toBeGreaterThanOrEqual(Math.floor(6000 / 64))
      for (const caller of callers) expect(heldBy(caller)).toBeLessThanOrEqual(3000)
    }
  })

  it('takes scheme and authority together for a trust domain', () => {
    const { flood, claim } = storeOf(1000)
    flood(callersOf('example.com', 2000))
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
