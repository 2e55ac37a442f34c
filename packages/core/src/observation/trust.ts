import { openChannel } from '../channels.js'
import type { TrustEvent } from '../trust/trust-event.js'

/**
 * Something happened to the keys of a trust domain, as published on the channel `wimse.trust`: a
 * {@link TrustEvent} without thumbprint, key id and reason, which are for the log.
 */
export interface TrustMessage {
  /** As in the {@link TrustEvent}. */
  readonly type: TrustEvent['type']
  /** Scheme and trust domain as configured; `bearer` for the keys of bearer tokens. */
  readonly trustDomain: string
  /** For `refreshed`, whether entries of the key set were left out. */
  readonly leftOut: boolean
}

const events = openChannel<TrustMessage>('wimse.trust')

/** Tells of an event, to whoever listens. */
export function tellTrustEvent({ type, trustDomain, reason }: TrustEvent): void {
  if (!events.hasSubscribers) return
  events.publish({ type, trustDomain, leftOut: type === 'refreshed' && reason !== undefined })
}
