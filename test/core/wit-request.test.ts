import { createPrivateKey, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { AuthenticationError, createWitRequest, verifyWitRequest } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'

const audience = 'https://identity.example.com/wit'
const NOW = 1_800_000_000

const partsOf = (jws: string) =>
  jws
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)

describe('createWitRequest()', () => {
  for (const algorithm of ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'PS256'] as const) {
    it(`makes a new key for ${algorithm} and a request that shows it is held`, async () => {
      const { jws, key } = await createWitRequest({ audience, algorithm, now: NOW })
      const proved = verifyWitRequest(jws, { audience, now: NOW })
      const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicHalf } = key
      expect(proved.confirmationKey).toEqual(publicHalf)
      expect(proved.expiresAt).toBe(NOW + 30)
      expect(jws).not.toContain(key.d)
    })
  }

  it('says for whom, for how long, and what nobody can guess, and no more (CLI-04)', async () => {
    const requests = await Promise.all([1, 2].map(async () => createWitRequest({ audience, now: NOW + 0.9 })))
    const [header, claims] = partsOf(requests[0]!.jws)
    expect(header).toEqual({ alg: 'ES256', typ: 'wit-request+jwt' })
    expect(claims).toEqual({
      aud: audience,
      iat: NOW,
      exp: NOW + 30,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      cnf: { jwk: { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String), alg: 'ES256' } },
    })
    const [, other] = partsOf(requests[1]!.jws)
    expect([other!['jti'], other!['cnf']]).not.toEqual([claims!['jti'], claims!['cnf']])
  })

  for (const options of [
    { audience: '' },
    { audience, lifetime: 61 },
    { audience, lifetime: 0 },
    { audience, algorithm: 'HS256' },
    { audience, now: Number.NaN },
    { audience, lifeTime: 30 },
  ]) {
    it(`throws for ${JSON.stringify(options)}`, async () => {
      await expect(createWitRequest(options as never)).rejects.toThrow(TypeError)
    })
  }
})

describe('verifyWitRequest(), each time with one thing wrong', () => {
  const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
  const stranger = generateTestKeyPair('ES256')
  const rsa = generateTestKeyPair('RS256')
  const good = {
    header: { alg: 'ES256', typ: 'wit-request+jwt' } as Record<string, unknown>,
    claims: { aud: audience, jti: 'once', exp: NOW + 30, cnf: { jwk: publicJwk } } as Record<string, unknown>,
    key: privateJwk,
  }
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const make = ({ header, claims, key }: typeof good): string => {
    const input = `${encode(header)}.${encode(claims)}`
    const privateKey = createPrivateKey({ key: key as never, format: 'jwk' })
    return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const codeOf = (jws: unknown): string => {
    try {
      return verifyWitRequest(jws as string, { audience, now: NOW }).jti
    } catch (error) {
      if (error instanceof AuthenticationError) return error.code
      throw error
    }
  }
  const withClaim = (claims: Record<string, unknown>): string =>
    make({ ...good, claims: { ...good.claims, ...claims } })

  it('takes the one with nothing wrong (the control)', () => {
    expect(codeOf(make(good))).toBe('once')
    expect(codeOf(withClaim({ exp: NOW + 60 }))).toBe('once')
    expect(codeOf(withClaim({ exp: NOW - 4 }))).toBe('once')
  })

  const wrong: readonly (readonly [what: string, jws: unknown, code: string])[] = [
    ['nothing', undefined, 'WIMSE_WPT_MALFORMED'],
    ['half of it', make(good).slice(0, 80), 'WIMSE_WPT_MALFORMED'],
    ['a proof token', make({ ...good, header: { ...good.header, typ: 'wpt+jwt' } }), 'WIMSE_WPT_TYPE'],
    ['no algorithm', make({ ...good, header: { ...good.header, alg: 'none' } }), 'WIMSE_WPT_ALGORITHM'],
    ['a MAC', make({ ...good, header: { ...good.header, alg: 'HS256' } }), 'WIMSE_WPT_ALGORITHM'],
    ['an extension', make({ ...good, header: { ...good.header, crit: ['x'], x: 1 } }), 'WIMSE_WPT_CRITICAL'],
    ['another algorithm than its key', withClaim({ cnf: { jwk: rsa.publicJwk } }), 'WIMSE_WPT_ALGORITHM'],
    ['no key', withClaim({ cnf: undefined }), 'WIMSE_WIT_CONFIRMATION'],
    ['a key by reference', withClaim({ cnf: { jku: 'https://a.example' } }), 'WIMSE_WIT_CONFIRMATION'],
    ['a private key', withClaim({ cnf: { jwk: privateJwk } }), 'WIMSE_WIT_CONFIRMATION'],
    [
      'a key without alg',
      withClaim({ cnf: { jwk: { ...publicJwk, alg: undefined } } }),
      'WIMSE_WIT_CONFIRMATION',
    ],
    ['no expiry', withClaim({ exp: undefined }), 'WIMSE_WPT_LIFETIME'],
    ['an expiry too far ahead', withClaim({ exp: NOW + 66 }), 'WIMSE_WPT_LIFETIME'],
    ['an expiry that has passed', withClaim({ exp: NOW - 5 }), 'WIMSE_WPT_EXPIRED'],
    ['a beginning ahead', withClaim({ nbf: NOW + 20 }), 'WIMSE_WPT_NOT_YET_VALID'],
    ['no identifier', withClaim({ jti: undefined }), 'WIMSE_WPT_JTI'],
    ['no audience', withClaim({ aud: undefined }), 'WIMSE_WPT_AUDIENCE'],
    ['another audience', withClaim({ aud: `${audience}/` }), 'WIMSE_WPT_AUDIENCE'],
    ['several audiences', withClaim({ aud: [audience] }), 'WIMSE_WPT_AUDIENCE'],
    ['the signature of another key', make({ ...good, key: stranger.privateJwk }), 'WIMSE_WPT_SIGNATURE'],
    ['another’s key named', withClaim({ cnf: { jwk: stranger.publicJwk } }), 'WIMSE_WPT_SIGNATURE'],
  ]
  for (const [what, jws, code] of wrong) {
    it(`refuses ${what}: ${code}`, () => {
      expect(codeOf(jws)).toBe(code)
    })
  }

  for (const options of [
    {},
    { audience: undefined },
    { audience: '' },
    { audience: [audience] },
    { audience, clockTolerence: 5 },
    { audience, clockTolerance: -1 },
    { audience, algorithms: 'ES256' },
    { audience, algorithms: ['HS256'] },
    { audience, algorithms: [] },
  ]) {
    it(`throws for ${JSON.stringify(options)}, whatever the request says`, () => {
      for (const request of [make(good), withClaim({ aud: undefined })]) {
        expect(() => verifyWitRequest(request, { now: NOW, ...options } as never)).toThrow(TypeError)
      }
    })
  }

  it('takes only the algorithms it is told', () => {
    expect(() => verifyWitRequest(make(good), { audience, now: NOW, algorithms: ['EdDSA'] })).toThrow(
      expect.objectContaining({ code: 'WIMSE_WPT_ALGORITHM' }),
    )
  })
})
