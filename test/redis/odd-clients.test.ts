import { afterEach, describe, expect, it, vi } from 'vitest'
import { createAuthenticator, signRequest } from 'wimse'
import { type RedisClient, redisCallerMemory, redisReplayStore } from 'wimse-redis'
import { createTestIdentityServer } from 'wimse-testkit'
import { newFingerprint } from '../replay/contract.js'

const CHECKOUT = 'wimse://example.com/checkout'

/** A client with the shape of ioredis, that does what a test wants. */
function clientOf(set: (key: string, value: string) => unknown, policy: () => unknown = safePolicy) {
  const nothing = async () => null
  const config = async () => policy()
  return {
    status: 'ready',
    pipeline: nothing,
    set: async (key: string, value: string) => set(key, value),
    get: nothing,
    del: nothing,
    config,
  } as unknown as RedisClient
}

const safePolicy = () => ['maxmemory-policy', 'noeviction']

/** What a server keeps, and the answer to SET with NX and GET. */
function serverOf() {
  const kept = new Map<string, string>()
  const setNew = (key: string, value: string): string | null => {
    const there = kept.get(key) ?? null
    if (there === null) kept.set(key, value)
    return there
  }
  return { kept, setNew }
}

describe('redisReplayStore() with a client that', () => {
  it('never answers, is full at ten thousand claims, which lets nobody in', async () => {
    const replay = redisReplayStore({ client: clientOf(async () => new Promise(() => undefined)) })
    for (let claims = 0; claims < 10_000; claims++) void replay.claim(newFingerprint(), 60, CHECKOUT)
    expect(replay.claim(newFingerprint(), 60, CHECKOUT)).toBe('full')

    const audience = 'https://inventory.example.com'
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const { trustDomains } = identityServer
    const authenticator = createAuthenticator(
      { audience, trustDomains, replay, onStoreFailure: 'allow' },
      () => undefined,
    )
    const headers = signRequest(await identityServer.issue({ subject: '/checkout' }), { url: `${audience}/` })
    const wit = headers['Workload-Identity-Token']!
    const wpt = headers['Workload-Proof-Token']!
    for (let times = 0; times < 2; times++) {
      await expect(authenticator.authenticate({ wit, wpt, path: '/' })).rejects.toMatchObject({
        code: 'WIMSE_REPLAY_STORE_FULL',
      })
    }
  })

  it('gives up on commands that were written, counts them all the same', async () => {
    const { kept, setNew } = serverOf()
    const client = clientOf((key, value) => {
      setNew(key, value)
      throw new Error('Command timed out')
    })
    const store = redisReplayStore({ client, maxEntriesPerCaller: 10 })
    const answers: unknown[] = []
    for (let claims = 0; claims < 100; claims++) {
      answers.push(await Promise.resolve(store.claim(newFingerprint(), 60, CHECKOUT)).catch(() => 'failed'))
    }
    expect(kept.size).toBe(10)
    expect(answers.filter((answer) => answer === 'full')).toHaveLength(90)
  })

  it('passes on that memory is short, counts nothing for it', async () => {
    const { setNew } = serverOf()
    let isShort = true
    const client = clientOf((key, value) => {
      if (isShort) throw new Error("OOM command not allowed when used memory > 'maxmemory'.")
      return setNew(key, value)
    })
    const store = redisReplayStore({ client, maxEntriesPerCaller: 1 })
    for (let claims = 0; claims < 5; claims++) {
      expect(await store.claim(newFingerprint(), 60, CHECKOUT)).toBe('full')
    }
    isShort = false
    expect(await store.claim(newFingerprint(), 60, CHECKOUT)).toBe('first')
  })

  for (const answer of ['OK', 'QUEUED', '', 'x'.repeat(16), Buffer.from('OK'), 1, undefined, ['a']]) {
    it(`answers ${JSON.stringify(answer)}, cannot tell`, async () => {
      const store = redisReplayStore({ client: clientOf(() => answer) })
      await expect(store.claim(newFingerprint(), 60, CHECKOUT)).rejects.toThrow(TypeError)
    })
  }

  it('leaves GET out, cannot tell about a replay either', async () => {
    const { kept, setNew } = serverOf()
    const client = clientOf((key, value) => (setNew(key, value) === null ? 'OK' : null))
    const store = redisReplayStore({ client })
    const proof = newFingerprint()
    for (let times = 0; times < 3; times++) {
      await expect(store.claim(proof, 60, CHECKOUT)).rejects.toThrow('outside')
    }
    expect(kept.size).toBe(1)
  })
})

describe('the warning of a server that evicts', () => {
  afterEach(() => void vi.useRealTimers())

  it('comes although the server could not be asked the first time', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const policies: unknown[] = [new Error('Connection is closed.'), ['maxmemory-policy', 'allkeys-lru']]
    const client = clientOf(
      () => null,
      () => {
        const policy = policies.shift()
        if (policy instanceof Error) throw policy
        return policy
      },
    )
    const warnings: string[] = []
    const store = redisReplayStore({ client, warn: (message) => void warnings.push(message) })
    const claimAll = async () => {
      for (let claims = 0; claims < 5; claims++) await store.claim(newFingerprint(), 60, CHECKOUT)
      await new Promise(setImmediate)
    }
    await claimAll()
    expect([policies.length, warnings.length]).toEqual([1, 0])
    vi.advanceTimersByTime(11 * 60_000)
    await claimAll()
    expect(warnings).toEqual([expect.stringContaining('allkeys-lru')])
    vi.advanceTimersByTime(11 * 60_000)
    await claimAll()
    expect(warnings).toHaveLength(1)
  })

  it('does not end the process where it throws or rejects', async () => {
    const heard: string[] = []
    const warns: readonly ((message: string) => void)[] = [
      () => {
        heard.push('throws')
        throw new Error('the logger is gone')
      },
      async () => {
        heard.push('rejects')
        throw new Error('the logger is gone')
      },
    ]
    for (const warn of warns) {
      const client = clientOf(
        () => null,
        () => ['maxmemory-policy', 'allkeys-lru'],
      )
      expect(await redisReplayStore({ client, warn }).claim(newFingerprint(), 60, CHECKOUT)).toBe('first')
      await new Promise(setImmediate)
    }
    // An unhandled rejection would fail the run.
    expect(heard).toEqual(['throws', 'rejects'])
  })

  it('comes when the policy is changed later, for the caller memory too', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    let policy = 'noeviction'
    const client = clientOf(
      () => null,
      () => ['maxmemory-policy', policy],
    )
    const warnings: string[] = []
    const memory = redisCallerMemory({ client, warn: (message) => void warnings.push(message) })
    await memory.remember(CHECKOUT, 1)
    policy = 'volatile-ttl'
    await memory.remember(CHECKOUT, 1)
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
    vi.advanceTimersByTime(11 * 60_000)
    await memory.remember(CHECKOUT, 1)
    await new Promise(setImmediate)
    expect(warnings).toEqual([expect.stringContaining('volatile-ttl')])
  })
})
