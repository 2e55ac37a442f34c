import { UnavailableError } from '../errors.js'
import { tell } from '../tell.js'

/** What becomes of a request while the replay store cannot be reached. */
export type StoreFailurePolicy = 'reject' | 'allow'

/** Requests that came in although nobody could tell whether their proofs had been used. */
export interface StoreEvent {
  /** What happened; there is one kind. */
  readonly type: 'let-in-unclaimed'
  /** How many since the event before this one. */
  readonly requests: number
  /** Why the latest of them could not be claimed. */
  readonly error: UnavailableError
}

/** Milliseconds between two events, so that an outage does not fill the log. */
const BETWEEN_EVENTS_MS = 60_000

/**
 * Decides about requests whose claim failed. With `'allow'` those are let in whose store could not be
 * reached, and nothing else: neither a replay nor a store that is full.
 *
 * @param report hears of the first request let in, and of the others at most once a minute
 * @returns a function that throws the error again, unless the request is let in
 */
export function createStoreFailureJudge(
  policy: StoreFailurePolicy,
  report: (event: StoreEvent) => void,
): (error: unknown) => void {
  let requests = 0
  let reportedAt = Number.NEGATIVE_INFINITY

  return (error) => {
    if (policy !== 'allow' || !isStoreOutage(error)) throw error
    requests++
    const at = performance.now()
    if (at - reportedAt < BETWEEN_EVENTS_MS) return
    const event: StoreEvent = { type: 'let-in-unclaimed', requests, error }
    requests = 0
    reportedAt = at
    tell(report, event)
  }
}

function isStoreOutage(error: unknown): error is UnavailableError {
  return error instanceof UnavailableError && error.code === 'WIMSE_REPLAY_STORE_UNAVAILABLE'
}

/** Tells the operator of a process that has given no place to report to. */
export function warnOfStoreEvent({ requests, error }: StoreEvent): void {
  process.emitWarning(`${requests} requests let in without a replay check: ${error.diagnostics.reason}`, {
    code: error.code,
  })
}
