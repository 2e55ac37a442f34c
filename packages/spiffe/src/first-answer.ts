import { beforeDeadline } from 'wimse'

/** Something that is waited for once, by all who come before one common deadline. */
export interface FirstAnswer {
  /** It is there, or will never be. */
  settle(): void
  /** Settles with it, or when the time is up: null once it is. */
  wait(): Promise<void> | null
  /** Settles with it, whenever that is. */
  readonly settled: Promise<void>
}

/**
 * Makes a first answer.
 *
 * @param timeoutMs milliseconds from the first time somebody waits. Who comes later does not wait: while
 *   there is no answer nobody has to wait long to be told.
 */
export function createFirstAnswer(timeoutMs: number): FirstAnswer {
  let deadline: number | null = null
  let settle: () => void = () => undefined
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })
  return {
    settled,
    settle,
    wait() {
      deadline ??= performance.now() + timeoutMs
      const left = deadline - performance.now()
      return left <= 0 ? null : beforeDeadline(settled, left).catch(() => undefined)
    },
  }
}
