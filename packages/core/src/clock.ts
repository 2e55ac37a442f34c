/** Gives the time in epoch seconds. */
export type Clock = () => number

/** The clock of the machine, in whole and fractional epoch seconds. */
export const systemClock: Clock = () => Date.now() / 1000

/** One instant in epoch seconds, or a clock to read it from. */
export type Instant = number | Clock

/** Reads an instant once. @throws TypeError when it is not a finite number */
export function readInstant(instant: Instant | undefined): number {
  const now = typeof instant === 'function' ? instant() : (instant ?? systemClock())
  if (typeof now !== 'number' || !Number.isFinite(now)) throw new TypeError('now must give epoch seconds')
  return now
}

/**
 * Wraps a clock so that it never runs backwards. When the wrapped one is set back, time goes on from where
 * it was at the pace of a clock that nobody can set: a replay store forgets by such a clock, and a proof
 * must not outlive its entry there.
 *
 * @returns a clock that gives null when the wrapped one throws or gives anything but a finite number
 */
export function steadyClock(now: Clock): () => number | null {
  let latest = Number.NEGATIVE_INFINITY
  let latestAt = 0
  return () => {
    let read: unknown
    try {
      read = now()
    } catch {
      return null
    }
    if (typeof read !== 'number' || !Number.isFinite(read)) return null
    const at = performance.now() / 1000
    latest = read >= latest ? read : latest + Math.max(0, at - latestAt)
    latestAt = at
    return latest
  }
}
