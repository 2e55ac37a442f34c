/** A clock that stands still until it is told otherwise: epoch seconds. */
export interface FixedClock {
  (): number
  /** Moves the clock by so many seconds. */
  advance(seconds: number): void
}

/** Makes a clock that stands at `seconds`; give it as `now` to the service and to the calling side. */
export function fixedClock(seconds: number): FixedClock {
  let now = seconds
  return Object.assign(() => now, {
    advance: (by: number) => {
      now += by
    },
  })
}
