// The measuring side of server.mjs: starts a service in a process of its own, and asks it what it has used.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onFirst } from '../processors.mjs'

const SERVER = fileURLToPath(new URL('server.mjs', import.meta.url))

/**
 * Starts the contestant of this name. `begin` and `end` stand around what is measured.
 *
 * @param flags for its Node
 */
export async function startService(name, settings, flags = []) {
  const child = fork(SERVER, {
    ...onFirst,
    execArgv: [...onFirst.execArgv, ...flags],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const ended = once(child, 'exit')
  const waiting = new Map()
  let asked = 0
  child.on('message', ({ id, ...answer }) => {
    waiting.get(id).resolve(answer)
    waiting.delete(id)
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended with code ${code}`))
  })
  const ask = (question, rest) =>
    new Promise((resolve, reject) => {
      waiting.set(++asked, { resolve, reject })
      child.send({ id: asked, ask: question, ...rest })
    })
  const { port } = await ask('start', { name, settings })
  return {
    port,
    begin: (watch) => ask('begin', watch),
    end: () => ask('end'),
    stop: async () => {
      child.disconnect()
      await ended
    },
  }
}
