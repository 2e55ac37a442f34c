import type { Timing } from '../../packages/core/src/trust/refreshing-source.js'

/** Time that passes when a test says so. */
export interface ManualTiming extends Timing {
  /** Lets so many seconds pass, calling back whatever falls due, and lets promises settle in between. */
  pass(seconds: number): Promise<void>
  /** Lets so many seconds pass, in which nothing is called back: the process was busy. */
  skip(seconds: number): void
  /** Seconds until the next callback; null when none is waiting. */
  readonly next: () => number | null
}

/** Makes a clock with timers that a test moves. `random` is 1: the longest a jitter makes anything. */
export function manualTiming(): ManualTiming {
  let now = 1000
  const waiting = new Map<() => void, number>()
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  const due = (): [() => void, number] | undefined => [...waiting].sort((a, b) => a[1] - b[1])[0]
  return {
    now: () => now,
    random: () => 1,
    after(seconds, callback) {
      const own = (): void => callback()
      waiting.set(own, now + seconds)
      return () => void waiting.delete(own)
    },
    next: () => (due() === undefined ? null : due()![1] - now),
    skip(seconds) {
      now += seconds
    },
    async pass(seconds) {
      const end = now + seconds
      await settle()
      for (let first = due(); first !== undefined && first[1] <= end; first = due()) {
        now = Math.max(now, first[1])
        waiting.delete(first[0])
        first[0]()
        await settle()
      }
      now = end
      await settle()
    },
  }
}
