import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthenticatorOptions,
  AuthenticationError,
  createAuthenticator,
  type PresentedTokens,
  readTrustBundle,
  type ReplayStore,
  signRequest,
  UnavailableError,
} from 'wimse'
import { createTestIdentityServer, fixedClock, type IssueOptions } from 'wimse-testkit'

const ORIGIN = 'https://inventory.example.com'
const NOON = 1_760_000_000
const clock = fixedClock(NOON)
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })

function authenticatorWith(
  options: Partial<AuthenticatorOptions> = {},
): ReturnType<typeof createAuthenticator> {
  return createAuthenticator({
    audience: ORIGIN,
    trustDomains: identityServer.trustDomains,
    now: clock,
    clockTolerance: 0,
    ...options,
  })
}

async function present(
  issue: Partial<IssueOptions> = {},
  sign: { lifetime?: number; now?: number; path?: string } = {},
): Promise<PresentedTokens> {
  const { path = '/stock/42', lifetime, now = NOON } = sign
  const credential = await identityServer.issue({ subject: '/checkout', ...issue })
  const headers = signRequest(credential, { url: ORIGIN + path, lifetime, now })
  return { wit: headers['Workload-Identity-Token']!, wpt: headers['Workload-Proof-Token']!, path }
}

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'let in',
    (error: unknown) =>
      error instanceof AuthenticationError || error instanceof UnavailableError ? error.code : String(error),
  )

afterEach(() => {
  vi.restoreAllMocks()
})

describe('createAuthenticator().authenticate()', () => {
  for (const algorithm of [
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
    'PS256',
    'PS384',
    'PS512',
    'RS256',
    'RS384',
    'RS512',
  ] as const) {
    it(`takes proofs by ${algorithm} (WIT-20, WIT-21)`, async () => {
      const workload = await authenticatorWith().authenticate(await present({ algorithm }))
      expect(workload.id).toBe('wimse://example.com/checkout')
    })
    it(`takes identity tokens by ${algorithm}`, async () => {
      const server = createTestIdentityServer({ origin: 'wimse://example.com', algorithm, now: clock })
      const credential = await server.issue({ subject: '/checkout' })
      const headers = signRequest(credential, { url: `${ORIGIN}/`, now: NOON })
      const tokens = {
        wit: headers['Workload-Identity-Token']!,
        wpt: headers['Workload-Proof-Token']!,
        path: '/',
      }
      const authenticator = authenticatorWith({ trustDomains: server.trustDomains })
      expect((await authenticator.authenticate(tokens)).id).toBe('wimse://example.com/checkout')
      expect(await codeOf(authenticatorWith().authenticate(tokens))).toMatch(/WIMSE_WIT_(KEY|SIGNATURE)/)
    })
  }

  it('takes only algorithms that are accepted (BCP-01)', async () => {
    const authenticator = authenticatorWith({ algorithms: ['ES256'] })
    expect(await codeOf(authenticator.authenticate(await present()))).toBe('let in')
    expect(await codeOf(authenticator.authenticate(await present({ algorithm: 'EdDSA' })))).toBe(
      'WIMSE_WIT_CONFIRMATION',
    )
  })

  it('takes only identity tokens by the algorithms of their trust domain', async () => {
    const server = createTestIdentityServer({ origin: 'wimse://example.com', algorithm: 'RS256', now: clock })
    const [, rsa] = [identityServer, server].map(({ jwks }) => jwks.keys[0]!)
    const jwks = {
      keys: [
        { ...identityServer.jwks.keys[0]!, kid: 'ec' },
        { ...rsa!, kid: server.issuerKey.kid! },
      ],
    }
    const credential = await server.issue({ subject: '/checkout', algorithm: 'EdDSA' })
    const sign = () => signRequest(credential, { url: `${ORIGIN}/`, now: NOON })
    const tokens = () => {
      const headers = sign()
      return { wit: headers['Workload-Identity-Token']!, wpt: headers['Workload-Proof-Token']!, path: '/' }
    }
    const limitedTo = (...algorithms: ('ES256' | 'RS256')[]) =>
      authenticatorWith({ trustDomains: { 'wimse://example.com': { jwks, algorithms } } })
    expect(await codeOf(limitedTo('ES256').authenticate(tokens()))).toBe('WIMSE_WIT_ALGORITHM')
    expect(await codeOf(limitedTo('RS256').authenticate(tokens()))).toBe('let in')
  })

  it('binds keys to scheme and trust domain: the same key id in two domains never crosses (WIT-23, WIT-25, ID-06)', async () => {
    const spiffe = createTestIdentityServer({ origin: 'spiffe://example.com', now: clock })
    const authenticator = authenticatorWith({
      trustDomains: {
        'wimse://example.com': {
          jwks: { keys: identityServer.jwks.keys.map((key) => ({ ...key, kid: 'one' })) },
        },
        'spiffe://example.com': { jwks: { keys: spiffe.jwks.keys.map((key) => ({ ...key, kid: 'one' })) } },
      },
    })
    const crossing = createTestIdentityServer({ origin: 'spiffe://example.com', now: clock })
    Object.assign(crossing.issuerKey, identityServer.issuerKey, { kid: 'one' })
    const credential = await crossing.issue({ subject: '/checkout' })
    const headers = signRequest(credential, { url: `${ORIGIN}/`, now: NOON })
    const tokens = {
      wit: headers['Workload-Identity-Token']!,
      wpt: headers['Workload-Proof-Token']!,
      path: '/',
    }
    expect(await codeOf(authenticator.authenticate(tokens))).toBe('WIMSE_WIT_SIGNATURE')
  })

  const limits: readonly (readonly [
    what: string,
    at: number,
    options: Partial<AuthenticatorOptions>,
    code: string,
  ])[] = [
    ['a proof in its last second', 59, {}, 'let in'],
    ['a proof at its expiry', 60, {}, 'WIMSE_WPT_EXPIRED'],
    ['a proof within the tolerance', 64.9, { clockTolerance: 5 }, 'let in'],
    ['a proof at the end of the tolerance', 65, { clockTolerance: 5 }, 'WIMSE_WPT_EXPIRED'],
    ['a proof from a clock that is ahead, up to the limit', -240, {}, 'let in'],
    ['a proof from a clock that is further ahead', -241, {}, 'WIMSE_WPT_LIFETIME'],
  ]
  for (const [what, at, options, code] of limits) {
    it(`${what}: ${code}`, async () => {
      const tokens = await present({}, { lifetime: 60 })
      expect(await codeOf(authenticatorWith({ ...options, now: () => NOON + at }).authenticate(tokens))).toBe(
        code,
      )
    })
  }

  for (const [what, now] of [
    ['gives NaN', () => Number.NaN],
    ['gives infinity', () => Number.POSITIVE_INFINITY],
    ['gives text', () => '1760000000' as unknown as number],
    [
      'throws',
      () => {
        throw new Error('no clock')
      },
    ],
  ] as const) {
    it(`admits nobody when the clock ${what}`, async () => {
      expect(await codeOf(authenticatorWith({ now }).authenticate(await present()))).toBe(
        'WIMSE_TRUST_UNAVAILABLE',
      )
    })
  }

  it('does not follow a clock that is set back', async () => {
    let now = NOON + 61
    const authenticator = authenticatorWith({ now: () => now })
    const tokens = await present({}, { lifetime: 60 })
    expect(await codeOf(authenticator.authenticate(tokens))).toBe('WIMSE_WPT_EXPIRED')
    now = NOON
    expect(await codeOf(authenticator.authenticate(tokens))).toBe('WIMSE_WPT_EXPIRED')
    expect(await codeOf(authenticatorWith().authenticate(tokens))).toBe('let in')
  })

  it('goes on from where it was when the clock is set back, so that a proof does not outlive its entry', async () => {
    let monotonic = 1_000_000
    vi.spyOn(performance, 'now').mockImplementation(() => monotonic)
    let now = NOON
    const authenticator = authenticatorWith({ now: () => now })
    const tokens = await present({}, { lifetime: 60 })
    expect(await codeOf(authenticator.authenticate(tokens))).toBe('let in')
    now -= 3600
    for (const seconds of [1, 50, 150, 3000]) {
      monotonic += seconds * 1000
      expect(await codeOf(authenticator.authenticate(tokens))).toMatch(/WIMSE_WPT_(REPLAYED|EXPIRED)/)
    }
  })

  it('refuses a request that took longer than thirty seconds to check', async () => {
    let elapsed = 0
    vi.spyOn(performance, 'now').mockImplementation(() => elapsed)
    const slow = (ms: number) =>
      authenticatorWith({
        isRevoked: () => {
          elapsed += ms
          return false
        },
      })
    expect(await codeOf(slow(29_000).authenticate(await present()))).toBe('let in')
    expect(await codeOf(slow(31_000).authenticate(await present()))).toBe('WIMSE_WPT_EXPIRED')
  })

  it('accepts one WIT for many proofs (WIT-13)', async () => {
    const authenticator = authenticatorWith()
    const credential = await identityServer.issue({ subject: '/checkout' })
    for (let round = 0; round < 3; round++) {
      const headers = signRequest(credential, { url: `${ORIGIN}/`, now: NOON })
      const tokens = {
        wit: headers['Workload-Identity-Token']!,
        wpt: headers['Workload-Proof-Token']!,
        path: '/',
      }
      expect(await codeOf(authenticator.authenticate(tokens))).toBe('let in')
      expect(await codeOf(authenticator.authenticate(tokens))).toBe('WIMSE_WPT_REPLAYED')
    }
  })

  it('lets one of a hundred simultaneous copies in', async () => {
    const authenticator = authenticatorWith()
    const tokens = await present()
    const codes = await Promise.all(
      Array.from({ length: 100 }, () => codeOf(authenticator.authenticate(tokens))),
    )
    expect(codes.filter((code) => code === 'let in')).toHaveLength(1)
    expect(codes.filter((code) => code === 'WIMSE_WPT_REPLAYED')).toHaveLength(99)
  })

  it('ignores iat (WIT-14)', async () => {
    expect(await codeOf(authenticatorWith({ now: () => NOON - 2 }).authenticate(await present()))).toBe(
      'let in',
    )
  })

  it('throws what is no refusal as it is', async () => {
    const tokens = await present()
    const header = () => {
      throw new RangeError('a bug of the caller')
    }
    expect(
      await codeOf(authenticatorWith({ otherTokens: ['x'] }).authenticate({ ...tokens, header })),
    ).toMatch(/RangeError/)
  })
})

describe('the replay store of an authenticator', () => {
  const claims: Parameters<ReplayStore['claim']>[] = []
  const storeThat = (answer: () => unknown): ReplayStore => ({
    claim: ((...claim: Parameters<ReplayStore['claim']>) => {
      claims.push(claim)
      return answer()
    }) as ReplayStore['claim'],
  })

  it('is asked last, for as long as the proof lives and a minute longer', async () => {
    claims.length = 0
    const authenticator = authenticatorWith({ replay: storeThat(() => 'first'), clockTolerance: 5 })
    await authenticator.authenticate(await present({}, { lifetime: 60 }))
    expect(claims).toEqual([[expect.stringMatching(/^[\w-]{43}$/), 125, 'wimse://example.com/checkout']])
  })

  it('is not asked about a proof that anything else is wrong with', async () => {
    claims.length = 0
    const authenticator = authenticatorWith({ replay: storeThat(() => 'first') })
    const tokens = await present()
    for (const spoilt of [
      { ...tokens, path: '/other' },
      { ...tokens, accessToken: 'x' },
      { ...tokens, wpt: `${tokens.wpt.slice(0, -2)}AA` },
      { ...tokens, wit: `${tokens.wit.slice(0, -2)}AA` },
    ]) {
      expect(await codeOf(authenticator.authenticate(spoilt))).toMatch(/^WIMSE_W/)
    }
    expect(claims).toEqual([])
  })

  const outages: readonly (readonly [what: string, answer: () => unknown, code: string])[] = [
    ['says first', () => 'first', 'let in'],
    ['says first later', async () => 'first', 'let in'],
    ['says seen', () => 'seen', 'WIMSE_WPT_REPLAYED'],
    ['says full', () => 'full', 'WIMSE_REPLAY_STORE_FULL'],
    [
      'throws',
      () => {
        throw new Error('down')
      },
      'WIMSE_REPLAY_STORE_UNAVAILABLE',
    ],
    ['rejects', async () => Promise.reject(new Error('down')), 'WIMSE_REPLAY_STORE_UNAVAILABLE'],
    ['never answers', async () => new Promise(() => undefined), 'WIMSE_REPLAY_STORE_UNAVAILABLE'],
    ['says true', () => true, 'WIMSE_REPLAY_STORE_UNAVAILABLE'],
    ['says nothing', () => undefined, 'WIMSE_REPLAY_STORE_UNAVAILABLE'],
    ['says OK', async () => 'OK', 'WIMSE_REPLAY_STORE_UNAVAILABLE'],
  ]
  for (const [what, answer, code] of outages) {
    it(`that ${what}: ${code}`, async () => {
      const authenticator = authenticatorWith({ replay: storeThat(answer), storeTimeoutMs: 20 })
      expect(await codeOf(authenticator.authenticate(await present()))).toBe(code)
    })
  }

  it('can be turned off', async () => {
    const authenticator = authenticatorWith({ replay: false })
    const tokens = await present()
    expect([
      await codeOf(authenticator.authenticate(tokens)),
      await codeOf(authenticator.authenticate(tokens)),
    ]).toEqual(['let in', 'let in'])
  })
})

describe('a trust bundle source of one’s own', () => {
  const bundle = readTrustBundle(identityServer.jwks)
  const sourceThat = (bundleFor: (trustDomain: string) => unknown): Partial<AuthenticatorOptions> => ({
    trustDomains: { 'wimse://example.com': { source: { bundleFor: bundleFor as () => typeof bundle } } },
  })

  const answers: readonly (readonly [what: string, bundleFor: () => unknown, code: string])[] = [
    ['gives a bundle', () => bundle, 'let in'],
    ['gives a bundle later', async () => bundle, 'let in'],
    ['gives an empty bundle', () => readTrustBundle({ keys: [] }), 'WIMSE_WIT_KEY'],
    [
      'throws',
      () => {
        throw new Error('down')
      },
      'WIMSE_TRUST_UNAVAILABLE',
    ],
    ['rejects', async () => Promise.reject(new Error('down')), 'WIMSE_TRUST_UNAVAILABLE'],
    ['gives nothing', () => undefined, 'WIMSE_TRUST_UNAVAILABLE'],
    ['gives null', () => null, 'WIMSE_TRUST_UNAVAILABLE'],
    ['gives the key set itself', () => identityServer.jwks, 'WIMSE_TRUST_UNAVAILABLE'],
    ['gives what looks like a bundle', () => ({ ...bundle }), 'WIMSE_TRUST_UNAVAILABLE'],
    ['gives keys that are none', () => ({ keys: [null] }), 'WIMSE_TRUST_UNAVAILABLE'],
  ]
  for (const [what, bundleFor, code] of answers) {
    it(`that ${what}: ${code}`, async () => {
      expect(await codeOf(authenticatorWith(sourceThat(bundleFor)).authenticate(await present()))).toBe(code)
    })
  }

  it('is asked for the trust domain of the subject alone', async () => {
    const asked: string[] = []
    await authenticatorWith(
      sourceThat((domain) => {
        asked.push(domain)
        return bundle
      }),
    ).authenticate(await present())
    expect(asked).toEqual(['wimse://example.com'])
  })

  it('is made ready and closed with the authenticator', async () => {
    const calls: string[] = []
    const source = {
      bundleFor: () => bundle,
      ready: async () => void calls.push('ready'),
      close: () => void calls.push('close'),
    }
    const authenticator = authenticatorWith({
      trustDomains: { 'wimse://a.example': { source }, 'wimse://b.example': { source } },
    })
    await authenticator.ready()
    await authenticator.close()
    expect(calls).toEqual(['ready', 'close'])
  })
})
