import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type ExplainPolicy, type Explanation, explain, webCrypto } from 'wimse/explain'
import {
  createTestIdentityServer,
  faults,
  generateTestKeyPair,
  type GoodRequest,
  goodRequest,
  type InjectRequest,
} from 'wimse-testkit'
import { type Change, countingService, handMade } from '../fastify/hand-made.js'
import { rawRequest } from '../fastify/raw-request.js'
import { NOON, ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'

const crypto = webCrypto()

/** What was made of a request, as the tests of the service write it. */
function outcomeOf({ verdict, code, status }: Explanation): string {
  return code === null ? verdict : `${status} ${code}`
}

describe('explain() names the answer of the service', () => {
  for (const fault of faults) {
    it(`when ${fault.name}: ${fault.code}`, async () => {
      const { app, identityServer } = await serviceUnderTest()
      app.get('/stock/:sku', async () => 'reached')
      const good: GoodRequest = { identityServer, url: `${ORIGIN}/stock/42?all=1` }
      const policy = { audience: ORIGIN, trustDomains: identityServer.trustDomains, now: NOON }
      const explained = async ({ url, headers }: InjectRequest) =>
        explain({ target: url, headers }, policy, crypto)

      expect(outcomeOf(await explained(await goodRequest(good)))).toBe('accepted')
      const request = await fault.request(good)
      const response = await app.inject(request)
      const explanation = await explained(request)
      const { code, title } = response.json<{ code: string; title: string }>()
      expect(explanation).toMatchObject({ verdict: 'refused', code, title, status: response.statusCode })
      expect(code).toBe(fault.code)
      expect(explanation.unless).toEqual([])
      expect(explanation.checks.find(({ outcome }) => outcome === 'failed')?.reason).toMatch(/\w/)
    })
  }

  const stranger = generateTestKeyPair('ES256').privateJwk
  const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')
  /** Two of these at once show that the order is the same, too. */
  const changes: Readonly<Record<string, Change>> = {
    'no WIT': { headers: { 'workload-identity-token': undefined } },
    'no proof': { headers: { 'workload-proof-token': undefined } },
    'proof twice': { headers: { 'workload-proof-token': ['a.b.c', 'a.b.c'] } },
    'two Txn-Tokens': { headers: { 'txn-token': ['a', 'b'] } },
    'proof in Authorization': { headers: { authorization: 'WPT a.b.c' } },
    'long WIT': { witClaims: { long: 'x'.repeat(20_000) } },
    'WIT with two parts': { wit: (token) => token.slice(0, token.lastIndexOf('.')) },
    'WIT of another type': { witHeader: { typ: 'JWT' } },
    'WIT with a sub that is none': { witClaims: { sub: 'checkout' } },
    'WIT of another domain': { witClaims: { sub: 'wimse://other.example/a' } },
    'WIT of another issuer': { witClaims: { iss: 'https://other.example' } },
    'WIT with an exp in words': { witClaims: { exp: 'soon' } },
    'WIT for ten years': { witClaims: { exp: NOON + 315_360_000 } },
    'WIT expired now': { witClaims: { exp: NOON } },
    'WIT with an nbf in words': { witClaims: { nbf: 'now' } },
    'WIT for later': { witClaims: { nbf: NOON + 1 } },
    'WIT by an unknown key': { witHeader: { kid: 'unknown' } },
    'WIT by a stranger': { witKey: stranger },
    'WIT with no key': { witClaims: { cnf: {} } },
    'WIT with a key off its curve': {
      witClaims: { cnf: { jwk: { ...generateTestKeyPair('ES256').publicJwk, y: hashOf('y') } } },
    },
    'proof with five parts': { wpt: (token) => `${token}.a.b` },
    'proof of another type': { wptHeader: { typ: 'jwt' } },
    'proof with an exp in words': { wptClaims: { exp: 'soon' } },
    'proof expired now': { wptClaims: { exp: NOON } },
    'proof with an nbf in words': { wptClaims: { nbf: 'now' } },
    'proof for later': { wptClaims: { nbf: NOON + 1 } },
    'proof for an hour': { wptClaims: { exp: NOON + 3600 } },
    'proof without jti': { wptClaims: { jti: undefined } },
    'proof for elsewhere': { wptClaims: { aud: 'https://other.example/stock' } },
    'proof for another WIT': { wptClaims: { wth: hashOf('other') } },
    'access token not covered': { headers: { authorization: 'Bearer token' } },
    'access token taken away': { wptClaims: { ath: hashOf('another token') } },
    'transaction token not covered': { headers: { 'txn-token': 'token' } },
    'other token taken away': { wptClaims: { oth: { 'x-token': hashOf('token') } } },
    'other token not covered': { headers: { 'x-session': 'token' } },
    'oth is a list': { wptClaims: { oth: [] } },
    'proof by a stranger': { wptKey: stranger },
  }

  for (const [name, change] of Object.entries(changes)) {
    it(`when ${name}, alone and beside each other thing that is wrong (WPT-17)`, async () => {
      const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
      const { jwks, origin } = identityServer
      const options = {
        trustDomains: { [origin]: { jwks, issuer: 'https://identity.example.com' } },
        otherTokens: ['x-session'],
        revisions: ['wpt-01', 'wpt-02'],
        clockTolerance: 0,
      } as const
      const { outcomeOf: answerTo } = await countingService(options)
      const policy: ExplainPolicy = { audience: ORIGIN, now: NOON, ...options }
      const good = await handMade(identityServer)
      expect(await answerTo(good.headers)).toBe('let in')
      const names = Object.keys(changes)
      for (const [other, second] of Object.entries(changes).slice(names.indexOf(name))) {
        const { headers } = await handMade(identityServer, merged(change, second))
        const explanation = await explain({ target: '/stock', headers }, policy, crypto)
        const answer = await answerTo(headers)
        expect(answer).not.toBe('let in')
        expect(`${other}: ${outcomeOf(explanation)}`).toBe(`${other}: ${answer}`)
      }
    })
  }

  /** On each side of every limit, by what a token says. */
  const limits: readonly (readonly [what: string, just: Change, over: Change])[] = [
    ['lifetime of a WIT', { witClaims: { exp: NOON + 86_400 } }, { witClaims: { exp: NOON + 86_401 } }],
    ['expiry of a WIT', { witClaims: { exp: NOON + 1 } }, { witClaims: { exp: NOON } }],
    ['beginning of a WIT', { witClaims: { nbf: NOON } }, { witClaims: { nbf: NOON + 1 } }],
    ['lifetime of a proof', { wptClaims: { exp: NOON + 300 } }, { wptClaims: { exp: NOON + 301 } }],
    ['expiry of a proof', { wptClaims: { exp: NOON + 0.5 } }, { wptClaims: { exp: NOON } }],
    ['beginning of a proof', { wptClaims: { nbf: NOON } }, { wptClaims: { nbf: NOON + 1 } }],
    ['length of a jti', { wptClaims: { jti: 'j'.repeat(256) } }, { wptClaims: { jti: 'j'.repeat(257) } }],
    ['number of audiences', { wptClaims: { aud: [`${ORIGIN}/stock`] } }, { wptClaims: { aud: [] } }],
    ['length of an audience', {}, { wptClaims: { aud: `${ORIGIN}/stock?${'a'.repeat(8192)}` } }],
  ]
  for (const [what, just, over] of limits) {
    it(`on both sides of the limit of the ${what}`, async () => {
      const { identityServer, outcomeOf: answerTo } = await countingService()
      const { trustDomains } = identityServer
      const policy = { audience: ORIGIN, trustDomains, now: NOON, clockTolerance: 0 }
      const bothTo = async (change: Change) => {
        const { headers } = await handMade(identityServer, change)
        const explanation = await explain({ target: '/stock', headers }, policy, crypto)
        return [await answerTo(headers), outcomeOf(explanation)]
      }
      expect(await bothTo(just)).toEqual(['let in', 'accepted'])
      const [answer, explained] = await bothTo(over)
      expect(answer).toMatch(/^400 WIMSE_/)
      expect(explained).toBe(answer)
    })
  }

  const { alg: _, ...withoutAlg } = generateTestKeyPair('ES256').publicJwk
  /** What differs under options that are not the default. */
  const configured: readonly (readonly [what: string, options: object, change: Change, code: string])[] = [
    ['a WIT-SVID names no key', { profile: 'wit-svid' }, { witHeader: { kid: undefined } }, 'WIMSE_WIT_KEY'],
    ['a WIT-SVID has an aud', { profile: 'wit-svid' }, { witClaims: { aud: 'a' } }, 'WIMSE_WIT_MALFORMED'],
    [
      'a WIT-SVID confirms an Ed25519 key',
      { profile: 'wit-svid' },
      { key: generateTestKeyPair('EdDSA') },
      'WIMSE_WIT_CONFIRMATION',
    ],
    ['its domain takes ES384 alone', { algorithms: ['ES384'] }, {}, 'WIMSE_WIT_ALGORITHM'],
    ['cnf.jwk has no alg', {}, { witClaims: { cnf: { jwk: withoutAlg } } }, 'WIMSE_WIT_CONFIRMATION'],
  ]
  for (const [what, domain, change, code] of configured) {
    it(`when ${what}: ${code}`, async () => {
      const identityServer = createTestIdentityServer({ origin: 'spiffe://example.org' })
      const { jwks, origin } = identityServer
      const trustDomains = { [origin]: { jwks, ...domain } }
      const { outcomeOf: answerTo } = await countingService({ trustDomains })
      const { headers } = await handMade(identityServer, change)
      const policy = { audience: ORIGIN, now: NOON, trustDomains }
      const explanation = await explain({ target: '/stock', headers }, policy, crypto)
      expect(outcomeOf(explanation)).toBe(`400 ${code}`)
      expect(await answerTo(headers)).toBe(`400 ${code}`)
    })
  }

  it('when a key without alg is let in by interop.confirmationAlgorithm', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
    const { alg: _, ...unnamed } = publicJwk
    const change = { key: { privateJwk, publicJwk: unnamed } }
    const interop = { confirmationAlgorithm: 'derive' } as const
    const { trustDomains } = identityServer
    const { outcomeOf: answerTo } = await countingService({ trustDomains, interop })
    const { headers } = await handMade(identityServer, change)
    const policy = { audience: ORIGIN, now: NOON, trustDomains }
    const explained = async (more: object) =>
      outcomeOf(await explain({ target: '/stock', headers }, { ...policy, ...more }, crypto))
    expect([await answerTo(headers), await explained({ interop })]).toEqual(['let in', 'accepted'])
    expect(await explained({})).toBe('400 WIMSE_WIT_CONFIRMATION')
  })
})

/** Both changes in one; where they change the same member, the second wins. */
function merged(one: Change, two: Change): Change {
  return {
    ...one,
    ...two,
    witHeader: { ...one.witHeader, ...two.witHeader },
    witClaims: { ...one.witClaims, ...two.witClaims },
    wptHeader: { ...one.wptHeader, ...two.wptHeader },
    wptClaims: { ...one.wptClaims, ...two.wptClaims },
    headers: { ...one.headers, ...two.headers },
  }
}

describe('explain() names the answer of the service over a socket, whatever carriage is accepted', () => {
  type Fields = readonly (readonly [name: string, value: string])[]
  const carriages: Readonly<Record<string, (wpt: string) => Fields>> = {
    'in its field': (wpt) => [['Workload-Proof-Token', wpt]],
    'in two fields': (wpt) => [
      ['Workload-Proof-Token', wpt],
      ['Workload-Proof-Token', wpt],
    ],
    'in its field, beside two bearer tokens': (wpt) => [
      ['Workload-Proof-Token', wpt],
      ['Authorization', 'Bearer a'],
      ['Authorization', 'Bearer b'],
    ],
    'in its field, beside a bearer token in other letters': (wpt) => [
      ['Workload-Proof-Token', wpt],
      ['Authorization', 'Bearer é'],
    ],
    'in Authorization': (wpt) => [['Authorization', `WPT ${wpt}`]],
    'in Authorization, twice': (wpt) => [
      ['Authorization', `WPT ${wpt}`],
      ['Authorization', `WPT ${wpt}`],
    ],
    'in Authorization, beside a bearer token': (wpt) => [
      ['Authorization', `WPT ${wpt}`],
      ['Authorization', 'Bearer a'],
    ],
    'in Authorization, in other letters': () => [['Authorization', 'WPT é']],
    'in both': (wpt) => [
      ['Workload-Proof-Token', wpt],
      ['Authorization', `WPT ${wpt}`],
    ],
    nowhere: () => [],
  }

  for (const revisions of [['wpt-01'], ['wpt-02'], ['wpt-01', 'wpt-02'], ['wpt-02', 'wpt-01']] as const) {
    it(`${revisions.join(', ')}; and challenges only for what is`, async () => {
      const { app, identityServer } = await serviceUnderTest({ revisions })
      app.get('/stock', async () => 'reached')
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      const policy = { audience: ORIGIN, trustDomains: identityServer.trustDomains, now: NOON, revisions }
      let letIn = 0
      for (const [carriage, fieldsOf] of Object.entries(carriages)) {
        const { wit, wpt } = await handMade(identityServer)
        const fields: Fields = [['Workload-Identity-Token', wit], ...fieldsOf(wpt)]
        const lines = fields.map(([name, value]) => `${name}: ${value}`)
        const answer = await rawRequest(port, ['GET /stock HTTP/1.1', 'Host: inventory', ...lines])
        const { status, headers, body } = answer
        const code = status === 200 ? null : (JSON.parse(body) as { code: string }).code
        const explanation = await explain({ target: '/stock', headers: fields }, policy, crypto)
        expect([carriage, explanation.status ?? 200, explanation.code]).toEqual([carriage, status, code])
        expect([carriage, headers['www-authenticate']]).toEqual([
          carriage,
          status === 401 ? 'WPT' : undefined,
        ])
        if (revisions.every((one) => one === 'wpt-01'))
          expect([carriage, status]).not.toEqual([carriage, 401])
        if (status === 200) letIn++
      }
      expect(letIn).toBe(revisions.length)
      await app.close()
    })
  }
})
