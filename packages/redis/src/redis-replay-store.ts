import { randomBytes } from 'node:crypto'
import { readNumber, refuseUnknownOptions, type ReplayAnswer, type ReplayStore } from 'wimse'
import { type CountedClaim, createClaimCounts } from './claim-counts.js'
import { createEvictionWarning, readWarn } from './eviction-policy.js'
import { fixedLength, readKeyPrefix } from './key.js'
import { driverOf, readText, type RedisClient } from './redis-client.js'

/** Options of {@link redisReplayStore}. */
export interface RedisReplayStoreOptions {
  /** Made, connected and closed by the application. Redis 7.0 or later, or any Valkey. */
  readonly client: RedisClient
  /** Before each key. Default `wimse:replay:`. Services that share a Redis and an audience share it too. */
  readonly keyPrefix?: string
  /**
   * Live entries one caller may have written through this process; a trust domain, four times that. Default
   * 250,000, about 40 MB in Redis.
   */
  readonly maxEntriesPerCaller?: number
  /** Told once when Redis is set up to evict; asked every ten minutes until then. Default a warning of the process. */
  readonly warn?: (message: string) => void
}

/** Claims without an answer, past which more would only wait for the same thing and fill the memory. */
const MOST_UNANSWERED = 10_000
/** What a claim writes: the name of a process, in 16 characters, and the number of the claim. */
const CLAIM = /^[\w-]{16}[0-9a-z]+$/
/** Seconds; as for the store in memory. */
const LONGEST_LIFE = 2 ** 30

/**
 * Remembers proofs in Redis or Valkey, for every process that uses the same one: a proof is good once in all
 * of them. One `SET` with `PX`, `NX` and `GET` a claim.
 *
 * It waits as long as its client does: the deadline is the authenticator's `storeTimeoutMs`. A client that
 * fails at once when it is not connected (`enableOfflineQueue: false`, `disableOfflineQueue: true`) spares
 * requests that wait.
 *
 * It does NOT know what Redis has lost: after a failover or a restart without its data, proofs from before
 * are good once more until they expire.
 *
 * @throws TypeError naming the option that is wrong
 */
export function redisReplayStore(options: RedisReplayStoreOptions): ReplayStore {
  refuseUnknownOptions('redisReplayStore', options, ['client', 'keyPrefix', 'maxEntriesPerCaller', 'warn'])
  const driver = driverOf(options.client)
  const keyPrefix = readKeyPrefix(options.keyPrefix, 'wimse:replay:')
  const counts = createClaimCounts(
    readNumber('maxEntriesPerCaller', options.maxEntriesPerCaller, {
      default: 250_000,
      min: 1,
      integer: true,
    }),
  )
  const warnOfEviction = createEvictionWarning(driver, readWarn(options.warn))
  const process = randomBytes(12).toString('base64url')
  let claims = 0
  let unanswered = 0
  let isUnderstood = true

  /** @throws TypeError when it is no answer to SET with NX and GET */
  function readAnswer(answer: unknown, ours: string): ReplayAnswer {
    const there = readText(answer)
    // A client or proxy that leaves GET out answers OK to a first claim, and to a replay what is the answer
    // to a first one with GET: nothing. Once it has shown that, it is not believed any more.
    if (there !== null && !CLAIM.test(there)) isUnderstood = false
    if (!isUnderstood) throw new TypeError('Redis gave an answer outside of SET with NX and GET')
    // A client that lost the answer sends the command again, and finds what it wrote the first time.
    return there === null || there === ours ? 'first' : 'seen'
  }

  // Written for few promises: each costs as much as the rest of this function.
  async function write(
    fingerprint: string,
    forSeconds: number,
    counted: CountedClaim,
  ): Promise<ReplayAnswer> {
    const ours = process + (claims++).toString(36)
    const key = keyPrefix + fixedLength(fingerprint)
    unanswered++
    try {
      const answer = readAnswer(await driver.setNew(key, ours, Math.ceil(forSeconds * 1000)), ours)
      warnOfEviction()
      if (answer === 'seen') counts.takeBack(counted)
      return answer
    } catch (error) {
      // Any other failure may have come after the entry was written: it stays counted.
      if (!isOutOfMemory(error)) throw error
      counts.takeBack(counted)
      return 'full'
    } finally {
      unanswered--
    }
  }

  return {
    claim(fingerprint: string, forSeconds: number, caller: string): ReplayAnswer | Promise<ReplayAnswer> {
      if (!(forSeconds > 0 && forSeconds <= LONGEST_LIFE)) {
        throw new RangeError('a claim is for more than 0 seconds and less than 34 years')
      }
      // Not an outage: whoever sends so much must not be let in by `onStoreFailure: 'allow'`.
      if (unanswered >= MOST_UNANSWERED) return 'full'
      const counted = counts.count(caller, forSeconds, performance.now() / 1000)
      return counted === null ? 'full' : write(fingerprint, forSeconds, counted)
    },
  }
}

/** Not an outage: whoever can fill Redis must not be let in by `onStoreFailure: 'allow'`. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('OOM ')
}
