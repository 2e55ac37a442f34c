import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until something holds, and throws when it does not come to hold. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`)
    await sleep(5)
  }
}
