import type { Clock } from '../clock.js'
import { refuseUnknownOptions } from '../options.js'
import type { ReplayAnswer, ReplayStore } from './replay-store.js'

/** Options of {@link memoryReplayStore}. */
export interface MemoryReplayStoreOptions {
  /** Live entries it has room for. Default 500,000. */
  readonly maxEntries?: number
  /** Live entries one caller may hold. Default half of `maxEntries`. */
  readonly maxEntriesPerCaller?: number
  /** Seconds from any fixed point. Default a clock that no one can set. */
  readonly now?: Clock
}

/**
 * Remembers proofs in this process, until they have expired. It never forgets a live one to make room:
 * when it is full it says so, and the request is answered with 503.
 *
 * It does NOT protect a service that runs in more than one process, and forgets all when it restarts.
 *
 * @throws TypeError naming the option that is wrong
 */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  refuseUnknownOptions('memoryReplayStore', options, ['maxEntries', 'maxEntriesPerCaller', 'now'])
  const { maxEntries = 500_000, now = () => performance.now() / 1000 } = options
  const { maxEntriesPerCaller = Math.max(1, Math.floor(maxEntries / 2)) } = options
  if (typeof now !== 'function') throw new TypeError('memoryReplayStore: now must be a function')
  for (const [name, value] of Object.entries({ maxEntries, maxEntriesPerCaller })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new TypeError(`memoryReplayStore: ${name} must be a whole number from 1`)
    }
  }
  /** Caller by fingerprint. */
  const entries = new Map<string, string>()
  const heldBy = new Map<string, number>()
  // Fingerprints by the second after which they may go: forgetting looks at nothing that is still live.
  const bySecond = new Map<number, string[]>()
  let sweptTo = Number.NEGATIVE_INFINITY

  function forgetExpired(second: number): void {
    if (second <= sweptTo) return
    sweptTo = second
    for (const [end, fingerprints] of bySecond) {
      if (end > second) continue
      bySecond.delete(end)
      for (const fingerprint of fingerprints) forget(fingerprint)
    }
  }

  function forget(fingerprint: string): void {
    const caller = entries.get(fingerprint)!
    entries.delete(fingerprint)
    const held = heldBy.get(caller)! - 1
    if (held === 0) heldBy.delete(caller)
    else heldBy.set(caller, held)
  }

  return {
    claim(fingerprint: string, forSeconds: number, caller: string): ReplayAnswer {
      const at = now()
      forgetExpired(Math.floor(at))
      if (entries.has(fingerprint)) return 'seen'
      const held = heldBy.get(caller) ?? 0
      if (entries.size >= maxEntries || held >= maxEntriesPerCaller) return 'full'
      const second = Math.ceil(at + forSeconds)
      entries.set(fingerprint, caller)
      heldBy.set(caller, held + 1)
      const sameSecond = bySecond.get(second)
      if (sameSecond === undefined) bySecond.set(second, [fingerprint])
      else sameSecond.push(fingerprint)
      return 'first'
    },
  }
}
