import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  AuthenticationError,
  type AuthenticatorOptions,
  createAuthenticator,
  type PresentedTokens,
  problemFor,
  type ReplayStore,
  signRequest,
  type StoreEvent,
  UnavailableError,
} from 'wimse'
import { createTestIdentityServer, fixedClock } from 'wimse-testkit'

const ORIGIN = 'https://inventory.example.com'
const NOON = 1_760_000_000
const clock = fixedClock(NOON)
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })
const events: StoreEvent[] = []

afterEach(() => {
  events.length = 0
  vi.restoreAllMocks()
})

function authenticatorWith(answer: () => unknown, options: Partial<AuthenticatorOptions> = {}) {
  return createAuthenticator(
    {
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      now: clock,
      storeTimeoutMs: 20,
      replay: { claim: answer as ReplayStore['claim'] },
      ...options,
    },
    (event) => events.push(event),
  )
}

async function present(): Promise<PresentedTokens> {
  const credential = await identityServer.issue({ subject: '/checkout' })
  const headers = signRequest(credential, { url: `${ORIGIN}/`, now: NOON })
  return { wit: headers['Workload-Identity-Token']!, wpt: headers['Workload-Proof-Token']!, path: '/' }
}

async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'let in',
    (error: unknown) =>
      error instanceof AuthenticationError || error instanceof UnavailableError ? error.code : String(error),
  )
}

const answers: readonly (readonly [what: string, answer: () => unknown, code: string, allowed: string])[] = [
  ['says first', () => 'first', 'let in', 'let in'],
  ['says seen', async () => 'seen', 'WIMSE_WPT_REPLAYED', 'WIMSE_WPT_REPLAYED'],
  ['says full', async () => 'full', 'WIMSE_REPLAY_STORE_FULL', 'WIMSE_REPLAY_STORE_FULL'],
  ['rejects', async () => Promise.reject(new Error('down')), 'WIMSE_REPLAY_STORE_UNAVAILABLE', 'let in'],
  ['never answers', async () => new Promise(() => undefined), 'WIMSE_REPLAY_STORE_UNAVAILABLE', 'let in'],
  ['says OK', () => 'OK', 'WIMSE_REPLAY_STORE_UNAVAILABLE', 'let in'],
  ['says nothing', async () => undefined, 'WIMSE_REPLAY_STORE_UNAVAILABLE', 'let in'],
]

describe('onStoreFailure', () => {
  for (const [what, answer, rejected, allowed] of answers) {
    it(`with a store that ${what}: 'reject' ${rejected}, 'allow' ${allowed}`, async () => {
      expect(await outcome(authenticatorWith(answer).authenticate(await present()))).toBe(rejected)
      const lenient = authenticatorWith(answer, { onStoreFailure: 'allow' })
      expect(await outcome(lenient.authenticate(await present()))).toBe(allowed)
    })
  }

  it("'allow' lets nobody in whose proof is wrong", async () => {
    const authenticator = authenticatorWith(async () => Promise.reject(new Error('down')), {
      onStoreFailure: 'allow',
    })
    const tokens = await present()
    expect(await outcome(authenticator.authenticate({ ...tokens, path: '/other' }))).toBe(
      'WIMSE_WPT_AUDIENCE',
    )
  })

  it("'allow' tells of the first request let in, and of the others once a minute", async () => {
    let ms = 0
    vi.spyOn(performance, 'now').mockImplementation(() => ms)
    const authenticator = authenticatorWith(async () => Promise.reject(new Error('down')), {
      onStoreFailure: 'allow',
    })
    for (let requests = 0; requests < 130; requests++) {
      await authenticator.authenticate(await present())
      ms += 1000
    }
    expect(events.map(({ type, requests }) => [type, requests])).toEqual([
      ['let-in-unclaimed', 1],
      ['let-in-unclaimed', 60],
      ['let-in-unclaimed', 60],
    ])
    expect(events[0]!.error.diagnostics.received).toBe('down')
  })

  it("'allow' lets them in, and the process goes on, though the listener throws or rejects", async () => {
    const failing: readonly (() => void)[] = [
      () => {
        throw new Error('the logger is gone')
      },
      async () => Promise.reject(new Error('the logger is gone')),
    ]
    for (const fails of failing) {
      const authenticator = createAuthenticator(
        {
          audience: ORIGIN,
          trustDomains: identityServer.trustDomains,
          now: clock,
          onStoreFailure: 'allow',
          replay: { claim: async () => Promise.reject(new Error('down')) },
        },
        (event) => {
          events.push(event)
          return fails()
        },
      )
      expect(await outcome(authenticator.authenticate(await present()))).toBe('let in')
      expect(await outcome(authenticator.authenticate(await present()))).toBe('let in')
      // An unhandled rejection would fail the run.
      await new Promise(setImmediate)
    }
    expect(events.map(({ requests }) => requests)).toEqual([1, 1])
  })

  it("'allow' is never silent: without a listener the process warns", async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const authenticator = createAuthenticator({
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      now: clock,
      onStoreFailure: 'allow',
      replay: { claim: async () => Promise.reject(new Error('down')) },
    })
    await authenticator.authenticate(await present())
    expect(warn).toHaveBeenCalledOnce()
  })

  it('has no say about one proof in both carriages, which is a replay', async () => {
    for (const revisions of [
      ['wpt-01', 'wpt-02'],
      ['wpt-02', 'wpt-01'],
    ] as const) {
      const authenticator = createAuthenticator({
        audience: ORIGIN,
        trustDomains: identityServer.trustDomains,
        now: clock,
        revisions,
      })
      const tokens = await present()
      const [first, second] = revisions
      expect(await outcome(authenticator.authenticate({ ...tokens, revision: first }))).toBe('let in')
      expect(await outcome(authenticator.authenticate({ ...tokens, revision: second }))).toBe(
        'WIMSE_WPT_REPLAYED',
      )
    }
  })

  for (const code of ['WIMSE_REPLAY_STORE_UNAVAILABLE', 'WIMSE_REPLAY_STORE_FULL'] as const) {
    it(`${code} is answered with 503 and Retry-After`, () => {
      const { status, headers } = problemFor(new UnavailableError(code, { reason: 'test' }))
      expect([status, headers['retry-after']]).toEqual([503, '1'])
    })
  }

  it('throws for anything else', () => {
    for (const value of ['ignore', true, null]) {
      expect(() => authenticatorWith(() => 'first', { onStoreFailure: value as 'allow' })).toThrow(
        'onStoreFailure',
      )
    }
  })
})
