// One service in a process of its own, which says what it has used: `start` with its settings, then `begin` and
// `end` around what is measured.
import { executionAsyncResource } from 'node:async_hooks'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { contestants } from './contestants.mjs'

// When a full collection comes in a pause, V8 finds nothing alive of what process.nextTick() makes, forgets its shape,
// and takes a slow path for each of them from then on: some two microseconds a request. Most processes have one such
// collection, and whether it falls into a pause is a coin, tossed for every service here. One that is kept decides it.
export let kept
process.nextTick(() => {
  kept = executionAsyncResource()
})

const delay = monitorEventLoopDelay({ resolution: 1 })
let before

const answers = {
  start: async ({ name, settings }) => ({ port: await contestants[name](settings) }),
  begin: ({ watchDelay }) => {
    delay.reset()
    // It wakes the process a thousand times a second, which is seen where there is little else to do.
    if (watchDelay) delay.enable()
    before = process.cpuUsage()
    return {}
  },
  end: () => {
    const { user, system } = process.cpuUsage(before)
    delay.disable()
    return { cpu: user + system, delay: delay.percentile(99) / 1e6 }
  },
}

// A service that does not start ends the process, and so the run.
process.on('message', ({ id, ask, ...rest }) => void reply(id, answers[ask], rest))

async function reply(id, answer, rest) {
  process.send({ id, ...(await answer(rest)) })
}

// Ends with whoever measures.
process.on('disconnect', () => process.exit())
