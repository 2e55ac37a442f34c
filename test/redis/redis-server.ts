import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { realParts } from '../machine.js'

/** The program, where it is on this machine; null where it is not. */
export const redisServerPath: string | null = realParts.find(({ name }) => name === 'redis-server')!.path

/** A Redis of our own on loopback, which keeps nothing on disk. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Sends it a signal: SIGSTOP, SIGCONT. */
  signal(name: NodeJS.Signals): void
  /** Kills it, and returns once it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>
  /** Kills it and removes what it has left. */
  close(): Promise<void>
}

/** Starts a Redis on a free port. */
export async function startRedis(
  args: readonly string[] = [],
  program = redisServerPath!,
): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'wimse-redis-'))
  let child = await start()

  async function start(): Promise<ChildProcess> {
    const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const started = spawn(program, [...options, '--dir', folder, ...args], { stdio: 'ignore' })
    await answers(port)
    return started
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    signal: (name) => void child.kill(name),
    kill,
    restart: async () => {
      await kill()
      child = await start()
    },
    close: async () => {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await says(port, 'PING\r\n', '+PONG')) return
    await sleep(25)
  }
  throw new Error(`redis-server does not answer on port ${port}`)
}

/** Asks a server something in its own words, and tells whether the answer contains what is expected. */
export async function says(port: number, question: string, expected: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    let heard = ''
    socket.setTimeout(500, () => done(heard.includes(expected)))
    socket.on('error', () => done(false))
    socket.on('connect', () => socket.write(question))
    socket.on('data', (data) => {
      heard += data.toString()
      if (heard.includes(expected)) done(true)
    })
  })
}
