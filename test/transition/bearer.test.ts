import { importJWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  accessTokens,
  type BearerOptions,
  createBearerVerifier,
  jwtSvids,
  kubernetesServiceAccounts,
  type Workload,
} from 'wimse'
import { createTestIdentityServer, fixedClock, generateTestKeyPair } from 'wimse-testkit'
import { createTestAuthority } from '../https/test-authority.js'
import { answering, startMoodyServer } from '../trust/moody-server.js'
import { createBearerIssuer, NOON, ORIGIN } from './moving-service.js'

const clock = fixedClock(NOON)
const issuer = await createBearerIssuer(clock)
const other = await createBearerIssuer(clock, 'https://other.example.com')
const jwks = issuer.jwks
const identify = ({ sub }: Readonly<Record<string, unknown>>): string | null =>
  typeof sub === 'string' ? `wimse://example.com/${sub}` : null
const login = { issuer: 'https://login.example.com', audience: ORIGIN, jwks, identify }

function verifierOf(
  options: BearerOptions | readonly BearerOptions[],
): ReturnType<typeof createBearerVerifier> {
  return createBearerVerifier(options, {
    trustDomains: ['wimse://example.com', 'spiffe://example.org'],
    clockTolerance: 5,
  })
}

async function outcomeOf(options: BearerOptions | readonly BearerOptions[], token: string): Promise<string> {
  return verifierOf(options)
    .verify(token, NOON)
    .then(
      ({ id }) => id,
      (error: { code?: string }) => error.code ?? 'another error',
    )
}

const LET_IN = 'wimse://example.com/checkout'
const INVALID = 'WIMSE_BEARER_INVALID'

describe('a JWT as a bearer token (BCP-07, BCP-11, CNF-13)', () => {
  it('names a workload in the same identifiers as a WIT, frozen', async () => {
    const workload: Workload = await verifierOf(login).verify(
      await issuer.token({ sub: 'checkout', scope: ['a'] }),
      NOON,
    )
    expect(workload).toEqual({
      id: LET_IN,
      trustDomain: 'wimse://example.com',
      path: '/checkout',
      via: 'bearer',
      revision: null,
      claims: expect.objectContaining({ sub: 'checkout', scope: ['a'] }),
      keyThumbprint: null,
      expiresAt: NOON + 600,
      boundTokens: { accessToken: false, txnToken: false, otherTokens: [] },
    })
    expect(
      [workload, workload.claims, workload.claims['scope'], workload.boundTokens].every(Object.isFrozen),
    ).toBe(true)
  })

  const rows: readonly (readonly [
    what: string,
    claims: Record<string, unknown>,
    header: Record<string, unknown>,
    outcome: string,
  ])[] = [
    ['a good one', {}, {}, LET_IN],
    ['one that expires within the tolerance', { exp: NOON - 4 }, {}, LET_IN],
    ['one that has expired', { exp: NOON - 6 }, {}, INVALID],
    ['one without expiry', { exp: undefined }, {}, INVALID],
    ['one whose expiry is text', { exp: String(NOON + 60) }, {}, INVALID],
    ['one that is not valid yet', { nbf: NOON + 60 }, {}, INVALID],
    ['one for another audience', { aud: 'https://elsewhere.example' }, {}, INVALID],
    ['one for us among others', { aud: ['https://elsewhere.example', ORIGIN] }, {}, LET_IN],
    ['one without audience', { aud: undefined }, {}, INVALID],
    ['one of another issuer', { iss: 'https://other.example.com' }, {}, INVALID],
    ['one without issuer', { iss: undefined }, {}, INVALID],
    ['one bound to a key', { cnf: { jkt: 'x' } }, {}, INVALID],
    ['one bound to nothing in particular', { cnf: null }, {}, INVALID],
    ['one that names nobody', { sub: undefined }, {}, INVALID],
    ['one whose name is no identifier', { sub: 'a b' }, {}, INVALID],
    ['one with an unknown key id', {}, { kid: 'other' }, INVALID],
    ['one without key id, where there is one key', {}, { kid: undefined }, LET_IN],
    ['one of type wit+jwt', {}, { typ: 'wit+jwt' }, INVALID],
    ['one of type application/WIT+JWT', {}, { typ: 'application/WIT+JWT' }, INVALID],
    ['one of type wpt+jwt', {}, { typ: 'wpt+jwt' }, INVALID],
    ['one without type', {}, { typ: undefined }, LET_IN],
  ]
  for (const [what, claims, header, outcome] of rows) {
    it(`${what}: ${outcome}`, async () => {
      expect(await outcomeOf(login, await issuer.token({ sub: 'checkout', ...claims }, header))).toBe(outcome)
    })
  }

  it('is refused when it is signed by another, unsigned, changed, or no token at all', async () => {
    const token = await issuer.token({ sub: 'checkout' })
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
    const stranger = await other.token({ sub: 'checkout', iss: 'https://login.example.com' })
    for (const spoilt of [
      stranger,
      `${none}.${payload}.`,
      `${header}.${payload}.${signature.slice(0, -2)}AA`,
      `${header}.${payload}`,
      '',
      'a b',
      'é',
      `${token},`,
    ]) {
      expect(await outcomeOf(login, spoilt)).toBe(INVALID)
    }
  })

  it('is refused when its algorithm or type is not one of those asked for', async () => {
    const token = await issuer.token({ sub: 'checkout' })
    expect(await outcomeOf({ ...login, algorithms: ['RS256'] }, token)).toBe(INVALID)
    expect(await outcomeOf({ ...login, typ: 'at+jwt' }, token)).toBe(LET_IN)
    expect(await outcomeOf({ ...login, typ: 'JWT' }, token)).toBe(INVALID)
  })

  it('cannot name a workload of a trust domain its issuer may not name', async () => {
    const anywhere = { ...login, identify: ({ sub }: Record<string, unknown>) => sub as string }
    const token = async (sub: string): Promise<string> => issuer.token({ sub })
    expect(await outcomeOf(anywhere, await token('spiffe://example.org/a'))).toBe('spiffe://example.org/a')
    expect(await outcomeOf(anywhere, await token('wimse://elsewhere.example/a'))).toBe(INVALID)
    const limited = { ...anywhere, trustDomains: ['wimse://example.com'] }
    expect(await outcomeOf(limited, await token('spiffe://example.org/a'))).toBe(INVALID)
    expect(await outcomeOf(limited, await token('wimse://example.com/a'))).toBe('wimse://example.com/a')
  })
})

describe('several entries', () => {
  const entries = [
    { ...login, trustDomains: ['wimse://example.com'] },
    {
      ...login,
      issuer: 'https://other.example.com',
      jwks: other.jwks,
      identify: ({ sub }: Record<string, unknown>) => sub as string,
      trustDomains: ['spiffe://example.org'],
    },
    {
      verify: (token: string) => (token === 'opaque' ? LET_IN : null),
      trustDomains: ['wimse://example.com'],
    },
  ]

  it('are chosen by the issuer of the token, the rest by functions', async () => {
    expect(await outcomeOf(entries, await issuer.token({ sub: 'checkout' }))).toBe(LET_IN)
    expect(await outcomeOf(entries, await other.token({ sub: 'spiffe://example.org/a' }))).toBe(
      'spiffe://example.org/a',
    )
    expect(await outcomeOf(entries, 'opaque')).toBe(LET_IN)
    expect(await outcomeOf(entries, 'unknown')).toBe(INVALID)
  })

  it('keep to their own trust domains and keys', async () => {
    expect(await outcomeOf(entries, await other.token({ sub: 'wimse://example.com/checkout' }))).toBe(INVALID)
    expect(
      await outcomeOf(entries, await other.token({ sub: 'checkout', iss: 'https://login.example.com' })),
    ).toBe(INVALID)
  })

  it('do not hand it to a function in another spelling either', async () => {
    const lenient = { verify: () => LET_IN }
    const bound = await other.token({ cnf: { jkt: 'x' } })
    const last = bound.at(-1)!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const respelled = bound.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]!
    expect(Buffer.from(respelled, 'base64url')).toEqual(Buffer.from(bound, 'base64url'))
    const twice = Buffer.from('{"alg":"ES256","alg":"ES256"}').toString('base64url')
    for (const token of [
      respelled,
      `${twice}.${bound.split('.')[1]!}.AA`,
      `${Buffer.from(' {"typ":"wit+jwt"}').toString('base64url')}.e30.`,
      `${bound}.`,
      `${bound}..`,
      `.${bound}`,
      bound.split('.').slice(0, 2).join('.'),
    ]) {
      expect(await outcomeOf(lenient, token), token).toBe(INVALID)
    }
    const encrypted = Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString('base64url')
    expect(await outcomeOf(lenient, `${encrypted}..iv.text.tag`)).toBe(LET_IN)
    expect(await outcomeOf(lenient, 'three.opaque.parts')).toBe(LET_IN)
  })

  it('do not hand a WIT or a bound token to a function', async () => {
    const asked: string[] = []
    const all = {
      verify: (token: string) => {
        asked.push(token)
        return LET_IN
      },
    }
    const { wit } = await createTestIdentityServer({ origin: 'wimse://example.com' }).issue({
      subject: '/checkout',
    })
    expect(await outcomeOf(all, wit)).toBe(INVALID)
    expect(await outcomeOf(all, await other.token({ cnf: {} }))).toBe(INVALID)
    expect(asked).toEqual([])
    expect(await outcomeOf(all, 'opaque')).toBe(LET_IN)
  })
})

describe('what cannot be told is 503', () => {
  for (const [what, options] of [
    [
      'a function that throws',
      {
        verify: () => {
          throw new Error('down')
        },
      },
    ],
    ['a function that rejects', { verify: async () => Promise.reject(new Error('down')) }],
    [
      'identify that throws',
      {
        ...login,
        identify: () => {
          throw new Error('down')
        },
      },
    ],
    ['keys that are not there', { ...login, jwks: undefined, jwksUri: 'http://127.0.0.1:1/jwks' } as never],
  ] as const) {
    it(what, async () => {
      expect(await outcomeOf(options as BearerOptions, await issuer.token({ sub: 'checkout' }))).toBe(
        'WIMSE_TRUST_UNAVAILABLE',
      )
    })
  }
})

describe('keys of an issuer', () => {
  it('come from the same sources as those of trust domains, and a new one is found', async () => {
    const authority = createTestAuthority()
    const server = await startMoodyServer(authority)
    const old = other.jwks.keys.map((key) => ({ ...key, kid: 'old' }))
    server.answer = answering({ keys: old })
    const { jwks: _jwks, ...rest } = login
    const verifier = verifierOf({ ...rest, jwksUri: `${server.origin}/jwks`, ca: authority.ca })
    await verifier.ready()
    server.answer = answering({ keys: [...old, ...issuer.jwks.keys] })
    expect((await verifier.verify(await issuer.token({ sub: 'checkout' }, { kid: 'login' }), NOON)).id).toBe(
      LET_IN,
    )
    await Promise.all([verifier.close(), server.stop()])
  })
})

describe('presets', () => {
  it('accessTokens() takes RFC 9068 access tokens and nothing else', async () => {
    const preset = accessTokens(login)
    expect(await outcomeOf(preset, await issuer.token({ sub: 'checkout' }))).toBe(LET_IN)
    expect(
      await outcomeOf(preset, await issuer.token({ sub: 'checkout' }, { typ: 'application/at+jwt' })),
    ).toBe(LET_IN)
    expect(await outcomeOf(preset, await issuer.token({ sub: 'checkout' }, { typ: 'JWT' }))).toBe(INVALID)
    expect(await outcomeOf(preset, await issuer.token({ sub: 'checkout' }, { typ: undefined }))).toBe(INVALID)
  })

  it('kubernetesServiceAccounts() names service accounts', async () => {
    const { identify: _identify, ...keys } = login
    const preset = kubernetesServiceAccounts({ ...keys, trustDomain: 'wimse://example.com' })
    const account = async (sub: string): Promise<string> =>
      outcomeOf(preset, await issuer.token({ sub }, { typ: undefined }))
    expect(await account('system:serviceaccount:shop:checkout')).toBe(
      'wimse://example.com/ns/shop/sa/checkout',
    )
    for (const sub of [
      'system:serviceaccount:shop',
      'system:node:a',
      'system:serviceaccount:a/b:c',
      'system:serviceaccount:a:b:c',
      '',
    ]) {
      expect([sub, await account(sub)]).toEqual([sub, INVALID])
    }
    expect(() => kubernetesServiceAccounts({ ...keys, trustDomain: 'example.com' })).toThrow(TypeError)
    const undone = kubernetesServiceAccounts({
      ...keys,
      trustDomain: 'wimse://example.com',
      trustDomains: undefined,
    } as never)
    expect(undone.trustDomains).toEqual(['wimse://example.com'])
  })

  it('jwtSvids() takes JWT-SVIDs by the jwt-svid keys of a SPIFFE bundle', async () => {
    const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
    const bundle = {
      keys: [
        { ...publicJwk, kid: 'j', use: 'jwt-svid' },
        { ...generateTestKeyPair('ES256').publicJwk, kid: 'w', use: 'wit-svid' },
      ],
    }
    const preset = jwtSvids({ audience: ORIGIN, jwks: bundle, trustDomains: ['spiffe://example.org'] })
    const svid = async (sub: string): Promise<string> =>
      new SignJWT({ sub, aud: [ORIGIN], exp: NOON + 60 })
        .setProtectedHeader({ alg: 'ES256', kid: 'j' })
        .sign(await importJWK(privateJwk))
    expect(await outcomeOf(preset, await svid('spiffe://example.org/a'))).toBe('spiffe://example.org/a')
    for (const sub of ['spiffe://other.example/a', 'wimse://example.com/a', 'a'])
      expect(await outcomeOf(preset, await svid(sub))).toBe(INVALID)
    const asWits = { ...preset, jwks: { keys: [{ ...publicJwk, kid: 'j', use: 'wit-svid' }] } }
    expect(await outcomeOf(asWits, await svid('spiffe://example.org/a'))).toBe(INVALID)
    expect(() => jwtSvids({ audience: ORIGIN, jwks: bundle, trustDomains: ['wimse://example.com'] })).toThrow(
      TypeError,
    )
  })
})

describe('bearer options', () => {
  const wrong: readonly (readonly [names: string, options: unknown])[] = [
    ['bearer', []],
    ['bearer', null],
    ['identify', { ...login, identify: undefined }],
    ['issuer', { ...login, issuer: undefined }],
    ['issuer', { ...login, issuer: null }],
    ['audience', { ...login, audience: undefined }],
    ['audience', { ...login, audience: [] }],
    ['algorithms', { ...login, algorithms: ['HS256'] }],
    ['algorithms', { ...login, algorithms: [] }],
    ['typ', { ...login, typ: 7 }],
    ['typ', { ...login, typ: 'wit+jwt' }],
    ['trustDomains', { ...login, trustDomains: ['wimse://exmaple.com'] }],
    ['use', { ...login, use: 'sig' }],
    ['exactly one', { ...login, jwksFile: '/a' }],
    ['exactly one', { ...login, jwks: undefined }],
    ['unknown option source', { ...login, source: {} }],
    ['unknown option issuers', { ...login, issuers: [] }],
    ['trustDomains', { ...login, trustDomains: [] }],
    ['trustDomains', { ...login, trustDomains: ['example.com'] }],
    ['bearer[1].trustDomains', [{ ...login, trustDomains: ['wimse://example.com'] }, login]],
    ['unknown option audience', { verify: () => null, audience: ORIGIN }],
  ]
  for (const [names, options] of wrong) {
    it(`throw for ${names}: ${JSON.stringify(options)?.slice(0, 60)}`, () => {
      expect(() => verifierOf(options as BearerOptions)).toThrow(names)
      expect(() => verifierOf(options as BearerOptions)).toThrow(TypeError)
    })
  }
})
