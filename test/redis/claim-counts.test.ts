import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createClaimCounts } from '../../packages/redis/src/claim-counts.js'

const CHECKOUT = 'wimse://example.com/checkout'

describe('createClaimCounts()', () => {
  const countAll = (counts: ReturnType<typeof createClaimCounts>, caller: string, at: number): number => {
    let counted = 0
    while (counts.count(caller, 365, at) !== null) counted++
    return counted
  }

  it('still counts a caller when the time is over in which a claim was taken back', () => {
    const counts = createClaimCounts(100)
    counts.takeBack(counts.count(CHECKOUT, 66, 0)!)
    expect(countAll(counts, CHECKOUT, 0)).toBe(100)
    expect(countAll(counts, CHECKOUT, 80)).toBe(0)
  })

  it('still counts it when claims were taken back in many such times', () => {
    const counts = createClaimCounts(100)
    for (let slice = 1; slice <= 29; slice++) counts.takeBack(counts.count(CHECKOUT, 60 + slice * 10, 0)!)
    let live = 0
    for (let at = 0; at < 360; at += 10) live += countAll(counts, CHECKOUT, at)
    expect(live).toBe(100)
  })

  it('counts a caller anew when all its claims are over', () => {
    const counts = createClaimCounts(3)
    expect(countAll(counts, CHECKOUT, 0)).toBe(3)
    expect(countAll(counts, CHECKOUT, 380)).toBe(3)
  })

  it('does not take a claim back that is over already', () => {
    const counts = createClaimCounts(3)
    const over = counts.count(CHECKOUT, 10, 0)!
    expect(countAll(counts, CHECKOUT, 30)).toBe(3)
    counts.takeBack(over)
    expect(countAll(counts, CHECKOUT, 30)).toBe(0)
  })

  it('keeps nothing of callers that it refuses', () => {
    const counts = createClaimCounts(1)
    for (let caller = 0; caller < 4; caller++) counts.count(`wimse://example.com/${caller}`, 300, 0)
    const before = usedHeap()
    for (let caller = 4; caller < 100_000; caller++) counts.count(`wimse://example.com/${caller}`, 300, 0)
    expect(usedHeap() - before).toBeLessThan(4e6)
    // Nor does it take them for callers of another domain of the same name, once that is free again.
    let counted = 0
    for (let caller = 4; caller < 1000; caller++) {
      if (counts.count(`wimse://example.com/${caller}`, 300, 1000) !== null) counted++
    }
    expect(counted).toBe(4)
  })
})

function usedHeap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
