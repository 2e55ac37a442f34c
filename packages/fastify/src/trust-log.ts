import type { FastifyBaseLogger } from 'fastify'
import { tell, type TrustEvent } from 'wimse'

/** Logs what happens to the keys of trust domains, and passes it on. */
export function logTrustEvents(
  log: FastifyBaseLogger,
  listener: (event: TrustEvent) => void = () => undefined,
): (event: TrustEvent) => void {
  return (event) => {
    const { type, ...trust } = event
    if (type === 'failed') log.warn({ trust }, 'keys of a trust domain could not be refreshed')
    else if (type === 'key-added') log.info({ trust }, 'a trust domain has a new key')
    else if (type === 'key-removed') log.info({ trust }, 'a trust domain has withdrawn a key')
    else if (trust.reason === undefined) log.debug({ trust }, 'keys of a trust domain were refreshed')
    else log.warn({ trust }, 'keys of a trust domain were left out')
    tell(listener, event)
  }
}
