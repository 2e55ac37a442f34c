import { describe, expect, it } from 'vitest'
import { hashOf } from '../fastify/hand-made.js'
import { NOON, ORIGIN } from '../fastify/service-under-test.js'
import { type ClaimEdit, editDraft } from './edits.js'
import { ALGORITHMS, suiteOf, type Tokens } from './good-tokens.js'
import { STRICTER } from './properties.js'

const { goodDraft, joseAccepts, mint, mintText, verdictOf } = suiteOf('EdDSA', 'EdDSA')

/** What jose lets through and we do not: one example of each code. */
const EXAMPLES: readonly (readonly [code: string, what: string, make: () => Tokens])[] = [
  ['WIMSE_TOKEN_TOO_LARGE', 'a token of 20,000 bytes', edited('witClaims', 'x', 'x'.repeat(20_000))],
  [
    'WIMSE_WIT_MALFORMED',
    'a name that stands there twice',
    () => mintText(JSON.stringify(goodDraft.witClaims).replace('{', '{"x":1,"x":2,')),
  ],
  ['WIMSE_WIT_CRITICAL', 'an extension that jose knows', () => critical('witHeader')],
  ['WIMSE_WIT_SUBJECT', 'a subject that is no workload identifier', edited('witClaims', 'sub', 'caller')],
  [
    'WIMSE_WIT_TRUST_DOMAIN',
    'a subject in a trust domain nobody has configured',
    edited('witClaims', 'sub', 'wimse://other.example/a'),
  ],
  ['WIMSE_WIT_KEY', 'the id of another key', edited('witHeader', 'kid', 'another')],
  ['WIMSE_WIT_LIFETIME', 'an end in a hundred years', edited('witClaims', 'exp', NOON + 3_153_600_000)],
  [
    'WIMSE_WIT_CONFIRMATION',
    'a confirmation key for encryption',
    edited('witClaims', 'cnf', { jwk: { ...confirmationKey(), use: 'enc' } }),
  ],
  ['WIMSE_WPT_MALFORMED', 'padding', () => ({ ...mint(goodDraft), wpt: `${mint(goodDraft).wpt}==` })],
  ['WIMSE_WPT_CRITICAL', 'an extension that jose knows', () => critical('wptHeader')],
  ['WIMSE_WPT_LIFETIME', 'a proof that lives for a day', edited('wptClaims', 'exp', NOON + 86_400)],
  ['WIMSE_WPT_JTI', 'an identifier that is a number', edited('wptClaims', 'jti', 1)],
  [
    'WIMSE_WPT_AUDIENCE',
    'a second audience',
    edited('wptClaims', 'aud', [`${ORIGIN}/stock`, 'https://other.example/']),
  ],
  ['WIMSE_WPT_WIT_HASH', 'the hash of another WIT', edited('wptClaims', 'wth', hashOf('another'))],
  [
    'WIMSE_WPT_ACCESS_TOKEN_HASH',
    'the hash of a token that is not there',
    edited('wptClaims', 'ath', hashOf('a')),
  ],
  [
    'WIMSE_WPT_TXN_TOKEN_HASH',
    'the hash of a token that is not there',
    edited('wptClaims', 'tth', hashOf('a')),
  ],
  [
    'WIMSE_WPT_OTHER_TOKEN_HASH',
    'the hash of a token that is not there',
    edited('wptClaims', 'oth', { x: 'a' }),
  ],
]

/** What jose refuses and we do not, and why that is no matter. */
const LAXER: readonly (readonly [what: string, make: () => Tokens])[] = [
  [
    'an iat of the WIT that is no number: neither draft has an iat, and nothing is told by it',
    edited('witClaims', 'iat', 'noon'),
  ],
  ['an iat of the proof that is no number: the same', edited('wptClaims', 'iat', 'noon')],
  [
    'an audience that is written in another way and means the same',
    edited('wptClaims', 'aud', `${ORIGIN}:443/stock`),
  ],
]

describe('beside jose', () => {
  for (const algorithm of ALGORITHMS) {
    it(`a good request with ${algorithm} is one for both`, async () => {
      for (const other of ALGORITHMS) {
        const suite = suiteOf(algorithm, other)
        const tokens = suite.mint(suite.goodDraft)
        expect([await suite.verdictOf(tokens), await suite.joseAccepts(tokens)]).toEqual(['good', true])
      }
    })
  }

  for (const [code, what, make] of EXAMPLES) {
    it(`${what} is ${code} here alone`, async () => {
      expect([await joseAccepts(make()), await verdictOf(make())]).toEqual([true, code])
    })
  }

  it('there is an example of every code that may be ours alone', () => {
    expect(new Set(EXAMPLES.map(([code]) => code))).toEqual(STRICTER)
  })

  for (const [what, make] of LAXER) {
    it(`is refused by jose alone: ${what}`, async () => {
      expect([await joseAccepts(make()), await verdictOf(make())]).toEqual([false, 'good'])
    })
  }
})

function edited(part: ClaimEdit['part'], name: string, value: unknown): () => Tokens {
  return () => mint(editDraft(goodDraft, [{ part, name, value }]))
}

function critical(part: 'witHeader' | 'wptHeader'): Tokens {
  const edits = { crit: ['b64'], b64: true }
  return mint(
    editDraft(
      goodDraft,
      Object.entries(edits).map(([name, value]) => ({ part, name, value })),
    ),
  )
}

function confirmationKey(): object {
  return (goodDraft.witClaims['cnf'] as { jwk: object }).jwk
}
