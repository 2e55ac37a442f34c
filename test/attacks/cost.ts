import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The CPU time of this process, with all its threads, while something is done: milliseconds. */
export async function cpuTimeOf(act: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await act()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** The heap that is held when something is done, beyond what was held before: bytes. */
export async function heapHeldBy(act: () => Promise<unknown>): Promise<number> {
  const before = await heapHeld()
  await act()
  return (await heapHeld()) - before
}

async function heapHeld(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What has been closed is let go of a moment later.
  for (let turn = 0; turn < 3; turn++) {
    await sleep(10)
    collect()
  }
  return process.memoryUsage().heapUsed
}
