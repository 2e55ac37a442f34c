// One service in a process of its own, which says what it has used: `start` with its settings, then `begin` and
// `end` around what is measured.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { contestants } from './contestants.mjs'

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
