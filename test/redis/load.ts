import { Agent, request } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { wimse } from 'fastify-wimse'
import { type ReplayStore, signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { freePort } from './redis-server.js'

/** What came of the requests under load. */
export interface Figures {
  readonly requests: number
  /** Requests by status. */
  readonly byStatus: Readonly<Record<number, number>>
  /** Proofs that came in twice while the store had lost nothing in between. */
  readonly acceptedReplays: number
  /** Proofs that came in once more after the store had lost its data. */
  readonly acceptedAfterLoss: number
  /** Milliseconds the slowest answer took. */
  readonly longestWait: number
  /** Milliseconds this process itself was late, which is in the longest wait. */
  readonly lateness: number
  /** Requests by code of the refusal. */
  readonly byCode: Readonly<Record<string, number>>
}

/** A service with a replay store, and callers that do not stop. */
export interface LoadedService {
  /** Says that the store has lost its data by now. */
  dataLost(): void
  /** Waits until requests come in again. */
  recovered(): Promise<void>
  stop(): Promise<Figures>
}

/** Milliseconds a claim may take. */
export const STORE_TIMEOUT_MS = 250

const CALLERS = 12
/** Milliseconds each rests between two proofs, so that the load is on the store and not on this process. */
const REST_MS = 10

/**
 * Starts a service on a real socket, and callers that send every proof twice at once and old ones again and
 * again.
 */
export async function startLoad(replay: ReplayStore): Promise<LoadedService> {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const app = Fastify({ forceCloseConnections: true })
  await app.register(wimse, {
    audience: origin,
    trustDomains: identityServer.trustDomains,
    replay,
    storeTimeoutMs: STORE_TIMEOUT_MS,
  })
  app.get('/', async () => 'in')
  await app.listen({ port, host: '127.0.0.1' })

  const agent = new Agent({ keepAlive: true })
  const credential = await identityServer.issue({ subject: '/checkout' })
  const byStatus: Record<number, number> = {}
  const byCode: Record<string, number> = {}
  /** How often the store had lost its data when a proof came in, by the proof's headers. */
  const spent = new Map<object, number>()
  const inOrder: object[] = []
  let [losses, acceptedReplays, acceptedAfterLoss, longestWait, requests] = [0, 0, 0, 0, 0]
  const until = new AbortController()
  const lateness = monitorEventLoopDelay({ resolution: 5 })
  lateness.enable()

  async function send(headers: Readonly<Record<string, string>>): Promise<void> {
    const start = performance.now()
    const { status, body } = await get(origin, headers, agent)
    longestWait = Math.max(longestWait, performance.now() - start)
    requests++
    byStatus[status] = (byStatus[status] ?? 0) + 1
    if (status === 200) accept(headers)
    else {
      const { code } = JSON.parse(body) as { readonly code: string }
      byCode[code] = (byCode[code] ?? 0) + 1
    }
  }

  function accept(headers: object): void {
    const before = spent.get(headers)
    if (before === undefined) inOrder.push(headers)
    else if (before === losses) acceptedReplays++
    else acceptedAfterLoss++
    spent.set(headers, losses)
  }

  async function call(): Promise<void> {
    while (!until.signal.aborted) {
      const headers = signRequest(credential, { url: `${origin}/` })
      const old = inOrder[Math.floor(Math.random() * inOrder.length)]
      await Promise.all([headers, headers, ...(old === undefined ? [] : [old as typeof headers])].map(send))
      await sleep(REST_MS)
    }
  }

  const callers = Array.from({ length: CALLERS }, call)
  return {
    dataLost: () => void losses++,
    recovered: async () => {
      const enough = inOrder.length + 50
      while (inOrder.length < enough) await sleep(10)
    },
    stop: async () => {
      until.abort()
      await Promise.all(callers)
      lateness.disable()
      agent.destroy()
      await app.close()
      const late = lateness.max / 1e6
      return { requests, byStatus, byCode, acceptedReplays, acceptedAfterLoss, longestWait, lateness: late }
    },
  }
}

async function get(
  origin: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(origin, { headers, agent }, (response) => {
      let body = ''
      response.on('data', (data: Buffer) => (body += data.toString()))
      response.on('end', () => resolve({ status: response.statusCode!, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}
