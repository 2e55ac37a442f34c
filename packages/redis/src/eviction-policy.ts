import type { RedisDriver } from './redis-client.js'

/**
 * Warns once when a server would throw entries away to make room: whoever fills it could then have proofs
 * forgotten that are still good.
 *
 * @returns a function that asks when it is first called, in the background, and is silent where CONFIG is
 *   not allowed
 */
export function createEvictionWarning(driver: RedisDriver, warn: (message: string) => void): () => void {
  let asked = false

  async function ask(): Promise<void> {
    const policies = await driver.evictionPolicies().catch(() => [])
    const unsafe = policies.find((policy) => policy !== 'noeviction')
    if (unsafe === undefined) return
    warn(
      `wimse-redis: maxmemory-policy is ${unsafe}, so Redis may forget used proofs and known callers before their time; only noeviction is safe`,
    )
  }

  return () => {
    if (asked) return
    asked = true
    void ask()
  }
}

/** Reads the option `warn`. @throws TypeError */
export function readWarn(warn: unknown): (message: string) => void {
  if (warn === undefined) return (message) => process.emitWarning(message, { code: 'WIMSE_REDIS_EVICTION' })
  if (typeof warn === 'function') return warn as (message: string) => void
  throw new TypeError('option warn must be a function')
}
