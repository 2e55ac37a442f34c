import { tell } from 'wimse'
import type { RedisDriver } from './redis-client.js'

/** Milliseconds until a server is asked again: it may not have answered, or have another policy by now. */
const BETWEEN_QUESTIONS_MS = 600_000

/**
 * Warns once when a server would throw entries away to make room: whoever fills it could then have proofs
 * forgotten that are still good.
 *
 * @returns a function that asks in the background, when it is first called and then every ten minutes until
 *   it has warned; it is silent where CONFIG is not allowed
 */
export function createEvictionWarning(driver: RedisDriver, warn: (message: string) => void): () => void {
  let askAt = Number.NEGATIVE_INFINITY
  let warned = false

  async function ask(): Promise<void> {
    const policies = await driver.evictionPolicies().catch(() => [])
    const unsafe = policies.find((policy) => policy !== 'noeviction')
    if (unsafe === undefined || warned) return
    warned = true
    tell(
      warn,
      `wimse-redis: maxmemory-policy is ${unsafe}, so Redis may forget used proofs and known callers before their time; only noeviction is safe`,
    )
  }

  return () => {
    const at = performance.now()
    if (warned || at < askAt) return
    askAt = at + BETWEEN_QUESTIONS_MS
    void ask()
  }
}

/** Reads the option `warn`. @throws TypeError */
export function readWarn(warn: unknown): (message: string) => void {
  if (warn === undefined) return (message) => process.emitWarning(message, { code: 'WIMSE_REDIS_EVICTION' })
  if (typeof warn === 'function') return warn as (message: string) => void
  throw new TypeError('option warn must be a function')
}
