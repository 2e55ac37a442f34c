import { memoryReplayStore } from 'fastify-wimse'
import { describe, expect, it } from 'vitest'
import { createTestIdentityServer, fixedClock, generateTestKeyPair } from 'wimse-testkit'
import { type Change, countingService, handMade, hashOf } from './hand-made.js'
import { NOON, ORIGIN } from './service-under-test.js'

const stranger = generateTestKeyPair('ES256')
const target = `${ORIGIN}/stock`

const rows: readonly (readonly [what: string, change: Change, outcome: string])[] = [
  [
    'of two parts (WPT-03)',
    { wpt: (token) => token.split('.').slice(0, 2).join('.') },
    '400 WIMSE_WPT_MALFORMED',
  ],
  ['in quotes (WPT-03)', { wpt: (token) => `"${token}"` }, '400 WIMSE_WPT_MALFORMED'],
  ['with padding (WPT-03)', { wpt: (token) => `${token}=` }, '400 WIMSE_WPT_MALFORMED'],

  [
    'by another algorithm than that of cnf.jwk (WPT-04)',
    { wptHeader: { alg: 'PS256' }, wptKey: generateTestKeyPair('PS256').privateJwk },
    '400 WIMSE_WPT_ALGORITHM',
  ],
  ['by Ed25519, where cnf.jwk says so (WIT-21, BCP-03)', { key: generateTestKeyPair('Ed25519') }, 'let in'],
  ['by EdDSA, where cnf.jwk says so (WIT-21)', { key: generateTestKeyPair('EdDSA') }, 'let in'],
  [
    'by the other name of the algorithm in cnf.jwk (WIT-21, WPT-04)',
    { key: generateTestKeyPair('EdDSA'), wptHeader: { alg: 'Ed25519' } },
    '400 WIMSE_WPT_ALGORITHM',
  ],

  ['of type application/WPT+jwt (WPT-05, BCP-10)', { wptHeader: { typ: 'application/WPT+jwt' } }, 'let in'],
  ['without a type (WPT-05)', { wptHeader: { typ: undefined } }, '400 WIMSE_WPT_TYPE'],
  ...['JWT', 'wit+jwt', 'dpop+jwt', 'at+jwt', 'txntoken+jwt', 'wimse-proof+jwt'].map(
    (typ) => [`of type ${typ} (WPT-05, BCP-11)`, { wptHeader: { typ } }, '400 WIMSE_WPT_TYPE'] as const,
  ),

  ['signed with another key (WPT-06)', { wptKey: stranger.privateJwk }, '400 WIMSE_WPT_SIGNATURE'],
  [
    'signed with a key that it brings along (WPT-06)',
    { wptKey: stranger.privateJwk, wptHeader: { jwk: stranger.publicJwk } },
    '400 WIMSE_WPT_SIGNATURE',
  ],

  ['without an aud (WPT-18, BCP-08)', { wptClaims: { aud: undefined } }, '400 WIMSE_WPT_AUDIENCE'],
  ['for another path (WPT-18)', { wptClaims: { aud: `${ORIGIN}/other` } }, '400 WIMSE_WPT_AUDIENCE'],
  [
    'for another host (WPT-23)',
    { wptClaims: { aud: 'https://other.example/stock' } },
    '400 WIMSE_WPT_AUDIENCE',
  ],
  ['for the origin alone (SEC-04)', { wptClaims: { aud: ORIGIN } }, '400 WIMSE_WPT_AUDIENCE'],
  [
    'for the target with a query and a fragment (WPT-18)',
    { wptClaims: { aud: `${target}?a=b#c` } },
    'let in',
  ],
  ['for one target in a list (WPT-34)', { wptClaims: { aud: [target] } }, 'let in'],
  [
    'for two targets (WPT-34)',
    { wptClaims: { aud: [target, 'https://other.example/stock'] } },
    '400 WIMSE_WPT_AUDIENCE',
  ],

  ['without an exp (WPT-08, WPT-19)', { wptClaims: { exp: undefined } }, '400 WIMSE_WPT_LIFETIME'],
  ['whose exp is text (WPT-19)', { wptClaims: { exp: String(NOON + 60) } }, '400 WIMSE_WPT_LIFETIME'],
  ['whose exp has a fraction (WPT-19)', { wptClaims: { exp: NOON + 0.5 } }, 'let in'],
  ['at its exp (WPT-19, WPT-36)', { wptClaims: { exp: NOON } }, '400 WIMSE_WPT_EXPIRED'],
  ['that lives for five minutes (WPT-20)', { wptClaims: { exp: NOON + 300 } }, 'let in'],
  ['that lives for longer (WPT-08, WPT-20)', { wptClaims: { exp: NOON + 301 } }, '400 WIMSE_WPT_LIFETIME'],
  ['whose nbf lies ahead (WPT-36)', { wptClaims: { nbf: NOON + 1 } }, '400 WIMSE_WPT_NOT_YET_VALID'],

  ['without a jti (WPT-09)', { wptClaims: { jti: undefined } }, '400 WIMSE_WPT_JTI'],
  ['whose jti is empty (WPT-09)', { wptClaims: { jti: '' } }, '400 WIMSE_WPT_JTI'],
  ['whose jti is a number (WPT-09)', { wptClaims: { jti: 7 } }, '400 WIMSE_WPT_JTI'],
  ['whose jti is very long (WPT-09)', { wptClaims: { jti: 'x'.repeat(257) } }, '400 WIMSE_WPT_JTI'],

  ['without a wth (WPT-10, WPT-21)', { wptClaims: { wth: undefined } }, '400 WIMSE_WPT_WIT_HASH'],
  ['for another WIT (WPT-21)', { wptClaims: { wth: hashOf('another') } }, '400 WIMSE_WPT_WIT_HASH'],

  [
    'with claims and header parameters that nobody knows (WPT-16)',
    { wptClaims: { note: 'x', htm: 'POST' }, wptHeader: { note: 'x', kid: 'x' } },
    'let in',
  ],
  ['with an iss (WPT-33)', { wptClaims: { iss: 'wimse://example.com/someone-else' } }, 'let in'],
  ['with an iat that lies ahead (WPT-33)', { wptClaims: { iat: NOON + 600 } }, 'let in'],
]

describe('a proof', () => {
  for (const [what, change, outcome] of rows) {
    it(`${what}: ${outcome}`, async () => {
      const { outcomeWith } = await countingService()
      expect(await outcomeWith()).toBe('let in')
      expect(await outcomeWith(change)).toBe(outcome)
    })
  }

  it('whose hash of the WIT is padded, or in hex, is for no WIT (WPT-10, WPT-21)', async () => {
    const { identityServer, outcomeOf, outcomeWith } = await countingService()
    const key = generateTestKeyPair('ES256')
    const { wit } = await handMade(identityServer, { key })
    const hash = hashOf(wit)
    const outcomeFor = async (wth: string): Promise<string> => {
      const { wpt } = await handMade(identityServer, { key, wptClaims: { wth } })
      return outcomeOf({ 'workload-identity-token': wit, 'workload-proof-token': wpt })
    }
    expect(await outcomeFor(hash)).toBe('let in')
    for (const wth of [`${hash}=`, Buffer.from(hash, 'base64url').toString('hex'), hash.toLowerCase()]) {
      expect(await outcomeFor(wth)).toBe('400 WIMSE_WPT_WIT_HASH')
    }
    expect(await outcomeWith()).toBe('let in')
  })

  it('names its caller by the WIT alone, whatever iss it has (WPT-33, AUTHZ-01)', async () => {
    const { app, identityServer } = await countingService()
    app.get('/whoami', async (request) => request.workload!.id)
    const { headers } = await handMade(identityServer, {
      wptClaims: { aud: `${ORIGIN}/whoami`, iss: 'wimse://example.com/someone-else', sub: 'x' },
      witClaims: { iss: 'wimse://example.com/issuer', client_id: 'wimse://example.com/client' },
    })
    expect((await app.inject({ url: '/whoami', headers })).body).toBe('wimse://example.com/caller')
  })

  it('is good once, and its jti is its sender’s alone (WPT-22)', async () => {
    const { identityServer, outcomeOf } = await countingService()
    const wptClaims = { jti: 'one-and-the-same' }
    const one = await handMade(identityServer, { wptClaims })
    const again = await handMade(identityServer, { wptClaims })
    const other = await handMade(identityServer, {
      wptClaims,
      witClaims: { sub: 'wimse://example.com/another' },
    })
    expect(await outcomeOf(one.headers)).toBe('let in')
    expect(await outcomeOf(one.headers)).toBe('400 WIMSE_WPT_REPLAYED')
    expect(await outcomeOf(again.headers)).toBe('400 WIMSE_WPT_REPLAYED')
    expect(await outcomeOf(other.headers)).toBe('let in')
  })

  it('stays spent until it has expired by the most lenient clock (WPT-22, SEC-10)', async () => {
    const clock = fixedClock(NOON)
    const { identityServer, outcomeOf } = await countingService({
      clockTolerance: 60,
      now: clock,
      replay: memoryReplayStore({ now: clock }),
    })
    const { headers } = await handMade(identityServer)
    expect(await outcomeOf(headers)).toBe('let in')
    for (const seconds of [59, 1, 59.9]) {
      clock.advance(seconds)
      expect(await outcomeOf(headers)).toBe('400 WIMSE_WPT_REPLAYED')
    }
    clock.advance(0.1)
    expect(await outcomeOf(headers)).toBe('400 WIMSE_WPT_EXPIRED')
  })

  it('of a workload is not one of another in another trust domain (WPT-06)', async () => {
    const other = createTestIdentityServer({ origin: 'spiffe://example.com' })
    const { identityServer, outcomeOf } = await countingService()
    const mine = await handMade(identityServer)
    const theirs = await handMade(other)
    expect(await outcomeOf({ 'workload-identity-token': mine.wit, 'workload-proof-token': theirs.wpt })).toBe(
      '400 WIMSE_WPT_WIT_HASH',
    )
    expect(await outcomeOf(mine.headers)).toBe('let in')
  })
})
