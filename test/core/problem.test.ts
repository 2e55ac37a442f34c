import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  AuthenticationError,
  AuthorizationError,
  problemFor,
  SigningError,
  UnavailableError,
  withoutTokens,
} from 'wimse'
import { DENIALS, OUTAGES, REFUSALS, SIGNING_FAULTS } from '../../packages/core/src/codes.js'

const TOKEN =
  'eyJhbGciOiJFUzI1NiIsInR5cCI6IndpdCtqd3QifQ.eyJzdWIiOiJ3aW1zZTovL2V4YW1wbGUuY29tIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ'
const FINDINGS = { reason: `the token ${TOKEN} is wrong`, expected: [TOKEN, 7], received: TOKEN }

const errors = [
  ...Object.keys(REFUSALS).map((code) => new AuthenticationError(code as keyof typeof REFUSALS, FINDINGS)),
  ...Object.keys(OUTAGES).map(
    (code) => new UnavailableError(code as keyof typeof OUTAGES, { ...FINDINGS, retryAfter: 0.2 }),
  ),
  ...Object.keys(DENIALS).map((code) => new AuthorizationError(code as keyof typeof DENIALS, FINDINGS)),
]

describe('problemFor() (ERR-01, ERR-02, ERR-06 to ERR-08)', () => {
  for (const error of errors) {
    it(`${error.code}: tells the caller what kind of thing is wrong, and nothing from a token`, () => {
      const { status, headers, body } = problemFor(error, { instance: 'urn:uuid:1' })
      expect(Object.keys(body)).toEqual(['type', 'title', 'status', 'code', 'detail', 'instance'])
      expect(body.status).toBe(status)
      expect(status).toBe(error.statusCode)
      expect(headers['content-type']).toBe('application/problem+json')
      expect(headers['retry-after']).toBe(status === 503 ? '1' : undefined)
      const bearer = error.code.startsWith('WIMSE_BEARER_')
      expect(bearer ? [401, 403] : [400, 403, 503]).toContain(status)
      expect(JSON.stringify({ headers, body })).not.toMatch(/eyJ|the token/)
    })
  }

  it('carries the challenge where there is one', () => {
    const error = new AuthenticationError('WIMSE_WPT_SIGNATURE', {
      reason: 'x',
      challenges: ['WPT', 'Bearer'],
    })
    expect(problemFor(error)).toMatchObject({ status: 401, headers: { 'www-authenticate': 'WPT, Bearer' } })
  })
})

describe('errors', () => {
  const all = [
    ...errors,
    ...Object.keys(SIGNING_FAULTS).map(
      (code) => new SigningError(code as keyof typeof SIGNING_FAULTS, FINDINGS),
    ),
  ]

  it('have one class for each party at fault, and a code each', () => {
    expect(new Set(all.map(({ code }) => code)).size).toBe(all.length)
    for (const { code } of all) expect(code).toMatch(/^WIMSE_[A-Z_]+$/)
  })

  for (const error of all) {
    it(`${error.code}: no token in any way of showing it`, () => {
      const shown = [
        error.message,
        JSON.stringify(error),
        inspect(error, { showHidden: true, depth: 9 }),
        JSON.stringify(error.diagnostics),
      ]
      for (const text of shown) expect(text).not.toContain('eyJ')
      expect(Object.keys(error)).not.toContain('diagnostics')
      expect(error.diagnostics).toMatchObject({
        reason: 'the token [token] is wrong',
        received: '[token]',
        expected: '[token], 7',
      })
    })
  }

  const logged: readonly (readonly [received: unknown, text: string])[] = [
    ['https://a.example/b?secret=1', 'https://a.example/b'],
    ['https://a.example/b#secret', 'https://a.example/b'],
    ['https://a.example/b?x,session=secret', 'https://a.example/b'],
    [['https://a.example/b?x,y', 'https://a.example/c?z'], 'https://a.example/b, https://a.example/c'],
    ['workload.internal.example.com', 'workload.internal.example.com'],
    ['a\r\nforged line\u001b[31m\u2028é', 'a\\u000d\\u000aforged line\\u001b[31m\\u2028\\u00e9'],
    ['x/'.repeat(5000), 'x/'.repeat(128)],
    [`${'x/'.repeat(125)} ${TOKEN}`, `${'x/'.repeat(125)} [toke`],
    [`a ${randomBytes(64).toString('base64url')}/b`, 'a [token]/b'],
    ['x'.repeat(80), '[token]'],
    ['x'.repeat(79), 'x'.repeat(79)],
    [TOKEN.slice(0, 30), '[token]'],
    [{ token: TOKEN }, 'a value of type object'],
    [[TOKEN, null, { a: 1 }], '[token], null, a value of type object'],
    [1.5, '1.5'],
    [true, 'true'],
  ]
  for (const [received, text] of logged) {
    it(`log ${JSON.stringify(received).slice(0, 40)} as ${JSON.stringify(text).slice(0, 40)}`, () => {
      expect(
        new AuthenticationError('WIMSE_WPT_AUDIENCE', { reason: 'x', received }).diagnostics.received,
      ).toBe(text)
    })
  }

  it('take no longer to show than they are long', () => {
    const once = (text: string): number => {
      const start = performance.now()
      for (let round = 0; round < 50; round++) withoutTokens(text)
      return performance.now() - start
    }
    // The least of some, which is what it takes when nothing else is in the way.
    const time = (text: string): number => Math.min(once(text), once(text), once(text))
    const plain = time('a '.repeat(5000))
    // Where time grew with the square of a word's length, it was half a second.
    for (const text of ['a'.repeat(10_000), `${'a'.repeat(4095)} b`, `${'e'.repeat(79)} `.repeat(100)]) {
      expect(time(text)).toBeLessThan(20 * plain + 100)
    }
  })

  it('are shown with no part of a token that was cut', () => {
    const signature = randomBytes(64).toString('base64url')
    for (let before = 4096 - signature.length; before <= 4096; before++) {
      const shown = withoutTokens(`${'a '.repeat(2100).slice(0, before - 1)} ${signature} and more`)
      expect(shown).toMatch(/^a a /)
      expect(signature.match(/.{8}/g)!.filter((part) => shown.includes(part))).toEqual([])
    }
  })
})
