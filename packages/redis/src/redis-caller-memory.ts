import { hash } from 'node:crypto'
import { type CallerMemory, refuseUnknownOptions } from 'wimse'
import { createEvictionWarning, readWarn } from './eviction-policy.js'
import { readKeyPrefix } from './key.js'
import { driverOf, readText, type RedisClient } from './redis-client.js'

/** Options of {@link redisCallerMemory}. */
export interface RedisCallerMemoryOptions {
  /** Made, connected and closed by the application. Redis 7.0 or later, or any Valkey. */
  readonly client: RedisClient
  /** Before each key. Default `wimse:caller:`. */
  readonly keyPrefix?: string
  /** Told once when Redis is set up to evict. Default a warning of the process. */
  readonly warn?: (message: string) => void
}

/**
 * Remembers in Redis or Valkey which callers have shown a WIT and since when, for every process that uses the
 * same one. Entries stay until they are forgotten: Redis has to keep its data over a restart, or every caller
 * may come with a bearer token again.
 *
 * @throws TypeError naming the option that is wrong
 */
export function redisCallerMemory(options: RedisCallerMemoryOptions): CallerMemory {
  refuseUnknownOptions('redisCallerMemory', options, ['client', 'keyPrefix', 'warn'])
  const driver = driverOf(options.client)
  const keyPrefix = readKeyPrefix(options.keyPrefix, 'wimse:caller:')
  const warnOfEviction = createEvictionWarning(driver, readWarn(options.warn))
  const keyOf = (caller: string): string => keyPrefix + hash('sha256', caller, 'base64url')

  return {
    async remember(caller: string, at: number): Promise<void> {
      if (!Number.isFinite(at)) throw new RangeError('a caller is remembered at an instant in epoch seconds')
      await driver.setNew(keyOf(caller), String(at), null)
      warnOfEviction()
    },
    async since(caller: string): Promise<number | null> {
      const text = readText(await driver.get(keyOf(caller)))
      if (text === null) return null
      const at = Number(text)
      if (text.trim() === '' || !Number.isFinite(at)) throw new Error('Redis holds no instant for a caller')
      return at
    },
    async forget(caller: string): Promise<void> {
      await driver.del(keyOf(caller))
    },
  }
}
