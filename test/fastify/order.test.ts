import { describe, expect, it } from 'vitest'
import { generateTestKeyPair } from 'wimse-testkit'
import { type Change, countingService, handMade } from './hand-made.js'
import { NOON } from './service-under-test.js'

const strangersKey = generateTestKeyPair('ES256').privateJwk

describe('before WIT and proof are verified', () => {
  it('no later hook, no parser and no handler sees the request (WIT-30)', async () => {
    const { app, identityServer } = await countingService()
    let seen: string[] = []
    const see = (what: string) => async () => void seen.push(what)
    app.addHook('preParsing', see('preParsing'))
    app.addHook('preValidation', see('preValidation'))
    app.addHook('preHandler', see('preHandler'))
    app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => {
      seen.push('parser')
      done(null, body)
    })
    app.post('/stock', async () => {
      seen.push('handler')
      return ''
    })
    const send = async (change: Change = {}): Promise<number> => {
      seen = []
      const { headers } = await handMade(identityServer, change)
      const request = { method: 'POST', url: '/stock', payload: 'a' } as const
      return (await app.inject({ ...request, headers: { ...headers, 'content-type': 'text/plain' } }))
        .statusCode
    }
    expect(await send()).toBe(200)
    expect(seen).toEqual(['preParsing', 'parser', 'preValidation', 'preHandler', 'handler'])
    for (const change of [
      { witKey: strangersKey },
      { wptKey: strangersKey },
      { wptClaims: { exp: NOON } },
      { headers: { 'workload-proof-token': undefined } },
    ]) {
      expect(await send(change)).toBe(400)
      expect(seen).toEqual([])
    }
  })

  const wits: readonly (readonly [what: string, change: Change, outcome: string])[] = [
    ['malformed', { wit: () => 'x' }, '400 WIMSE_WIT_MALFORMED'],
    ['of another type', { witHeader: { typ: 'JWT' } }, '400 WIMSE_WIT_TYPE'],
    ['for nobody', { witClaims: { sub: undefined } }, '400 WIMSE_WIT_SUBJECT'],
    ['signed by a stranger', { witKey: strangersKey }, '400 WIMSE_WIT_SIGNATURE'],
    ['expired', { witClaims: { exp: NOON } }, '400 WIMSE_WIT_EXPIRED'],
    ['bound to no key', { witClaims: { cnf: {} } }, '400 WIMSE_WIT_CONFIRMATION'],
  ]
  const proofs: readonly (readonly [what: string, change: Change, outcome: string])[] = [
    ['good', {}, 'let in'],
    ['malformed', { wpt: () => 'x' }, '400 WIMSE_WPT_MALFORMED'],
    ['expired', { wptClaims: { exp: NOON } }, '400 WIMSE_WPT_EXPIRED'],
    ['signed by a stranger', { wptKey: strangersKey }, '400 WIMSE_WPT_SIGNATURE'],
  ]
  for (const [what, wit, refusal] of wits) {
    it(`the WIT is looked at first: one that is ${what} is named, whatever the proof (WPT-17)`, async () => {
      const { outcomeWith } = await countingService()
      for (const [, proof, outcome] of proofs) {
        expect(await outcomeWith(proof)).toBe(outcome)
        expect(await outcomeWith({ ...proof, ...wit })).toBe(refusal)
      }
    })
  }
})
