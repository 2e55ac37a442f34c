import { signRequest } from 'wimse'
import { changedAfterSigning, issuedByAStranger, signedWithAnotherKey } from './forgeries.js'
import type { Services } from './services.js'
import { enrolVisitor, type Visitor } from './visitor.js'

/** What came back: the status, and the code of a refusal. */
export interface Outcome {
  readonly status: number
  readonly code: string | null
}

/** Something to try against the running services, and what should come of it. */
export interface TourCall {
  readonly tried: string
  readonly expected: Outcome
  /** Makes the call for real. A call does not depend on the one before it. */
  readonly call: (visit: Visit) => Promise<Response>
}

/** What a call has to work with. */
export interface Visit extends Services {
  readonly visitor: Visitor
  /** A protected URL of the inventory. */
  readonly stock: string
  /** One where callers that have no identity yet may use a bearer token. */
  readonly prices: string
  /** Sends a request; one that also remembers what went to and fro is as good as `fetch`. */
  readonly send: Send
}

/** What the calls need of `fetch`. */
export type Send = (url: string, init?: RequestInit) => Promise<Response>

/** What was tried and what came of it. */
export interface TourLine {
  readonly tried: string
  readonly expected: Outcome
  /** Null when there was no answer. */
  readonly outcome: Outcome | null
  readonly asExpected: boolean
}

const WIT = 'Workload-Identity-Token'
const WPT = 'Workload-Proof-Token'
const ACCESS_TOKEN = { Authorization: 'Bearer an-access-token-of-a-customer' }

/** The calls, in the order they are told. */
export const tour: readonly TourCall[] = [
  {
    tried: 'an order through checkout, end to end',
    expected: { status: 201, code: null },
    call: async ({ checkout, send }) => postJson(send, `${checkout}/orders`, { sku: 'apple', quantity: 1 }),
  },
  {
    tried: 'a signed call',
    expected: { status: 200, code: null },
    call: async ({ stock, visitor, send }) => send(stock, { headers: sign(visitor, stock) }),
  },
  {
    tried: 'the same proof again',
    expected: refusal('WIMSE_WPT_REPLAYED'),
    call: async ({ stock, visitor, send }) => {
      const headers = sign(visitor, stock)
      const first = await readOutcome(await send(stock, { headers }))
      if (first.status !== 200) throw new Error('the proof was not accepted the first time')
      return send(stock, { headers })
    },
  },
  {
    tried: 'a WIT without a proof',
    expected: refusal('WIMSE_WPT_MISSING'),
    call: async ({ stock, visitor, send }) => send(stock, { headers: { [WIT]: visitor.credential.wit } }),
  },
  {
    tried: 'a stolen WIT with another key',
    expected: refusal('WIMSE_WPT_SIGNATURE'),
    call: async ({ stock, visitor, send }) => {
      const headers = sign(visitor, stock)
      return send(stock, { headers: { ...headers, [WPT]: await signedWithAnotherKey(headers[WPT]!) } })
    },
  },
  {
    tried: 'the WIT as a bearer token',
    expected: refusal('WIMSE_WIT_MISSING'),
    call: async ({ stock, visitor, send }) =>
      send(stock, { headers: { Authorization: `Bearer ${visitor.credential.wit}` } }),
  },
  {
    tried: 'a proof for another service',
    expected: refusal('WIMSE_WPT_AUDIENCE'),
    call: async ({ stock, checkout, visitor, send }) =>
      send(stock, { headers: sign(visitor, checkout + new URL(stock).pathname) }),
  },
  {
    tried: 'an expired proof',
    expected: refusal('WIMSE_WPT_EXPIRED'),
    call: async ({ stock, visitor, send }) => {
      const twoMinutesAgo = Date.now() / 1000 - 120
      return send(stock, { headers: signRequest(visitor.credential, { url: stock, now: twoMinutesAgo }) })
    },
  },
  {
    tried: 'a WIT changed after signing',
    expected: refusal('WIMSE_WIT_SIGNATURE'),
    call: async ({ stock, visitor, send }) => {
      const credential = await changedAfterSigning(visitor, 'wimse://example.com/checkout')
      return send(stock, { headers: signRequest(credential, { url: stock }) })
    },
  },
  {
    tried: "a WIT of a stranger's trust domain",
    expected: refusal('WIMSE_WIT_TRUST_DOMAIN'),
    call: async ({ stock, send }) =>
      send(stock, { headers: signRequest(await issuedByAStranger(), { url: stock }) }),
  },
  {
    tried: 'a workload that may not',
    expected: { status: 403, code: 'WIMSE_WORKLOAD_FORBIDDEN' },
    call: async ({ stock, visitor, send }) => {
      const url = `${stock}/reservations`
      return postJson(send, url, { quantity: 1 }, sign(visitor, url))
    },
  },
  {
    tried: 'an access token covered by the proof',
    expected: { status: 200, code: null },
    call: async ({ stock, visitor, send }) =>
      send(stock, { headers: { ...ACCESS_TOKEN, ...sign(visitor, stock, ACCESS_TOKEN) } }),
  },
  {
    tried: 'an access token not covered',
    expected: refusal('WIMSE_WPT_ACCESS_TOKEN_HASH'),
    call: async ({ stock, visitor, send }) =>
      send(stock, { headers: { ...ACCESS_TOKEN, ...sign(visitor, stock) } }),
  },
  {
    tried: 'the proof in the Authorization field, as wpt-02 has it',
    expected: { status: 200, code: null },
    call: async ({ stock, visitor, send }) =>
      send(stock, { headers: signRequest(visitor.credential, { url: stock, revision: 'wpt-02' }) }),
  },
  {
    tried: 'a bearer token, where it still works: deprecated',
    expected: { status: 200, code: null },
    call: async ({ prices, latecomerToken, send }) => {
      const response = await send(prices, { headers: { Authorization: `Bearer ${latecomerToken}` } })
      if (!response.headers.has('deprecation')) throw new Error('nothing says that it is deprecated')
      return response
    },
  },
  {
    tried: 'a bearer token of a caller that has shown a WIT',
    expected: { status: 403, code: 'WIMSE_BEARER_REFUSED' },
    call: async ({ prices, visitor, visitorToken, send }) => {
      const first = await readOutcome(await send(prices, { headers: sign(visitor, prices) }))
      if (first.status !== 200) throw new Error('the WIT was not accepted')
      return send(prices, { headers: { Authorization: `Bearer ${visitorToken}` } })
    },
  },
  {
    tried: 'no token at all, on the health route',
    expected: { status: 200, code: null },
    call: async ({ inventory, send }) => send(`${inventory}/healthz`),
  },
]

/** What only a deployment of several replicas can show: those that share what they remember. */
export const replicaTour: readonly TourCall[] = [
  {
    tried: 'the same proof again, at the other replica',
    expected: refusal('WIMSE_WPT_REPLAYED'),
    call: async ({ stock, visitor, send }) => {
      const headers = sign(visitor, stock)
      const first = await send(stock, { headers })
      const answered = first.headers.get(SERVED_BY)
      if ((await readOutcome(first)).status !== 200)
        throw new Error('the proof was not accepted the first time')
      for (let tries = 0; tries < 20; tries++) {
        const again = await send(stock, { headers })
        if (again.headers.get(SERVED_BY) !== answered) return again
        const { code } = await readOutcome(again)
        if (code !== 'WIMSE_WPT_REPLAYED') throw new Error('the same replica accepted it again')
      }
      throw new Error('there is no other replica')
    },
  },
]

/** In which the gateway says which replica answered. */
const SERVED_BY = 'x-served-by'

/**
 * Makes the calls one after the other and compares what came back with what was expected.
 *
 * @throws Error when the identity server gives the visitor no identity
 */
export async function takeTour(
  services: Services,
  calls: readonly TourCall[] = tour,
): Promise<readonly TourLine[]> {
  const visit = await visitOf(services, fetch)
  const lines: TourLine[] = []
  for (const call of calls) lines.push(await makeCall(call, visit))
  return lines
}

/** Gives the visitor an identity, and says what there is to visit. */
export async function visitOf(services: Services, send: Send): Promise<Visit> {
  const stock = `${services.inventory}/stock/apple`
  const prices = `${services.inventory}/prices/apple`
  return { ...services, stock, prices, send, visitor: await enrolVisitor(services) }
}

/** Makes one call and compares what came back with what was expected. */
export async function makeCall({ tried, expected, call }: TourCall, visit: Visit): Promise<TourLine> {
  const outcome = await call(visit).then(readOutcome, () => null)
  const asExpected = outcome?.status === expected.status && outcome.code === expected.code
  return { tried, expected, outcome, asExpected }
}

function refusal(code: string): Outcome {
  return { status: 400, code }
}

function sign({ credential }: Visitor, url: string, headers = {}): Record<string, string> {
  return signRequest(credential, { url, headers })
}

async function postJson(send: Send, url: string, body: object, headers = {}): Promise<Response> {
  return send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

async function readOutcome(response: Response): Promise<Outcome> {
  const text = await response.text()
  const isProblem = response.headers.get('content-type') === 'application/problem+json'
  const { code }: { code?: unknown } = isProblem ? JSON.parse(text) : {}
  return { status: response.status, code: typeof code === 'string' ? code : null }
}
