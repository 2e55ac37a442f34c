// A service that trusts thousands of domains of one issuer would open as many connections to it when it
// starts, and most of them would be dropped on the way and wait for a retransmission. Each origin has turns
// of its own: one that stalls keeps nobody waiting for another.
const MOST_AT_ONCE = 32

interface Turns {
  underWay: number
  /** In the order they came. */
  readonly waiting: Set<() => void>
}

const turnsByOrigin = new Map<string, Turns>()

/**
 * Waits until something may be fetched from an origin.
 *
 * @returns a function that ends the turn; call it once
 * @throws the signal's reason when it is aborted before
 */
export async function takeTurn(origin: string, signal: AbortSignal): Promise<() => void> {
  signal.throwIfAborted()
  const turns = turnsByOrigin.get(origin) ?? { underWay: 0, waiting: new Set() }
  turnsByOrigin.set(origin, turns)
  if (turns.underWay < MOST_AT_ONCE) turns.underWay++
  else await waitIn(turns.waiting, signal)
  return () => {
    const [next] = turns.waiting
    if (next !== undefined) return next()
    turns.underWay--
    if (turns.underWay === 0) turnsByOrigin.delete(origin)
  }
}

async function waitIn(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      waiting.delete(take)
      reject(signal.reason as Error)
    }
    const take = (): void => {
      waiting.delete(take)
      signal.removeEventListener('abort', leave)
      resolve()
    }
    waiting.add(take)
    signal.addEventListener('abort', leave, { once: true })
  })
}
