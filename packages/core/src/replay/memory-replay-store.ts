import { type Clock, steadyClock } from '../clock.js'
import { refuseUnknownOptions } from '../options.js'
import { createExpiryQueue } from './expiry-queue.js'
import { createFairShares } from './fair-shares.js'
import { createFingerprintTable, NOWHERE, type Place } from './fingerprint-table.js'
import { FINGERPRINT_WORDS, readFingerprintWords } from './fingerprint-words.js'
import type { ReplayAnswer, ReplayStore } from './replay-store.js'

/** Options of {@link memoryReplayStore}. */
export interface MemoryReplayStoreOptions {
  /** Live entries it has room for. Default 500,000. */
  readonly maxEntries?: number
  /**
   * Live entries one caller may hold, as a fixed limit. Default a fair share: half of `maxEntries` for one
   * caller alone, 1/(n + 1) for each of n.
   */
  readonly maxEntriesPerCaller?: number
  /** Seconds from any fixed point. Default a clock that no one can set. */
  readonly now?: Clock
}

/** How many expired entries one claim clears away; more come in no faster than one a claim. */
const CLEARED_BY_A_CLAIM = 16
/** How many it clears away before it says that there is no room: some ten milliseconds of work at most. */
const CLEARED_FOR_ROOM = 65_536
/** Places are 32 bits wide. */
const MOST_ENTRIES = 2 ** 30
/** Seconds; the longest an entry may live, so that its end fits 32 bits for a century. */
const LONGEST_LIFE = 2 ** 30

/**
 * Remembers proofs in this process, until they have expired. It never forgets a live one to make room: when
 * it is full it says so, and the request is answered with 503. Room is taken as it is needed, 36 bytes an
 * entry and some hundred a caller, and kept; no claim waits for the table to grow or for others to expire.
 *
 * Room is shared out, first by trust domain, then by caller: whoever floods it is the first to be refused.
 *
 * It does NOT protect a service that runs in more than one process, and forgets all when it restarts.
 *
 * @throws TypeError naming the option that is wrong
 */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  refuseUnknownOptions('memoryReplayStore', options, ['maxEntries', 'maxEntriesPerCaller', 'now'])
  const { maxEntries = 500_000, maxEntriesPerCaller, now } = options
  if (now !== undefined && typeof now !== 'function') {
    throw new TypeError('memoryReplayStore: now must be a function')
  }
  for (const [name, value] of Object.entries({ maxEntries, maxEntriesPerCaller })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1 && value <= MOST_ENTRIES)) {
      throw new TypeError(`memoryReplayStore: ${name} must be a whole number from 1 to ${MOST_ENTRIES}`)
    }
  }
  const readClock = now === undefined ? () => performance.now() / 1000 : steadyClock(now)
  const table = createFingerprintTable()
  const queue = createExpiryQueue(table)
  const shares = createFairShares(maxEntries, maxEntriesPerCaller ?? null)
  const words = new Uint32Array(FINGERPRINT_WORDS)
  let started: number | null = null

  /** Seconds since the first claim. */
  function readTime(): number {
    const at = readClock()
    if (at === null) throw new Error('the clock of the replay store gives no time')
    started ??= Math.floor(at)
    return at - started
  }

  function clear(howMany: number): void {
    for (let cleared = 0; cleared < howMany; cleared++) {
      const place = queue.takeEnded()
      if (place === NOWHERE) return
      if (!table.isRemoved(place)) forget(place)
      table.giveBack(place)
    }
  }

  /** After a silence: one by one they would be in the way of the next claims, and nothing that is live is lost. */
  function startAnew(): void {
    table.clear()
    queue.clear()
    shares.clear()
  }

  /** Its place stays in the queue, and is given back from there. */
  function forget(place: Place): void {
    shares.giveBack(table.ownerOf(place))
    table.remove(place)
  }

  return {
    scope: 'process',
    claim(fingerprint: string, forSeconds: number, caller: string): ReplayAnswer {
      if (!(forSeconds > 0 && forSeconds <= LONGEST_LIFE)) {
        throw new RangeError('a claim is for more than 0 seconds and less than 34 years')
      }
      const at = readTime()
      const second = Math.floor(at)
      queue.moveTo(second)
      if (queue.hasEndedAlone()) startAnew()
      else clear(CLEARED_BY_A_CLAIM)
      readFingerprintWords(fingerprint, words)
      const known = table.find(words)
      if (known !== NOWHERE) {
        if (table.endOf(known) > second) return 'seen'
        forget(known)
      }
      if (!shares.admits(caller)) {
        clear(CLEARED_FOR_ROOM)
        if (!shares.admits(caller)) return 'full'
      }
      // A life too short to count ends in a later second all the same: those before are over for the queue.
      const end = Math.max(Math.ceil(at + forSeconds), second + 1)
      queue.add(table.add(words, end, shares.take(caller)))
      return 'first'
    },
  }
}
