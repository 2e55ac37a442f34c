import { createPublicKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Check, type ExplainPolicy, type Explanation, explain, webCrypto } from 'wimse/explain'
import { createTestIdentityServer, generateTestKeyPair } from 'wimse-testkit'
import { importPublicKey } from '../../packages/core/src/crypto/keys.js'
import { isOnCurve } from '../../packages/core/src/explain/curve-point.js'
import { REFUSALS } from '../../packages/core/src/codes.js'
import { type Change, handMade } from '../fastify/hand-made.js'
import { NOON, ORIGIN } from '../fastify/service-under-test.js'

const crypto = webCrypto()
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const { trustDomains, jwks } = identityServer
const url = `${ORIGIN}/stock?all=1`

async function explained(change: Change = {}, policy: Partial<ExplainPolicy> = {}): Promise<Explanation> {
  const { headers } = await handMade(identityServer, change)
  return explain({ url, headers }, { trustDomains, now: NOON, ...policy }, crypto)
}

function check({ checks }: Explanation, id: string): Check {
  return checks.find((one) => one.id === id)!
}

const idsOf = ({ checks }: Explanation, outcome: string): string[] =>
  checks.filter((one) => one.outcome === outcome).map(({ id }) => id)

describe('explain()', () => {
  it('lists every check, whatever came, in the order of the codes it stands for', async () => {
    const full = await explained()
    const empty = await explain({ target: '' }, { audience: ORIGIN, now: NOON }, crypto)
    expect(empty.checks.map(({ id }) => id)).toEqual(full.checks.map(({ id }) => id))
    const missing = Object.keys(REFUSALS).filter((code) => !full.checks.some((one) => one.code === code))
    expect(missing.length).toBe(4)
    expect(missing.every((code) => code.startsWith('WIMSE_BEARER_'))).toBe(true)
  })

  it('accepts a good request and says of revocation and replay that it cannot know', async () => {
    const explanation = await explained()
    expect(explanation).toMatchObject({ verdict: 'accepted', code: null, status: null, unless: [] })
    expect(idsOf(explanation, 'unknown')).toEqual(['revocation', 'replay'])
    expect(idsOf(explanation, 'failed')).toEqual([])
    expect(explanation.wit?.claims).toMatchObject({ sub: 'wimse://example.com/caller' })
    expect(explanation.wpt?.header).toEqual({ alg: 'ES256', typ: 'wpt+jwt' })
  })

  it('says what was compared, with the time apart', async () => {
    const explanation = await explained({ wptClaims: { exp: NOON - 60 } })
    expect(check(explanation, 'proof.expiry')).toMatchObject({
      outcome: 'failed',
      expected: `exp after ${NOON - 5}`,
      received: String(NOON - 60),
      instant: NOON - 60,
      reason: 'exp has passed',
    })
    expect(check(explanation, 'proof.audience')).toMatchObject({
      outcome: 'passed',
      expected: `${ORIGIN}/stock`,
      received: `${ORIGIN}/stock`,
      reason: null,
    })
  })

  it('goes on behind what failed, where there is something left to look at', async () => {
    const explanation = await explained({
      witHeader: { typ: 'JWT' },
      wptClaims: { exp: NOON - 60, aud: 'https://other.example/' },
    })
    expect(explanation.code).toBe('WIMSE_WIT_TYPE')
    expect(idsOf(explanation, 'failed')).toEqual(['wit.type', 'proof.expiry', 'proof.audience'])
    expect(check(explanation, 'proof.signature').outcome).toBe('passed')
  })

  it('calls no proof missing where there are two', async () => {
    const { headers } = await handMade(identityServer)
    const twice = [headers['workload-proof-token'] as string, headers['workload-proof-token'] as string]
    const both = { ...headers, 'workload-proof-token': twice }
    const explanation = await explain({ url, headers: both }, { trustDomains, now: NOON }, crypto)
    expect(explanation.code).toBe('WIMSE_WPT_REPEATED')
    expect(idsOf(explanation, 'failed')).toEqual(['proof.single'])
    expect(check(explanation, 'proof.present').outcome).toBe('skipped')
  })

  it('shows no token as a whole, and of a key that should be public no number', async () => {
    const { privateJwk } = generateTestKeyPair('ES256')
    const change = { witClaims: { cnf: { jwk: privateJwk } } }
    const { headers } = await handMade(identityServer, change)
    const { checks } = await explain({ url, headers }, { trustDomains, now: NOON }, crypto)
    const text = JSON.stringify(checks)
    for (const secret of [...Object.values(headers), privateJwk.d]) expect(text).not.toContain(secret)
    expect(text).toContain('jwk.d')
  })

  it('takes WIT and proof as strings too, in either carriage', async () => {
    const { wit, wpt } = await handMade(identityServer)
    for (const revisions of [['wpt-01'], ['wpt-02']] as const) {
      const explanation = await explain({ url, wit, wpt }, { trustDomains, now: NOON, revisions }, crypto)
      expect(explanation).toMatchObject({ verdict: 'accepted', revision: revisions[0] })
    }
  })

  it('leaves who signed open where there are no keys, and the trust domain where none is named', async () => {
    const explanation = await explained({}, { trustDomains: undefined as never })
    expect(explanation.verdict).toBe('undecided')
    expect(idsOf(explanation, 'unknown').slice(0, 3)).toEqual([
      'wit.trust-domain',
      'wit.key',
      'wit.signature',
    ])
    const withKeys = await explained({}, { trustDomains: undefined as never, jwks })
    expect(withKeys).toMatchObject({ verdict: 'undecided', unless: ['WIMSE_WIT_TRUST_DOMAIN'] })
    expect(check(withKeys, 'wit.signature').outcome).toBe('passed')
  })

  it('says of a refusal which answers would come before it, were open checks to fail', async () => {
    const change = { wptClaims: { exp: NOON - 60 } }
    const explanation = await explained(change, { trustDomains: { 'wimse://example.com': {} } })
    expect(explanation).toMatchObject({
      code: 'WIMSE_WPT_EXPIRED',
      unless: ['WIMSE_WIT_KEY', 'WIMSE_WIT_SIGNATURE'],
    })
  })

  it('calls a signature unknown, and never passed, where the algorithm is missing', async () => {
    const key = generateTestKeyPair('Ed25519')
    const { headers } = await handMade(identityServer, { key })
    const subtle = globalThis.crypto.subtle
    const old = webCrypto({
      importKey: async (_format, jwk, algorithm, ...rest) => {
        if ((algorithm as { name: string }).name === 'Ed25519') throw new Error('NotSupportedError')
        return subtle.importKey('jwk', jwk, algorithm as never, ...(rest as [boolean, ['verify']]))
      },
      verify: async (algorithm, key, ...rest) => subtle.verify(algorithm as never, key as never, ...rest),
      digest: async (...given) => subtle.digest(...given),
    })
    const policy = { trustDomains, now: NOON }
    const [now, then] = [
      await explain({ url, headers }, policy, crypto),
      await explain({ url, headers }, policy, old),
    ]
    expect(check(now, 'proof.signature').outcome).toBe('passed')
    expect(check(then, 'proof.signature')).toMatchObject({
      outcome: 'unknown',
      reason: 'Ed25519 signatures cannot be checked here',
    })
    expect([now.verdict, then.verdict]).toEqual(['accepted', 'undecided'])
  })

  for (const algorithm of ['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'PS512', 'RS256'] as const) {
    it(`checks signatures of ${algorithm}`, async () => {
      const key = generateTestKeyPair(algorithm)
      const stranger = generateTestKeyPair(algorithm).privateJwk
      expect((await explained({ key })).verdict).toBe('accepted')
      expect((await explained({ key, wptKey: stranger })).code).toBe('WIMSE_WPT_SIGNATURE')
    })
  }

  it('keeps the path as it came, dot segments and all', async () => {
    const { headers } = await handMade(identityServer)
    const target = await explain(
      { url: `${ORIGIN}/a/../stock`, headers },
      { trustDomains, now: NOON },
      crypto,
    )
    expect(target.code).toBe('WIMSE_TARGET_INVALID')
  })

  it('finds no audience right for a target that is none', async () => {
    const target = '.evil.example/a'
    const { headers } = await handMade(identityServer, { wptClaims: { aud: ORIGIN + target } })
    const { code, checks } = await explain(
      { target, headers },
      { trustDomains, audience: ORIGIN, now: NOON },
      crypto,
    )
    expect(code).toBe('WIMSE_TARGET_INVALID')
    expect(checks.find(({ id }) => id === 'proof.audience')?.outcome).toBe('failed')
  })

  const wrong: readonly (readonly [what: string, policy: Partial<ExplainPolicy>])[] = [
    ['now', { now: Number.NaN }],
    ['audience', { audience: 'inventory' }],
    ['JWK set', { trustDomains: undefined as never, jwks: {} }],
    ['usable key', { trustDomains: { 'wimse://example.com': { jwks: { keys: [{ kty: 'oct' }] } } } }],
    ['trustDomains', { trustDomains: { 'example.com': {} } }],
    ['jwks', { jwks: { keys: [{ kty: 'oct' }] } }],
    ['trustDomains.*jwks', { trustDomains: { 'wimse://example.com': { jwks: {} } } }],
    [
      'trustDomains.*profile',
      { trustDomains: { 'spiffe://example.org': { profile: 'wit-svid', algorithms: ['EdDSA'] } } },
    ],
    [
      'trustDomains.*profile',
      { algorithms: ['Ed25519'], trustDomains: { 'spiffe://example.org': { profile: 'wit-svid' } } },
    ],
    ['clockTolerance', { clockTolerance: 61 }],
    ['revisions', { revisions: [] }],
    ['unknown option', { leniency: true } as object],
  ]
  for (const [what, policy] of wrong) {
    it(`throws at a policy with a wrong ${what}, and says no more than that`, async () => {
      await expect(explained({}, policy)).rejects.toThrow(new RegExp(what))
      await expect(explained({}, policy)).rejects.toBeInstanceOf(TypeError)
    })
  }

  it('takes a WIT-SVID domain that has an algorithm left', async () => {
    const spiffe = { profile: 'wit-svid', algorithms: ['EdDSA', 'ES256'] } as const
    const { code } = await explained({}, { trustDomains: { 'spiffe://example.org': spiffe } })
    expect(code).toBe('WIMSE_WIT_TRUST_DOMAIN')
  })

  it('throws when nobody says what was called', async () => {
    await expect(explain({}, { now: NOON, audience: ORIGIN }, crypto)).rejects.toThrow(
      'neither url nor target',
    )
    await expect(explain({ url: 'ftp://a/b' }, { now: NOON }, crypto)).rejects.toThrow('url')
    await expect(explain({ target: '/' }, { now: NOON }, crypto)).rejects.toThrow('audience')
  })
})

describe('a point of a public key', () => {
  it('is on its curve exactly when a server can import the key', () => {
    for (const algorithm of ['ES256', 'ES384', 'ES512', 'RS256'] as const) {
      const { publicJwk } = generateTestKeyPair(algorithm)
      expect(isOnCurve(publicJwk as never)).toBe(true)
      if (algorithm === 'RS256') continue
      const off = { ...publicJwk, y: publicJwk.x }
      expect(isOnCurve(off as never)).toBe(false)
      expect(() => createPublicKey({ key: off as never, format: 'jwk' })).toThrow(/invalid|point|EC/i)
    }
  })

  it('is one of edwards25519 exactly when the service takes it for one', () => {
    const encodings = Array.from({ length: 256 }, (_, byte) => new Uint8Array(32).fill(byte))
    for (const small of [0, 1, 0xec, 0xed, 0xee]) {
      for (const fill of [0, 0xff]) {
        for (const last of [0, 0x7f, 0x80, 0xff]) {
          encodings.push(new Uint8Array(32).fill(fill).with(0, small).with(31, last))
        }
      }
    }
    const answers = encodings.map((bytes) => {
      const x = Buffer.from(bytes).toString('base64url')
      // What a service makes of it.
      const isTaken = importPublicKey({ kty: 'OKP', crv: 'Ed25519', x }) !== null
      expect(isOnCurve({ kty: 'OKP', crv: 'Ed25519', x })).toBe(isTaken)
      return isTaken
    })
    expect(new Set(answers).size).toBe(2)
  })
})
