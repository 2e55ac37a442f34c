import { createHash } from 'node:crypto'
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
