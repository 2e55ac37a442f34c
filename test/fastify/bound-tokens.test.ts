import { describe, expect, it } from 'vitest'
import { type Change, countingService, handMade, hashOf } from './hand-made.js'
import { ORIGIN } from './service-under-test.js'

const ACCESS = '400 WIMSE_WPT_ACCESS_TOKEN_HASH'
const TXN = '400 WIMSE_WPT_TXN_TOKEN_HASH'
const OTHER = '400 WIMSE_WPT_OTHER_TOKEN_HASH'

type Headers = NonNullable<Change['headers']>

const rows: readonly (readonly [
  what: string,
  headers: Headers,
  claims: Record<string, unknown>,
  outcome: string,
])[] = [
  [
    'an access token with its hash (WPT-11, WPT-25)',
    { authorization: 'Bearer abc' },
    { ath: hashOf('abc') },
    'let in',
  ],
  ['a DPoP token with its hash (WPT-11)', { authorization: 'dPoP   abc' }, { ath: hashOf('abc') }, 'let in'],
  ['an access token and no hash (WPT-25)', { authorization: 'Bearer abc' }, {}, ACCESS],
  [
    'an access token and the hash of another (WPT-25)',
    { authorization: 'Bearer abc' },
    { ath: hashOf('abd') },
    ACCESS,
  ],
  [
    'the hash of the whole field (WPT-11)',
    { authorization: 'Bearer abc' },
    { ath: hashOf('Bearer abc') },
    ACCESS,
  ],
  ['a hash of an access token that is not there (WPT-25)', {}, { ath: hashOf('abc') }, ACCESS],

  [
    'a transaction token with its hash (WPT-12, WPT-26)',
    { 'txn-token': 'abc' },
    { tth: hashOf('abc') },
    'let in',
  ],
  ['a transaction token and no hash (WPT-26)', { 'txn-token': 'abc' }, {}, TXN],
  [
    'a transaction token and the hash of another (WPT-26)',
    { 'txn-token': 'abc' },
    { tth: hashOf('abd') },
    TXN,
  ],
  ['a hash of a transaction token that is not there (WPT-26)', {}, { tth: hashOf('abc') }, TXN],
  ['two transaction tokens (BEAR-06)', { 'txn-token': ['abc', 'abc'] }, { tth: hashOf('abc') }, TXN],

  [
    'two other tokens with their hashes (WPT-13, WPT-28)',
    { 'x-a': ' 1 ', 'x-b': '2' },
    { oth: { 'x-a': hashOf('1'), 'x-b': hashOf('2') } },
    'let in',
  ],
  ['another token that was exchanged (WPT-27)', { 'x-a': '2' }, { oth: { 'x-a': hashOf('1') } }, OTHER],
  [
    'two other tokens of which one was exchanged (WPT-28)',
    { 'x-a': '1', 'x-b': '3' },
    { oth: { 'x-a': hashOf('1'), 'x-b': hashOf('2') } },
    OTHER,
  ],
  ['an oth that is text (WPT-13)', { 'x-a': '1' }, { oth: hashOf('1') }, OTHER],
  ['an oth that is a list (WPT-13)', { 'x-a': '1' }, { oth: [hashOf('1')] }, OTHER],
  ['an oth that is null (WPT-13)', { 'x-a': '1' }, { oth: null }, OTHER],
  ['an oth with a name in upper case (WPT-13)', { 'x-a': '1' }, { oth: { 'X-A': hashOf('1') } }, OTHER],
  ['an oth with what is no field name (WPT-29)', { 'x-a': '1' }, { oth: { 'x a': hashOf('1') } }, OTHER],
  [
    'an oth with an entry that is no hash (WPT-29)',
    { 'x-a': '1' },
    { oth: { 'x-a': { sha256: 'x' } } },
    OTHER,
  ],
  ['an oth with an entry for nothing at all (WPT-29)', {}, { oth: { '': hashOf('') } }, OTHER],
  ['an oth for a field that is not there (WPT-31)', {}, { oth: { 'x-a': hashOf('1') } }, OTHER],
  [
    'an oth for a field that is there twice (WPT-14, WPT-31)',
    { 'x-a': ['1', '1'] },
    { oth: { 'x-a': hashOf('1') } },
    OTHER,
  ],
  ['an oth for two fields joined (WPT-14)', { 'x-a': ['1', '2'] }, { oth: { 'x-a': hashOf('1, 2') } }, OTHER],
]

describe('tokens beside a WIT and a proof', () => {
  for (const [what, headers, wptClaims, outcome] of rows) {
    it(`${what}: ${outcome}`, async () => {
      const { outcomeWith } = await countingService()
      expect(await outcomeWith()).toBe('let in')
      expect(await outcomeWith({ headers, wptClaims })).toBe(outcome)
    })
  }

  it('have to be covered where the operator names their fields (WPT-27)', async () => {
    const { outcomeWith } = await countingService({ otherTokens: ['X-Session-Token'] })
    const headers = { 'x-session-token': 'abc' }
    const oth = { 'x-session-token': hashOf('abc') }
    expect(await outcomeWith()).toBe('let in')
    expect(await outcomeWith({ headers, wptClaims: { oth } })).toBe('let in')
    expect(await outcomeWith({ headers })).toBe(OTHER)
    expect(await outcomeWith({ headers, wptClaims: { oth: {} } })).toBe(OTHER)
    expect(
      await outcomeWith({ headers: { ...headers, 'x-b': '1' }, wptClaims: { oth: { 'x-b': hashOf('1') } } }),
    ).toBe(OTHER)
  })

  it('that no hash covers are not among the bound ones a rule sees (WPT-30, AUTHZ-06)', async () => {
    const seen: unknown[] = []
    const { app, identityServer, outcomeOf } = await countingService({
      allow: ({ boundTokens }) => {
        seen.push(boundTokens)
        return true
      },
    })
    const bound = await handMade(identityServer, {
      headers: { 'x-a': '1', 'x-b': '2' },
      wptClaims: { oth: { 'x-a': hashOf('1') } },
    })
    const unbound = await handMade(identityServer, { headers: { 'x-a': '1' } })
    expect(await outcomeOf(bound.headers)).toBe('let in')
    expect(await outcomeOf(unbound.headers)).toBe('let in')
    expect(seen).toEqual([
      { accessToken: false, txnToken: false, otherTokens: ['x-a'] },
      { accessToken: false, txnToken: false, otherTokens: [] },
    ])
    await app.close()
  })

  it('do not name the caller, and neither does any other field (ID-09, ID-10)', async () => {
    const { app, identityServer, outcomeOf } = await countingService()
    app.get('/whoami', async (request) => request.workload!.id)
    const names = {
      'x-workload-id': 'wimse://example.com/admin',
      'x-forwarded-client-cert': 'URI=spiffe://example.com/admin',
      'x-forwarded-for': '10.0.0.1',
      host: 'admin.example.com',
    }
    const { headers } = await handMade(identityServer, {
      headers: { ...names, authorization: 'Bearer admin' },
      wptClaims: { aud: `${ORIGIN}/whoami`, ath: hashOf('admin') },
    })
    expect((await app.inject({ url: '/whoami', headers })).body).toBe('wimse://example.com/caller')
    expect(await outcomeOf(names)).toBe('400 WIMSE_WIT_MISSING')
  })
})
