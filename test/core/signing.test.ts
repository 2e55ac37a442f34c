import { inspect } from 'node:util'
import { createPrivateKey } from 'node:crypto'
import { compactVerify, importJWK, type JWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { importCredential, issueWit, SigningError, signRequest, signWpt } from 'wimse'
import { createTestIdentityServer, generateTestKeyPair, privateKeyOf } from 'wimse-testkit'

const NOON = 1_760_000_000
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: () => NOON })
const credential = await identityServer.issue({ subject: '/checkout', lifetime: 3600 })
const witWithoutCnf = await witOf({ exp: NOON })
const witWithoutExp = await witOf({ cnf: { jwk: generateTestKeyPair('ES256').publicJwk } })
const url = 'https://inventory.example.com/stock/42?all=1#top'

const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'signed'
  } catch (error) {
    return error instanceof SigningError ? error.code : String(error)
  }
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
}

describe('signWpt() (WPT-07 to WPT-13, WPT-33, WPT-38, CLI-04)', () => {
  for (const algorithm of ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const) {
    it(`${algorithm}: jose verifies what it signs`, async () => {
      const own = await identityServer.issue({ subject: '/checkout', algorithm })
      const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicJwk } = privateKeyOf(own)
      const { protectedHeader } = await compactVerify(
        signWpt(own, { audience: 'a', now: NOON }),
        await importJWK(publicJwk as JWK),
      )
      expect(protectedHeader).toEqual({ alg: algorithm, typ: 'wpt+jwt' })
    })
  }

  it('says what a proof has to say, and no more', () => {
    const claims = claimsOf(signWpt(credential, { audience: 'https://a.example/b', now: NOON }))
    expect(claims).toEqual({
      aud: 'https://a.example/b',
      exp: NOON + 60,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      wth: expect.stringMatching(/^[\w-]{43}$/),
    })
  })

  it('never gives two proofs one jti', () => {
    const ids = Array.from(
      { length: 5000 },
      () => claimsOf(signWpt(credential, { audience: 'a', now: NOON }))['jti'],
    )
    expect(new Set(ids).size).toBe(5000)
  })

  it('does not let a proof outlive its WIT', () => {
    expect(claimsOf(signWpt(credential, { audience: 'a', now: NOON + 3590 }))['exp']).toBe(NOON + 3600)
  })

  it('does not sign with an expired WIT', () => {
    expect(codeOf(() => signWpt(credential, { audience: 'a', now: NOON + 3599 }))).toBe('signed')
    expect(codeOf(() => signWpt(credential, { audience: 'a', now: NOON + 3600 }))).toBe(
      'WIMSE_CREDENTIAL_EXPIRED',
    )
  })

  it('takes a clock as well as an instant', () => {
    expect(claimsOf(signWpt(credential, { audience: 'a', now: () => NOON }))['exp']).toBe(NOON + 60)
  })

  it('covers other tokens by lower-case name and trimmed value', () => {
    const { oth } = claimsOf(
      signWpt(credential, {
        audience: 'a',
        otherTokens: { 'X-Custom-Token': ' some-example-other-token ' },
        now: NOON,
      }),
    )
    expect(oth).toEqual({ 'x-custom-token': 'x-Uy6Ch_xn3AbUVKDjPMQQugtcn2erLWrkvVWAmKl1k' })
  })

  for (const options of [
    { lifetime: 0 },
    { lifetime: 301 },
    { lifetime: Number.NaN },
    { audience: '' },
    { now: Number.NaN },
    { lifeTime: 60 },
    { accesstoken: 'a' },
  ]) {
    it(`throws for ${JSON.stringify(options)}`, () => {
      expect(() => signWpt(credential, { audience: 'a', now: NOON, ...options })).toThrow(TypeError)
    })
  }

  it('signs only with what importCredential() made', () => {
    expect(codeOf(() => signWpt({ ...credential }, { audience: 'a' }))).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(codeOf(() => signWpt(undefined as never, { audience: 'a' }))).toBe('WIMSE_CREDENTIAL_MISSING')
  })
})

describe('signRequest() (CLI-01 to CLI-03)', () => {
  it('adds the WIT and a proof for the URL without query and fragment', () => {
    const headers = signRequest(credential, { url, now: NOON })
    expect(Object.keys(headers)).toEqual(['Workload-Identity-Token', 'Workload-Proof-Token'])
    expect(headers['Workload-Identity-Token']).toBe(credential.wit)
    expect(claimsOf(headers['Workload-Proof-Token']!)).toMatchObject({
      aud: 'https://inventory.example.com/stock/42',
      exp: NOON + 60,
    })
  })

  it('puts the proof into the Authorization field for wpt-02', () => {
    const headers = signRequest(credential, { url, revision: 'wpt-02', now: NOON })
    expect(headers).toEqual({
      'Workload-Identity-Token': credential.wit,
      Authorization: expect.stringMatching(/^WPT [\w-]+\.[\w-]+\.[\w-]+$/),
    })
  })

  for (const headers of [
    { Authorization: 'Bearer 16_mAd0GiwaZokU26_0902100', 'Txn-Token': 't', 'X-Other': ' o ' },
    [
      ['authorization', 'bearer   16_mAd0GiwaZokU26_0902100'],
      ['txn-token', 't'],
      ['x-other', 'o'],
    ] as const,
    new Headers({ authorization: 'DPoP 16_mAd0GiwaZokU26_0902100', 'txn-token': 't', 'x-other': 'o' }),
  ]) {
    it(`covers the tokens among ${headers.constructor.name} headers`, () => {
      const signed = signRequest(credential, {
        url,
        headers,
        otherTokens: ['X-Other', 'X-Absent'],
        now: NOON,
      })
      expect(claimsOf(signed['Workload-Proof-Token']!)).toMatchObject({
        ath: 'CL4wjfpRmNf-bdYIbYLnV9d5rMARGwKYE10wUwzC0jI',
        tth: '47mKTaMaEn1L3m5DAz9muidMqw636xxw7EFAK_YnPdg',
        oth: { 'x-other': expect.stringMatching(/^[\w-]{43}$/) },
      })
    })
  }

  it('takes the audience it is given', () => {
    expect(
      claimsOf(signRequest(credential, { url, audience: 'x', now: NOON })['Workload-Proof-Token']!)['aud'],
    ).toBe('x')
  })

  const refused: readonly (readonly [what: string, act: () => unknown, code: string])[] = [
    [
      'a Workload-Identity-Token',
      () => signRequest(credential, { url, headers: { 'workload-identity-TOKEN': 'x' } }),
      'WIMSE_HEADER_RESERVED',
    ],
    [
      'a Workload-Proof-Token',
      () => signRequest(credential, { url, headers: { 'Workload-Proof-Token': 'x' } }),
      'WIMSE_HEADER_RESERVED',
    ],
    [
      'a proof in Authorization',
      () => signRequest(credential, { url, headers: { Authorization: 'WPT a.b.c' } }),
      'WIMSE_HEADER_RESERVED',
    ],
    [
      'two Authorization fields',
      () =>
        signRequest(credential, { url, headers: { Authorization: 'Bearer a', authorization: 'Bearer b' } }),
      'WIMSE_HEADER_RESERVED',
    ],
    [
      'a field to cover that is there twice',
      () => signRequest(credential, { url, headers: { 'X-A': ['1', '2'] }, otherTokens: ['x-a'] }),
      'WIMSE_HEADER_RESERVED',
    ],
    [
      'a bearer token with wpt-02',
      () => signRequest(credential, { url, headers: { authorization: 'Bearer a' }, revision: 'wpt-02' }),
      'WIMSE_BEARER_CONFLICT',
    ],
    ['a relative URL', () => signRequest(credential, { url: '/stock' }), 'WIMSE_TARGET_NOT_ALLOWED'],
    [
      'user information in the URL',
      () => signRequest(credential, { url: 'https://user@a.example/' }),
      'WIMSE_TARGET_NOT_ALLOWED',
    ],
    [
      'another scheme',
      () => signRequest(credential, { url: 'ftp://a.example/' }),
      'WIMSE_TARGET_NOT_ALLOWED',
    ],
  ]
  for (const [what, act, code] of refused) {
    it(`refuses ${what}: ${code}`, () => expect(codeOf(act)).toBe(code))
  }

  it.each([
    [{ otherToken: ['x-a'] }, 'unknown option otherToken'],
    [{ headers: { 'X-A': 1 } }, 'the value of X-A is not a string'],
    [{ headers: { 'X-A': ['a', null] } }, 'the value of X-A is not a string'],
    [{ headers: [['X-A', undefined]] }, 'the value of X-A is not a string'],
  ])('throws for %j', (options, message) => {
    expect(() => signRequest(credential, { url, ...options } as never)).toThrow(message)
  })
})

describe('importCredential() (CLI-05)', () => {
  const key = privateKeyOf(credential)
  const wit = credential.wit
  const pem = createPrivateKey({ key: key as never, format: 'jwk' }).export({
    format: 'pem',
    type: 'pkcs8',
  }) as string
  const other = generateTestKeyPair('ES256').privateJwk

  it('tells what the credential is for', async () => {
    const own = await importCredential({ wit, key })
    expect(own.wit).toBe(wit)
    expect(own).toEqual({
      subject: 'wimse://example.com/checkout',
      expiresAt: NOON + 3600,
      keyThumbprint: expect.stringMatching(/^[\w-]{43}$/),
    })
  })

  it('takes PEM', async () => expect((await importCredential({ wit, key: pem })).subject).toMatch(/checkout/))

  it('gives neither the key nor the token away', async () => {
    const own = await importCredential({ wit, key })
    for (const text of [JSON.stringify(own), inspect(own, { depth: 9 })]) {
      expect(text).not.toContain(key.d)
      expect(text).not.toContain('eyJ')
    }
  })

  const refused: readonly (readonly [what: string, material: Parameters<typeof importCredential>[0]])[] = [
    ['the key of another workload', { wit, key: other }],
    ['a JWK whose private half is another’s', { wit, key: { ...key, d: other.d! } }],
    ['a JWK whose public half is another’s', { wit, key: { ...key, x: other.x!, y: other.y! } }],
    ['a public key', { wit, key: { kty: key.kty!, crv: key.crv!, x: key.x!, y: key.y! } }],
    ['a key of another type', { wit, key: generateTestKeyPair('Ed25519').privateJwk }],
    ['text that is no PEM', { wit, key: 'secret-key-material' }],
    ['no key', { wit, key: undefined as never }],
    ['nothing', null as never],
    ['a WIT that is no text', { wit: 7 as never, key }],
    ['a WIT that is none', { wit: 'x', key }],
    ['a WIT without confirmation key', { wit: witWithoutCnf, key }],
    ['a WIT without expiry', { wit: witWithoutExp, key }],
  ]
  for (const [what, material] of refused) {
    it(`refuses ${what}`, async () => {
      const error: unknown = await importCredential(material).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(SigningError)
      expect((error as SigningError).code).toBe('WIMSE_CREDENTIAL_MISMATCH')
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/secret-key-material|eyJ/)
    })
  }
})

describe('issueWit() (WIT-05, WIT-12, WIT-18, WIT-22, WIT-31)', () => {
  const { publicJwk, privateJwk } = generateTestKeyPair('Ed25519')
  const { issuerKey } = identityServer
  const good = { issuerKey, subject: 'wimse://example.com/a', confirmationKey: publicJwk, now: NOON }

  it('says whom the key belongs to, for an hour', async () => {
    const wit = await issueWit({ ...good, issuer: 'https://identity.example.com', claims: { team: 'x' } })
    expect(claimsOf(wit)).toEqual({
      sub: 'wimse://example.com/a',
      cnf: { jwk: publicJwk },
      iss: 'https://identity.example.com',
      team: 'x',
      iat: NOON,
      exp: NOON + 3600,
      jti: expect.stringMatching(/^[\w-]{22}$/),
    })
    expect(JSON.parse(Buffer.from(wit.split('.')[0]!, 'base64url').toString())).toEqual({
      alg: 'ES256',
      kid: issuerKey.kid,
      typ: 'wit+jwt',
    })
  })

  const refused: readonly (readonly [what: string, options: object])[] = [
    ['a subject that is no workload identifier', { subject: 'checkout' }],
    ['a confirmation key with private members', { confirmationKey: privateJwk }],
    ['a confirmation key without alg', { confirmationKey: { ...publicJwk, alg: undefined } }],
    ['an issuer key without alg', { issuerKey: { ...issuerKey, alg: undefined } }],
    ['a symmetric issuer key', { issuerKey: { kty: 'oct', k: 'AAAA', alg: 'HS256' } }],
    ['claims that would name another subject', { claims: { sub: 'wimse://example.com/b' } }],
    ['claims that would confirm another key', { claims: { cnf: {} } }],
    ['a lifetime of nothing', { lifetime: 0 }],
    ['an option of another name', { lifeTime: 60 }],
  ]
  for (const [what, options] of refused) {
    it(`refuses ${what}`, async () => {
      await expect(issueWit({ ...good, ...options })).rejects.toThrow(TypeError)
    })
  }
})

async function witOf(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT({ sub: 'wimse://example.com/checkout', ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'wit+jwt' })
    .sign(await importJWK(identityServer.issuerKey))
}
