import { describe, expect, it } from 'vitest'
import { challengesFor } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { type Change, type CountingService, countingService, handMade, hashOf } from './hand-made.js'
import { NOON, ORIGIN } from './service-under-test.js'

/** The fields of a request whose proof travels as `Authorization: WPT`. */
async function inAuthorization(
  { identityServer }: CountingService,
  change: Change = {},
  field = (wpt: string): string | string[] => `WPT ${wpt}`,
): Promise<Record<string, string | string[]>> {
  const { wpt, headers } = await handMade(identityServer, change)
  const { 'workload-proof-token': _own, ...rest } = headers
  return { ...rest, authorization: field(wpt) }
}

describe('a proof in its own field', () => {
  it('is let in where that is accepted, and elsewhere counts as none (WPT-01)', async () => {
    for (const [revisions, outcome] of [
      [['wpt-01'], 'let in'],
      [['wpt-01', 'wpt-02'], 'let in'],
      [['wpt-02'], '401 WIMSE_WPT_MISSING'],
    ] as const) {
      const { outcomeWith } = await countingService({ revisions })
      expect(await outcomeWith()).toBe(outcome)
    }
  })
})

describe('a proof as Authorization: WPT', () => {
  it('is let in where that is accepted, and elsewhere counts as none (WPT-01)', async () => {
    for (const [revisions, outcome] of [
      [['wpt-02'], 'let in'],
      [['wpt-01', 'wpt-02'], 'let in'],
      [['wpt-01'], '400 WIMSE_WPT_MISSING'],
    ] as const) {
      const service = await countingService({ revisions })
      expect(await service.outcomeOf(await inAuthorization(service))).toBe(outcome)
    }
  })

  const fields: readonly (readonly [
    what: string,
    field: (wpt: string) => string | string[],
    outcome: string,
  ])[] = [
    ['with its scheme in any case (WPT-32)', (wpt) => `wPt ${wpt}`, 'let in'],
    ['behind several spaces (WPT-32)', (wpt) => `WPT   ${wpt}`, 'let in'],
    ['in other letters (WPT-32)', (wpt) => `WPT ${wpt.toLowerCase()}`, '401 WIMSE_WPT_MALFORMED'],
    ['as a parameter (WPT-32)', (wpt) => `WPT token="${wpt}"`, '401 WIMSE_WPT_MALFORMED'],
    ['with a parameter behind it (WPT-32)', (wpt) => `WPT ${wpt}, realm="x"`, '401 WIMSE_WPT_MALFORMED'],
    ['twice in one field (WPT-02)', (wpt) => `WPT ${wpt}, WPT ${wpt}`, '401 WIMSE_WPT_MALFORMED'],
    ['in two fields (WPT-02)', (wpt) => [`WPT ${wpt}`, `WPT ${wpt}`], '401 WIMSE_WPT_REPEATED'],
    ['beside a bearer token (BEAR-05)', (wpt) => [`WPT ${wpt}`, 'Bearer abc'], '401 WIMSE_WPT_REPEATED'],
    ['behind a bearer token (BEAR-05)', (wpt) => ['Bearer abc', `WPT ${wpt}`], '401 WIMSE_WPT_REPEATED'],
    ['as a bearer token (BEAR-05)', (wpt) => `Bearer ${wpt}`, '401 WIMSE_WPT_MISSING'],
    ['without its scheme (WPT-32)', (wpt) => wpt, '401 WIMSE_WPT_MISSING'],
    ['and nothing behind the scheme (WPT-03)', () => 'WPT', '401 WIMSE_WPT_MALFORMED'],
  ]
  for (const [what, field, outcome] of fields) {
    it(`${what}: ${outcome}`, async () => {
      const service = await countingService({ revisions: ['wpt-02'] })
      expect(await service.outcomeOf(await inAuthorization(service))).toBe('let in')
      expect(await service.outcomeOf(await inAuthorization(service, {}, field))).toBe(outcome)
    })
  }

  const refusals: readonly (readonly [what: string, change: Change, outcome: string])[] = [
    [
      'signed with another key',
      { wptKey: generateTestKeyPair('ES256').privateJwk },
      '401 WIMSE_WPT_SIGNATURE',
    ],
    ['that has expired', { wptClaims: { exp: NOON } }, '401 WIMSE_WPT_EXPIRED'],
    ['that is not valid yet', { wptClaims: { nbf: NOON + 1 } }, '401 WIMSE_WPT_NOT_YET_VALID'],
    ['that lives too long', { wptClaims: { exp: NOON + 301 } }, '401 WIMSE_WPT_LIFETIME'],
    ['for another target', { wptClaims: { aud: ORIGIN } }, '401 WIMSE_WPT_AUDIENCE'],
    ['for another WIT', { wptClaims: { wth: 'x' } }, '401 WIMSE_WPT_WIT_HASH'],
    ['without a jti', { wptClaims: { jti: undefined } }, '401 WIMSE_WPT_JTI'],
    ['of another type', { wptHeader: { typ: 'JWT' } }, '401 WIMSE_WPT_TYPE'],
    [
      'that does not cover a transaction token',
      { headers: { 'txn-token': 'abc' } },
      '401 WIMSE_WPT_TXN_TOKEN_HASH',
    ],
    [
      'that covers what is not there',
      { wptClaims: { oth: { 'x-a': 'x' } } },
      '401 WIMSE_WPT_OTHER_TOKEN_HASH',
    ],
    ['beside an expired WIT', { witClaims: { exp: NOON } }, '400 WIMSE_WIT_EXPIRED'],
    [
      'beside a WIT of a stranger',
      { witKey: generateTestKeyPair('ES256').privateJwk },
      '400 WIMSE_WIT_SIGNATURE',
    ],
    ['beside no WIT', { headers: { 'workload-identity-token': undefined } }, '400 WIMSE_WIT_MISSING'],
  ]
  for (const [what, change, outcome] of refusals) {
    it(`${what}: ${outcome}, with a challenge only where the proof is at fault (ERR-03, ERR-04)`, async () => {
      const service = await countingService({ revisions: ['wpt-02'] })
      expect(await service.outcomeOf(await inAuthorization(service))).toBe('let in')
      const headers = await inAuthorization(service, change)
      const response = await service.app.inject({ url: '/stock', headers })
      expect(`${response.statusCode} ${response.json<{ code: string }>().code}`).toBe(outcome)
      expect(response.headers['www-authenticate']).toBe(outcome.startsWith('401') ? 'WPT' : undefined)
    })
  }

  it('moved from its own field is a replay, and the other way round (WPT-22)', async () => {
    const { identityServer, outcomeOf } = await countingService({ revisions: ['wpt-01', 'wpt-02'] })
    const one = await handMade(identityServer)
    const moved = { 'workload-identity-token': one.wit, authorization: `WPT ${one.wpt}` }
    expect(await outcomeOf(one.headers)).toBe('let in')
    expect(await outcomeOf(moved)).toBe('401 WIMSE_WPT_REPLAYED')
    const two = await handMade(identityServer)
    expect(await outcomeOf({ 'workload-identity-token': two.wit, authorization: `WPT ${two.wpt}` })).toBe(
      'let in',
    )
    expect(await outcomeOf(two.headers)).toBe('400 WIMSE_WPT_REPLAYED')
  })

  it('beside one in its own field is refused (WPT-02)', async () => {
    const { identityServer, outcomeOf } = await countingService({ revisions: ['wpt-01', 'wpt-02'] })
    const { wpt, headers } = await handMade(identityServer)
    expect(await outcomeOf({ ...headers, authorization: `WPT ${wpt}` })).toBe('400 WIMSE_WPT_REPEATED')
    expect(await outcomeOf(headers)).toBe('let in')
  })

  it('covers a transaction token, and needs no hash of an access token (WPT-12, WPT-11, BEAR-06)', async () => {
    const service = await countingService({ revisions: ['wpt-02'] })
    const headers = { 'txn-token': 'abc' }
    const tth = hashOf('abc')
    expect(await service.outcomeOf(await inAuthorization(service, { headers, wptClaims: { tth } }))).toBe(
      'let in',
    )
    const leftOver = { headers, wptClaims: { tth, ath: hashOf('left over') } }
    expect(await service.outcomeOf(await inAuthorization(service, leftOver))).toBe('let in')
  })

  it('leaves Proxy-Authorization alone (BEAR-08)', async () => {
    const service = await countingService({ revisions: ['wpt-02'] })
    service.app.get('/proxy', async ({ headers }) => headers['proxy-authorization'])
    const headers = await inAuthorization(service, {
      wptClaims: { aud: `${ORIGIN}/proxy` },
      headers: { 'proxy-authorization': 'Basic abc' },
    })
    const response = await service.app.inject({ url: '/proxy', headers })
    expect([response.statusCode, response.body]).toEqual([200, 'Basic abc'])
  })
})

describe('what is wrong with a request', () => {
  it('and not with its credentials is 400 in every revision, without a challenge (ERR-05)', async () => {
    for (const revisions of [['wpt-01'], ['wpt-02']] as const) {
      const service = await countingService({ revisions })
      service.app.post('/stock', async () => 'reached')
      const send = async (
        payload: string,
      ): Promise<{ statusCode: number; headers: Record<string, unknown> }> => {
        const headers =
          revisions[0] === 'wpt-02'
            ? await inAuthorization(service)
            : (await handMade(service.identityServer)).headers
        return service.app.inject({
          method: 'POST',
          url: '/stock',
          headers: { ...headers, 'content-type': 'application/json' },
          payload,
        })
      }
      expect((await send('{"a":1}')).statusCode).toBe(200)
      const { statusCode, headers } = await send('{"a":')
      expect([statusCode, headers['www-authenticate']]).toEqual([400, undefined])
    }
  })

  it('asks for another proof only when it is the proof, and only in wpt-02 (ERR-02, ERR-04)', () => {
    expect(challengesFor('WIMSE_WPT_EXPIRED', 'wpt-02')).toEqual(['WPT'])
    expect(challengesFor('WIMSE_WIT_EXPIRED', 'wpt-02')).toEqual([])
    expect(challengesFor('WIMSE_WPT_EXPIRED', 'wpt-01')).toEqual([])
  })

  it('that has no credential at all is 400 for wpt-01 and 401 with a challenge for wpt-02 alone (ERR-09)', async () => {
    for (const [revisions, status, code, challenge] of [
      [['wpt-01'], 400, 'WIMSE_WIT_MISSING', undefined],
      [['wpt-01', 'wpt-02'], 400, 'WIMSE_WIT_MISSING', undefined],
      [['wpt-02'], 401, 'WIMSE_WPT_MISSING', 'WPT'],
    ] as const) {
      const { app } = await countingService({ revisions })
      const response = await app.inject('/stock')
      expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([status, code])
      expect(response.headers['www-authenticate']).toBe(challenge)
    }
  })
})
