import { type FingerprintTable, NOWHERE, type Place } from './fingerprint-table.js'

/** The entries of a table by the second in which they end: forgetting looks at nothing that is still live. */
export interface ExpiryQueue {
  /** Puts an entry in line, which must not have ended. */
  add(place: Place): void
  /** Moves on to a second, which never is an earlier one. */
  moveTo(second: number): void
  /** Takes out an entry that has ended by now; NOWHERE when there is none. */
  takeEnded(): Place
  /** Tells whether there are entries, and all of them have ended. */
  hasEndedAlone(): boolean
  /** Forgets all, in one step. */
  clear(): void
}

/** Makes an empty queue over the links of a table. */
export function createExpiryQueue(table: FingerprintTable): ExpiryQueue {
  /** First of the entries that end in a second. */
  const bySecond = new Map<number, Place>()
  /** First entries of seconds that are over. */
  const ended: Place[] = []
  let reached = 0

  function endSecond(second: number): void {
    const first = bySecond.get(second)
    if (first === undefined) return
    bySecond.delete(second)
    ended.push(first)
  }

  return {
    add(place) {
      const second = table.endOf(place)
      table.link(place, bySecond.get(second) ?? NOWHERE)
      bySecond.set(second, place)
    },
    moveTo(second) {
      if (second <= reached) return
      // After a long silence there are fewer seconds with entries than seconds that have gone by.
      if (second - reached > bySecond.size) {
        for (const end of bySecond.keys()) if (end <= second) endSecond(end)
      } else {
        for (let end = reached + 1; end <= second; end++) endSecond(end)
      }
      reached = second
    },
    takeEnded() {
      const place = ended.pop()
      if (place === undefined) return NOWHERE
      const next = table.linkOf(place)
      if (next !== NOWHERE) ended.push(next)
      return place
    },
    hasEndedAlone: () => bySecond.size === 0 && ended.length > 0,
    clear() {
      bySecond.clear()
      ended.length = 0
    },
  }
}
