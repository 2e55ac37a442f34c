import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import {
  calculateJwkThumbprint,
  CompactEncrypt,
  CompactSign,
  importJWK,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AlgorithmName,
  AuthenticationError,
  type Confirmation,
  type ConfirmationMethod,
  type ConfirmationOptions,
  type PossessionAlgorithm,
  resolveConfirmation,
  UnavailableError,
  verifyPossession,
} from 'wimse'
import { generateTestKeyPair, type TestKeyPair } from 'wimse-testkit'
import { ALGORITHM_NAMES } from '../../packages/core/src/jws/algorithms.js'
import {
  importPublicConfirmedKey,
  importSecretConfirmedKey,
} from '../../packages/core/src/trust/confirmed-key.js'
import { type KeySetServer, startKeySetServer } from '../https/key-set-server.js'
import { createTestAuthority } from '../https/test-authority.js'
import { fc } from './property.js'

const REFUSED = 'WIMSE_WIT_CONFIRMATION'
const UNAVAILABLE = 'WIMSE_TRUST_UNAVAILABLE'

const authority = createTestAuthority()
let server: KeySetServer
beforeAll(async () => {
  server = await startKeySetServer(authority.certificateFor('localhost'))
})
beforeEach(() => {
  server.requests.length = 0
})
afterAll(() => server.close())

/** The code of what is thrown, sooner or later; `accepted` when nothing is. */
async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act()
    return 'accepted'
  } catch (error) {
    if (error instanceof AuthenticationError || error instanceof UnavailableError) return error.code
    return error instanceof Error ? error.name : 'not an error'
  }
}

async function diagnosticsOf(act: () => Promise<unknown>): Promise<string> {
  return act().then(
    () => 'accepted',
    (error: AuthenticationError) => error.diagnostics.reason,
  )
}

const publicKey = (alg: AlgorithmName = 'ES256', kid?: string): JWK => ({
  ...generateTestKeyPair(alg).publicJwk,
  ...(kid === undefined ? {} : { kid }),
})
const secretKey = (bytes = 32, more: object = {}): JWK => ({
  kty: 'oct',
  k: randomBytes(bytes).toString('base64url'),
  ...more,
})
const without = (jwk: JWK, member: string): JWK =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => name !== member))

const RSA = { alg: 'RSA-OAEP-256', enc: 'A256GCM' }
const ECDH = { alg: 'ECDH-ES', enc: 'A256GCM' }
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

async function encrypt(
  plaintext: object | string,
  header: { readonly alg: string; readonly enc: string } & Record<string, unknown> = RSA,
  recipient: KeyObject = rsa.publicKey,
): Promise<string> {
  const text = typeof plaintext === 'string' ? plaintext : JSON.stringify(plaintext)
  return new CompactEncrypt(Buffer.from(text)).setProtectedHeader(header).encrypt(recipient)
}

async function sign(payload: string, key: JWK, header: Record<string, unknown> = {}): Promise<string> {
  const { alg = 'HS256' } = key
  return new CompactSign(Buffer.from(payload))
    .setProtectedHeader({ alg, ...header })
    .sign(await importJWK(key, alg))
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Makes a JWS by hand, for headers that no library signs. */
function macOf(header: object, payload: string, { k }: JWK): string {
  const input = `${encode(header)}.${Buffer.from(payload).toString('base64url')}`
  const mac = createHmac('sha256', Buffer.from(k!, 'base64url')).update(input).digest('base64url')
  return `${input}.${mac}`
}

/** Leaves the first half of a MAC of 32 bytes. */
function cut(jws: string): string {
  const [header, payload, mac] = jws.split('.')
  return [header, payload, Buffer.from(mac!, 'base64url').toString('base64url', 0, 16)].join('.')
}

/** A way from issuer to recipient, and the key the presenter holds at the end of it. */
interface Way {
  readonly method: ConfirmationMethod
  readonly presenterKey: JWK
  readonly cnf: (origin: string) => object | Promise<object>
  readonly options: (origin: string) => ConfirmationOptions
}

const pairs = new Map(ALGORITHM_NAMES.map((name) => [name, generateTestKeyPair(name)]))
const pair = pairs.get('ES256')!
const secret = secretKey(64, { alg: 'HS512' })

const WAYS: readonly Way[] = [
  ...[...pairs].map(
    ([name, { publicJwk, privateJwk }]): Way => ({
      method: 'jwk',
      presenterKey: { ...privateJwk, alg: name },
      cnf: () => ({ jwk: publicJwk }),
      options: () => ({}),
    }),
  ),
  ...['HS256', 'HS384', 'HS512'].map((alg): Way => {
    const presenterKey = secretKey(64, { alg })
    return {
      method: 'jwe',
      presenterKey,
      cnf: async () => ({ jwe: await encrypt(presenterKey) }),
      options: () => ({ decryptionKey: rsa.privateKey }),
    }
  }),
  {
    method: 'kid',
    presenterKey: pair.privateJwk,
    cnf: () => ({ kid: 'presenter-1' }),
    options: () => ({ directory: async (kid) => (kid === 'presenter-1' ? pair.publicJwk : null) }),
  },
  {
    method: 'kid',
    presenterKey: secret,
    cnf: () => ({ kid: 'presenter-2' }),
    options: () => ({ directory: (kid) => new Map([['presenter-2', secret]]).get(kid) }),
  },
  {
    method: 'jku',
    presenterKey: pair.privateJwk,
    cnf: (origin) => ({ jku: `${origin}/keys.json`, kid: 'a' }),
    options: (origin) => ({ allowedJku: [`${origin}/keys.json`], ca: authority.ca }),
  },
]

describe('from issuer by presenter to recipient (CNF-05 to CNF-10, CNF-15, CNF-17)', () => {
  const issuer = generateTestKeyPair('ES256')
  beforeEach(() => {
    server.answer = { keys: [{ ...pair.publicJwk, kid: 'a' }, publicKey('ES256', 'b')] }
  })

  for (const way of WAYS) {
    const { method, presenterKey } = way
    const alg = presenterKey.alg as PossessionAlgorithm

    /** The issuer binds the presenter to its key. */
    const issue = async (signedWith: TestKeyPair = issuer): Promise<string> =>
      new SignJWT({ cnf: await way.cnf(server.origin) })
        .setProtectedHeader({ alg: 'ES256' })
        .setSubject('presenter')
        .setAudience('recipient')
        .setExpirationTime('1h')
        .sign(await importJWK(signedWith.privateJwk, 'ES256'))

    /** The recipient checks the JWT, finds its key, and then whether the presenter has it. */
    const receive = async (jwt: string, answer: string): Promise<string> => {
      const key = await importJWK(issuer.publicJwk, 'ES256')
      const { payload: claims } = await jwtVerify(jwt, key, { audience: 'recipient' })
      const confirmation = await resolveConfirmation(claims, way.options(server.origin))
      expect(confirmation).toMatchObject({ method, algorithm: alg })
      return Buffer.from(verifyPossession(confirmation, answer).payload).toString()
    }

    it(`${method}, ${alg}: tells the presenter from everyone else`, async () => {
      const jwt = await issue()
      const nonce = `nonce ${randomBytes(16).toString('hex')}`
      const answer = await sign(nonce, presenterKey)
      expect(await receive(jwt, answer)).toBe(nonce)

      const stranger = isMac(alg) ? { ...secretKey(64), alg } : generateTestKeyPair(alg).privateJwk
      expect(await codeOf(async () => receive(jwt, await sign(nonce, stranger)))).toBe('WIMSE_WPT_SIGNATURE')

      const [header, payload, signature] = answer.split('.') as [string, string, string]
      const changed = `${header}.${Buffer.from('another nonce').toString('base64url')}.${signature}`
      expect(await codeOf(() => receive(jwt, changed))).toBe('WIMSE_WPT_SIGNATURE')
      const renamed = `${encode({ alg, kid: 'x' })}.${payload}.${signature}`
      expect(await codeOf(() => receive(jwt, renamed))).toBe('WIMSE_WPT_SIGNATURE')

      for (const other of ['none', 'HS256', 'HS384', 'HS512', ...ALGORITHM_NAMES].filter(
        (name) => name !== alg,
      )) {
        const claimed = `${encode({ alg: other })}.${payload}.${signature}`
        expect(await codeOf(() => receive(jwt, claimed))).toBe('WIMSE_WPT_ALGORITHM')
      }
    })

    it(`${method}, ${alg}: is not reached with a JWT of another issuer`, async () => {
      const answer = await sign('nonce', presenterKey)
      expect(await codeOf(async () => receive(await issue(), answer))).toBe('accepted')
      const asked = server.requests.length
      const forged = await issue(generateTestKeyPair('ES256'))
      expect(await codeOf(() => receive(forged, answer))).toBe('JWSSignatureVerificationFailed')
      expect(server.requests).toHaveLength(asked)
    })
  }

  function isMac(alg: PossessionAlgorithm): alg is 'HS256' | 'HS384' | 'HS512' {
    return alg.startsWith('HS')
  }
})

describe('resolveConfirmation()', () => {
  const jwk = publicKey()
  const everyOption = (): ConfirmationOptions => ({
    decryptionKey: rsa.privateKey,
    directory: (kid) => (kid === 'known' ? jwk : null),
    allowedJku: [`${server.origin}/keys.json`],
    ca: authority.ca,
  })

  describe('reads the claim (CNF-01 to CNF-06, CNF-11)', () => {
    const rows: readonly (readonly [what: string, claims: unknown, outcome: 'accepted' | RegExp])[] = [
      ['sub', { sub: 'a', cnf: { jwk } }, 'accepted'],
      ['iss alone', { iss: 'a', cnf: { jwk } }, 'accepted'],
      ['both', { sub: 'a', iss: 'b', cnf: { jwk } }, 'accepted'],
      ['neither sub nor iss', { cnf: { jwk } }, /neither sub nor iss/],
      ['an empty sub', { sub: '', cnf: { jwk } }, /sub or iss/],
      ['an empty iss beside a sub', { sub: 'a', iss: '', cnf: { jwk } }, /sub or iss/],
      ['a sub that is a number', { sub: 1, iss: 'b', cnf: { jwk } }, /sub or iss/],
      ['a sub that is null', { sub: null, cnf: { jwk } }, /sub or iss/],
      ['claims that are null', null, /claims/],
      ['claims that are a list', [{ sub: 'a', cnf: { jwk } }], /claims/],
      ['claims that are text', '{}', /claims/],
      ['no cnf', { sub: 'a' }, /cnf is not an object/],
      ['a cnf that is null', { sub: 'a', cnf: null }, /cnf is not an object/],
      ['a cnf that is a list', { sub: 'a', cnf: [{ jwk }] }, /cnf is not an object/],
      ['a cnf that is text', { sub: 'a', cnf: JSON.stringify({ jwk }) }, /cnf is not an object/],
      ['an empty cnf', { sub: 'a', cnf: {} }, /none of/],
      ['a member in capitals', { sub: 'a', cnf: { JWK: jwk } }, /none of/],
      ['inherited members', { sub: 'a', cnf: Object.create({ jwk, kid: 'known' }) as object }, /none of/],
      ['unknown members', { sub: 'a', cnf: { jwk, 'x5t#S256': 'x', other: [] } }, 'accepted'],
      ['a kid beside the jwk', { sub: 'a', cnf: { jwk, kid: 'any' } }, 'accepted'],
      ['the same kid in both', { sub: 'a', cnf: { jwk: { ...jwk, kid: 'k' }, kid: 'k' } }, 'accepted'],
      ['another kid in the jwk', { sub: 'a', cnf: { jwk: { ...jwk, kid: 'k' }, kid: 'l' } }, /not the id/],
      ['a kid that is a number', { sub: 'a', cnf: { jwk, kid: 1 } }, /cnf\.kid/],
      ['an empty kid', { sub: 'a', cnf: { kid: '' } }, /cnf\.kid is not/],
      ['jwk and jwe', { sub: 'a', cnf: { jwk, jwe: 'x' } }, /more than one/],
      ['jwk and jku', { sub: 'a', cnf: { jwk, jku: 'https://a.example' } }, /more than one/],
      ['jwe and jku', { sub: 'a', cnf: { jwe: 'x', jku: 'https://a.example' } }, /more than one/],
      ['a second key that is null', { sub: 'a', cnf: { jwk, jwe: null } }, /more than one/],
      ['a jwk that is null', { sub: 'a', cnf: { jwk: null } }, /cnf\.jwk is not an object/],
      ['a jwk that is a list', { sub: 'a', cnf: { jwk: [jwk] } }, /cnf\.jwk is not an object/],
      ['a jwk that is text', { sub: 'a', cnf: { jwk: JSON.stringify(jwk) } }, /cnf\.jwk is not an object/],
      ['a symmetric key in clear', { sub: 'a', cnf: { jwk: secretKey() } }, /symmetric key in clear/],
      ['a private key', { sub: 'a', cnf: { jwk: { ...jwk, d: jwk.x } } }, /private member d/],
      ['a key for encryption', { sub: 'a', cnf: { jwk: { ...jwk, use: 'enc' } } }, /use/],
      ['a point off the curve', { sub: 'a', cnf: { jwk: { ...jwk, y: jwk.x } } }, /curve/],
      ['the algorithm of another curve', { sub: 'a', cnf: { jwk: { ...jwk, alg: 'ES384' } } }, /alg/],
      ['a jwe that is a number', { sub: 'a', cnf: { jwe: 1 } }, /not a string/],
      ['a jku that is a list', { sub: 'a', cnf: { jku: ['https://a.example'] } }, /not an https URL/],
      ['a jku over http', { sub: 'a', cnf: { jku: 'http://keys.example/a' } }, /not an https URL/],
      ['a jku that is relative', { sub: 'a', cnf: { jku: '/keys.json' } }, /not an https URL/],
    ]
    for (const [what, claims, outcome] of rows) {
      it(`${outcome === 'accepted' ? 'accepts' : 'refuses'} ${what}`, async () => {
        const resolve = async (): Promise<Confirmation> => resolveConfirmation(claims as never, everyOption())
        expect(await codeOf(resolve)).toBe(outcome === 'accepted' ? 'accepted' : REFUSED)
        expect(await diagnosticsOf(resolve)).toMatch(outcome)
        expect(server.requests).toEqual([])
      })
    }

    it('refuses whatever a cnf holds in its own words', async () => {
      const member = fc.constantFrom('jwk', 'jwe', 'jku', 'kid', 'JWK', 'other')
      const options = { ...everyOption(), allowedJku: [] }
      await fc.assert(
        fc.asyncProperty(fc.dictionary(member, fc.jsonValue({ maxDepth: 3 })), async (cnf) => {
          const code = await codeOf(() => resolveConfirmation({ sub: 'a', cnf }, options))
          expect([REFUSED, 'accepted']).toContain(code)
          if (code === 'accepted') expect(cnf['kid']).toBe('known')
        }),
      )
    })
  })

  describe('derives the algorithm of a key that has none (BCP-02)', () => {
    const rows: readonly (readonly [alg: AlgorithmName, derived: string, also: readonly string[]])[] = [
      ['ES256', 'ES256', []],
      ['ES384', 'ES384', []],
      ['ES512', 'ES512', []],
      ['Ed25519', 'Ed25519', ['EdDSA']],
      ['RS256', 'RS256', []],
    ]
    for (const [alg, derived, also] of rows) {
      it(`${derived}${also.map((name) => ` or ${name}`).join('')}`, async () => {
        const { publicJwk, privateJwk } = generateTestKeyPair(alg)
        const confirmation = await resolveConfirmation({ sub: 'a', cnf: { jwk: without(publicJwk, 'alg') } })
        expect(confirmation).toEqual({
          method: 'jwk',
          algorithm: derived,
          keyThumbprint: await calculateJwkThumbprint(publicJwk),
        })
        for (const name of ALGORITHM_NAMES.filter((name) => fitsTypeOf(privateJwk, name))) {
          const jws = await sign('x', { ...privateJwk, alg: name })
          const outcome = name === derived || also.includes(name) ? 'accepted' : 'WIMSE_WPT_ALGORITHM'
          expect(await codeOf(() => verifyPossession(confirmation, jws))).toBe(outcome)
        }
      })
    }

    it('and keeps to the one name a key gives itself', async () => {
      const { publicJwk, privateJwk } = generateTestKeyPair('EdDSA')
      const confirmation = await resolveConfirmation({ sub: 'a', cnf: { jwk: publicJwk } })
      const byName = async (alg: string): Promise<string> => {
        const jws = await sign('x', { ...privateJwk, alg })
        return codeOf(() => verifyPossession(confirmation, jws))
      }
      expect(await byName('EdDSA')).toBe('accepted')
      expect(await byName('Ed25519')).toBe('WIMSE_WPT_ALGORITHM')
    })

    it('and takes none that is not among the accepted', async () => {
      const byAlgorithms = async (jwk: JWK, algorithms: readonly PossessionAlgorithm[]): Promise<string> =>
        codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jwk } }, { algorithms }))
      expect(await byAlgorithms(jwk, ['ES256'])).toBe('accepted')
      expect(await byAlgorithms(jwk, ['ES384', 'HS256'])).toBe(REFUSED)
      const jwe = await encrypt(secretKey(64, { alg: 'HS512' }))
      const encrypted = async (algorithms: readonly PossessionAlgorithm[]): Promise<string> =>
        codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jwe } }, { ...everyOption(), algorithms }))
      expect(await encrypted(['HS512'])).toBe('accepted')
      expect(await encrypted(['HS256', 'ES256'])).toBe(REFUSED)
      const ed25519 = without(publicKey('Ed25519'), 'alg')
      const named = await resolveConfirmation({ sub: 'a', cnf: { jwk: ed25519 } }, { algorithms: ['EdDSA'] })
      expect(named.algorithm).toBe('EdDSA')
    })

    function fitsTypeOf({ kty, crv }: JWK, name: string): boolean {
      if (kty === 'RSA') return /^[RP]S/.test(name)
      return kty === 'OKP' ? name.startsWith('Ed') : name === pairNameOf(crv!)
    }

    function pairNameOf(crv: string): string {
      return { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }[crv]!
    }
  })

  describe('tells in its refusal which option a method needs', () => {
    const rows: readonly (readonly [cnf: object, option: string])[] = [
      [{ jwe: 'a.b.c.d.e' }, 'decryptionKey'],
      [{ kid: 'a' }, 'directory'],
      [{ jku: 'https://keys.example/a' }, 'allowedJku'],
    ]
    for (const [cnf, option] of rows) {
      it(option, async () => {
        const resolve = async (): Promise<Confirmation> => resolveConfirmation({ sub: 'a', cnf })
        expect(await codeOf(resolve)).toBe(REFUSED)
        expect(await diagnosticsOf(resolve)).toContain(`option ${option}`)
      })
    }
  })

  describe('throws a TypeError that names', () => {
    const rows: readonly (readonly [option: string, value: unknown])[] = [
      ['decryptionKey', rsa.publicKey],
      ['decryptionKey', null],
      ['decryptionKey', 'a private key'],
      ['decryptionKey', secretKey()],
      ['decryptionKey', publicKey()],
      ['decryptionKey', { ...rsa.privateKey.export({ format: 'jwk' }), alg: 'RSA-OAEP' }],
      ['decryptionKey', { ...rsa.privateKey.export({ format: 'jwk' }), use: 'sig' }],
      ['decryptionKey', { ...rsa.privateKey.export({ format: 'jwk' }), key_ops: ['sign'] }],
      ['decryptionKey', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
      ['decryptionKey', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
      ['decryptionKey', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
      ['decryptionKey', generateKeyPairSync('ed25519').privateKey],
      ['directory', new Map()],
      ['directory', null],
      ['allowedJku', 'https://keys.example/a'],
      ['allowedJku', [new URL('https://keys.example/a')]],
      ['allowedJku', ['http://keys.example/a']],
      ['allowedJku', ['http://localhost/a']],
      ['allowedJku', ['https://user@keys.example/a']],
      ['allowedJku', ['https://keys.example/a#b']],
      ['allowedJku', ['keys.example/a']],
      ['algorithms', []],
      ['algorithms', ['none']],
      ['algorithms', 'ES256'],
      ['ca', [7]],
      ['ca', 'not a pem'],
      ['ca', []],
      ['timeoutMs', 0],
      ['timeoutMs', '5000'],
      ['maxBytes', Number.POSITIVE_INFINITY],
      ['allowJku', []],
    ]
    for (const [option, value] of rows) {
      it(`${option} when it is ${inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 60)}`, async () => {
        const resolve = async (options: object): Promise<Confirmation> =>
          resolveConfirmation({ sub: 'a', cnf: { jwk } }, options)
        expect(await codeOf(() => resolve(everyOption()))).toBe('accepted')
        await expect(resolve({ ...everyOption(), [option]: value })).rejects.toThrow(TypeError)
        await expect(resolve({ ...everyOption(), [option]: value })).rejects.toThrow(option)
      })
    }

    it('none of a key it refuses', async () => {
      const d = rsa.privateKey.export({ format: 'jwk' }).d!
      const options = { decryptionKey: { kty: 'RSA', n: 'AQAB', e: 'AQAB', d } }
      const error = await resolveConfirmation({ sub: 'a', cnf: { jwk } }, options).catch((e: unknown) => e)
      expect(error).toBeInstanceOf(TypeError)
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain(d.slice(0, 20))
    })
  })

  describe('decrypts a jwe (CNF-07)', () => {
    const resolve = async (
      jwe: string,
      decryptionKey: NonNullable<ConfirmationOptions['decryptionKey']> = rsa.privateKey,
    ): Promise<string> => codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jwe } }, { decryptionKey }))

    for (const namedCurve of ['P-256', 'P-384', 'P-521', 'X25519']) {
      it(`made with ECDH-ES on ${namedCurve}`, async () => {
        const ours = keyPairOn(namedCurve)
        const theirs = keyPairOn(namedCurve)
        const jwe = await encrypt(secretKey(), ECDH, ours.publicKey)
        expect(await resolve(jwe, ours.privateKey)).toBe('accepted')
        expect(await resolve(jwe, { ...ours.privateKey.export({ format: 'jwk' }), alg: 'ECDH-ES' })).toBe(
          'accepted',
        )
        expect(await resolve(jwe, theirs.privateKey)).toBe(REFUSED)
        expect(await resolve(jwe)).toBe(REFUSED)
      })
    }

    it('made with RSA-OAEP-256, for our key as a JWK too, and for no other', async () => {
      const jwe = await encrypt(secretKey(), { ...RSA, kid: 'ours', cty: 'jwk+json', typ: 'JOSE' })
      const ours = rsa.privateKey.export({ format: 'jwk' })
      expect(await resolve(jwe)).toBe('accepted')
      expect(await resolve(jwe, ours)).toBe('accepted')
      expect(await resolve(jwe, { ...ours, alg: 'RSA-OAEP-256', use: 'enc', key_ops: ['decrypt'] })).toBe(
        'accepted',
      )
      expect(await resolve(jwe, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)).toBe(REFUSED)
      expect(await resolve(jwe, keyPairOn('P-256').privateKey)).toBe(REFUSED)
    })

    for (const enc of ['A128GCM', 'A192GCM', 'A128CBC-HS256', 'A256CBC-HS512']) {
      it(`and none made with ${enc}`, async () => {
        expect(await resolve(await encrypt(secretKey(), { ...RSA, enc }))).toBe(REFUSED)
        expect(await resolve(await encrypt(secretKey(), { ...RSA, enc: 'A256GCM' }))).toBe('accepted')
      })
    }

    for (const alg of ['RSA-OAEP', 'RSA-OAEP-384', 'RSA-OAEP-512']) {
      it(`and none made with ${alg}`, async () => {
        expect(await resolve(await encrypt(secretKey(), { ...RSA, alg }))).toBe(REFUSED)
      })
    }

    it('and none made with ECDH-ES and key wrapping', async () => {
      const ours = keyPairOn('P-256')
      const jwe = await encrypt(secretKey(), { ...ECDH, alg: 'ECDH-ES+A256KW' }, ours.publicKey)
      expect(await resolve(jwe, ours.privateKey)).toBe(REFUSED)
    })

    it('and none that is compressed, made from a password, or direct', async () => {
      expect(await resolve(await encrypt(secretKey(), { ...RSA, zip: 'DEF' }))).toBe(REFUSED)
      const withSecret = async (alg: string, length: number): Promise<string> =>
        new CompactEncrypt(Buffer.from(JSON.stringify(secretKey())))
          .setProtectedHeader({ alg, enc: 'A256GCM' })
          .encrypt(randomBytes(length))
      for (const [alg, length] of [
        ['PBES2-HS256+A128KW', 16],
        ['dir', 32],
        ['A256KW', 32],
      ] as const) {
        expect(await resolve(await withSecret(alg, length))).toBe(REFUSED)
      }
    })

    it('and none whose header has more than is needed', async () => {
      const ours = keyPairOn('P-256')
      const rows: readonly (readonly [odd: Record<string, unknown>, alg: typeof RSA])[] = [
        [{ jku: 'https://keys.example' }, RSA],
        [{ jwk }, RSA],
        [{ x5u: 'https://keys.example' }, RSA],
        [{ p2c: 1_000_000 }, RSA],
        [{ epk: jwk }, RSA],
        [{ note: 1 }, ECDH],
      ]
      for (const [odd, header] of rows) {
        const jwe = await encrypt(
          secretKey(),
          { ...header, ...odd },
          header === RSA ? rsa.publicKey : ours.publicKey,
        )
        expect(await resolve(jwe, header === RSA ? rsa.privateKey : ours.privateKey)).toBe(REFUSED)
      }
    })

    it('and none with crit', async () => {
      const jwe = new CompactEncrypt(Buffer.from(JSON.stringify(secretKey())))
        .setProtectedHeader({ ...RSA, crit: ['note'], note: 1 })
        .encrypt(rsa.publicKey, { crit: { note: true } })
      expect(await resolve(await jwe)).toBe(REFUSED)
    })

    it('and none whose ephemeral key is not on the curve, of another curve, or private', async () => {
      const ours = keyPairOn('P-256')
      const jwe = await encrypt(secretKey(), ECDH, ours.publicKey)
      const [head, ...rest] = jwe.split('.') as [string, ...string[]]
      const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { epk: JWK }
      const withKey = (epk: unknown): string => [encode({ ...header, epk }), ...rest].join('.')
      expect(withKey(header.epk)).toBe(jwe)
      const odd = [
        { ...header.epk, y: header.epk.x },
        publicKey('ES384'),
        { ...header.epk, d: header.epk.x },
        keyPairOn('X25519').publicKey.export({ format: 'jwk' }),
        null,
        undefined,
      ]
      for (const epk of odd) expect(await resolve(withKey(epk), ours.privateKey)).toBe(REFUSED)
      const zero = keyPairOn('X25519')
      const smallOrder = { kty: 'OKP', crv: 'X25519', x: Buffer.alloc(32).toString('base64url') }
      expect(await resolve(withKey(smallOrder), zero.privateKey)).toBe(REFUSED)
    })

    it('and none that was changed or cut anywhere', async () => {
      for (const [header, ours] of [
        [RSA, rsa],
        [ECDH, keyPairOn('P-256')],
      ] as const) {
        const jwe = await encrypt(secretKey(), header, ours.publicKey)
        const parts = jwe.split('.')
        expect(await resolve(jwe, ours.privateKey)).toBe('accepted')
        for (const index of parts.keys()) {
          const flip = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
          for (const change of [flip, (): string => '', (text: string): string => `${text}=`]) {
            const changed = parts.with(index, change(parts[index]!)).join('.')
            if (changed !== jwe) expect(await resolve(changed, ours.privateKey)).toBe(REFUSED)
          }
        }
        const tag = Buffer.from(parts[4]!, 'base64url').subarray(0, 4).toString('base64url')
        expect(await resolve(parts.with(4, tag).join('.'), ours.privateKey)).toBe(REFUSED)
        // The last character of 16 bytes has four bits that say nothing.
        const respelt = jwe.replace(/.$/, (last) => ({ A: 'B', Q: 'R', g: 'h', w: 'x' })[last]!)
        expect(await resolve(respelt, ours.privateKey)).toBe(REFUSED)
        for (const odd of [
          '',
          '....',
          `${jwe}.AA`,
          parts.slice(1).join('.'),
          JSON.stringify({ ciphertext: '' }),
        ]) {
          expect(await resolve(odd, ours.privateKey)).toBe(REFUSED)
        }
      }
    })

    it('and says which algorithm it should have been', async () => {
      const wordsFor = async (header: typeof RSA): Promise<string> => {
        const cnf = { jwe: await encrypt(secretKey(), header) }
        return diagnosticsOf(() => resolveConfirmation({ sub: 'a', cnf }, everyOption()))
      }
      expect(await wordsFor({ ...RSA, alg: 'RSA-OAEP' })).toMatch(/alg is not RSA-OAEP-256/)
      expect(await wordsFor({ ...RSA, enc: 'A128GCM' })).toMatch(/enc is not A256GCM/)
    })

    it('in the same words whatever fails', async () => {
      const [head, , iv, ciphertext, tag] = (await encrypt(secretKey())).split('.')
      const wrongKey = await encrypt(
        secretKey(),
        RSA,
        generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
      )
      const wordsFor = async (jwe: string): Promise<string> =>
        diagnosticsOf(() =>
          resolveConfirmation({ sub: 'a', cnf: { jwe } }, { decryptionKey: rsa.privateKey }),
        )
      const random = randomBytes(256).fill(0, 0, 1).toString('base64url')
      const words = await Promise.all(
        [
          wrongKey,
          [head, random, iv, ciphertext, tag].join('.'),
          [head, '', iv, ciphertext, tag].join('.'),
        ].map(wordsFor),
      )
      expect(new Set(words)).toEqual(new Set(['cnf.jwe: it cannot be decrypted']))
    })

    const plaintexts: readonly (readonly [
      what: string,
      plaintext: object | string,
      outcome: RegExp | 'accepted',
    ])[] = [
      ['a key of 256 bits', secretKey(32), 'accepted'],
      ['a key of 512 bits without alg', secretKey(64), 'accepted'],
      ['a key for MACs', secretKey(32, { use: 'sig', key_ops: ['sign', 'verify'], kid: 'k' }), 'accepted'],
      ['a key of 248 bits', secretKey(31), /shorter than the 32/],
      ['a key of 128 bits', secretKey(16), /shorter/],
      ['an empty key', secretKey(0), /shorter/],
      ['a key of 376 bits for HS384', secretKey(47, { alg: 'HS384' }), /shorter than the 48/],
      ['a key of 256 bits for HS512', secretKey(32, { alg: 'HS512' }), /shorter than the 64/],
      ['a public key', publicKey(), /kty is not oct/],
      ['a private key', generateTestKeyPair('ES256').privateJwk, /kty is not oct/],
      ['a key without k', { kty: 'oct' }, /k is not/],
      ['a key in padded base64', { kty: 'oct', k: Buffer.alloc(32).toString('base64') }, /k is not/],
      ['a key that is a list', { kty: 'oct', k: [1] }, /k is not/],
      ['a key for encryption', secretKey(32, { alg: 'A256GCM' }), /alg/],
      ['a key for no algorithm', secretKey(32, { alg: 'none' }), /alg/],
      ['a key for a signature', secretKey(32, { alg: 'ES256' }), /alg/],
      ['a key with an inherited name', secretKey(32, { alg: 'constructor' }), /alg/],
      ['a key with alg null', secretKey(32, { alg: null }), /alg/],
      ['a key with use enc', secretKey(32, { use: 'enc' }), /use/],
      ['a key that may only sign', secretKey(32, { key_ops: ['sign'] }), /key_ops/],
      ['a kid that is a number', secretKey(32, { kid: 1 }), /kid/],
      ['two members of one name', `{"kty":"oct","k":"AA","k":"${secretKey().k}"}`, /strict JSON/],
      ['a byte order mark', `\ufeff${JSON.stringify(secretKey())}`, /strict JSON/],
      ['a list', [secretKey()], /strict JSON/],
      ['a set', { keys: [secretKey()] }, /kty is not oct/],
      ['nothing', '', /strict JSON/],
      ['the bare key', randomBytes(32).toString('hex'), /strict JSON/],
    ]
    for (const [what, plaintext, outcome] of plaintexts) {
      it(`and ${outcome === 'accepted' ? 'takes' : 'refuses'} in it ${what}`, async () => {
        const cnf = { jwe: await encrypt(plaintext) }
        const act = async (): Promise<Confirmation> =>
          resolveConfirmation({ sub: 'a', cnf }, { decryptionKey: rsa.privateKey })
        expect(await codeOf(act)).toBe(outcome === 'accepted' ? 'accepted' : REFUSED)
        expect(await diagnosticsOf(act)).toMatch(outcome)
      })
    }

    it('and refuses a kid beside it that is not the one within', async () => {
      const jwe = await encrypt(secretKey(32, { kid: 'within' }))
      const withKid = async (kid: string): Promise<string> =>
        codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jwe, kid } }, everyOption()))
      expect(await withKid('within')).toBe('accepted')
      expect(await withKid('beside')).toBe(REFUSED)
    })

    function keyPairOn(curve: string): { privateKey: KeyObject; publicKey: KeyObject } {
      return curve === 'X25519'
        ? generateKeyPairSync('x25519')
        : generateKeyPairSync('ec', { namedCurve: curve })
    }
  })

  describe('asks a directory (CNF-08)', () => {
    const ask = async (
      directory: (kid: string) => unknown,
      kid = 'a',
      more: ConfirmationOptions = {},
    ): Promise<string> =>
      codeOf(() =>
        resolveConfirmation(
          { sub: 'a', cnf: { kid } },
          { ...more, directory: directory as NonNullable<ConfirmationOptions['directory']> },
        ),
      )

    const rows: readonly (readonly [what: string, answer: () => unknown, code: string])[] = [
      ['a public key', () => jwk, 'accepted'],
      ['the promise of one', async () => jwk, 'accepted'],
      ['a key that goes by another id there', () => ({ ...jwk, kid: 'tenant/a' }), 'accepted'],
      ['a symmetric key', () => secretKey(), 'accepted'],
      ['a short symmetric key', () => secretKey(31), REFUSED],
      ['a private key', () => pair.privateJwk, REFUSED],
      ['a point off the curve', () => ({ ...jwk, y: jwk.x }), REFUSED],
      ['an empty object', () => ({}), REFUSED],
      ['null', () => null, REFUSED],
      ['undefined', () => undefined, REFUSED],
      ['text', () => JSON.stringify(jwk), UNAVAILABLE],
      ['a list', () => [jwk], UNAVAILABLE],
      ['false', () => false, UNAVAILABLE],
      ['an error', () => Promise.reject(new Error('down')), UNAVAILABLE],
      [
        'an error at once',
        () => {
          throw new Error('down')
        },
        UNAVAILABLE,
      ],
    ]
    for (const [what, answer, code] of rows) {
      it(`that answers with ${what}: ${code}`, async () => expect(await ask(answer)).toBe(code))
    }

    it('for the id as it stands', async () => {
      const asked: string[] = []
      const directory = (kid: string): JWK => {
        asked.push(kid)
        return jwk
      }
      const odd = ['a', '../../etc/passwd', "'; DROP TABLE keys", 'constructor', '\u0000', 'x'.repeat(10_000)]
      for (const kid of odd) expect(await ask(directory, kid)).toBe('accepted')
      expect(asked).toEqual(odd)
    })

    it('no longer than it may take', async () => {
      const stalled = async (): Promise<never> => new Promise(() => undefined)
      expect(await ask(stalled, 'a', { timeoutMs: 20 })).toBe(UNAVAILABLE)
    })

    it('and not at all where cnf has another key', async () => {
      let asked = 0
      const directory = (): null => {
        asked++
        return null
      }
      expect(
        await codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jwk, kid: 'a' } }, { directory })),
      ).toBe('accepted')
      expect(asked).toBe(0)
    })
  })

  describe('fetches a jku (CNF-09, CNF-10, BCP-09)', () => {
    const a = publicKey('ES256', 'a')
    const b = publicKey('ES256', 'b')
    const path = '/keys.json'

    const resolve = async (
      answer: KeySetServer['answer'],
      kid?: string,
      more: ConfirmationOptions = {},
    ): Promise<string> => {
      server.answer = answer
      const cnf = { jku: server.origin + path, ...(kid === undefined ? {} : { kid }) }
      return codeOf(() => resolveConfirmation({ sub: 'a', cnf }, { ...everyOption(), ...more }))
    }

    const sets: readonly (readonly [what: string, set: object, kid: string | undefined, code: string])[] = [
      ['one key and no kid', { keys: [a] }, undefined, 'accepted'],
      ['one key without an id and no kid', { keys: [jwk] }, undefined, 'accepted'],
      ['one key and its kid', { keys: [a] }, 'a', 'accepted'],
      ['two keys and the kid of one', { keys: [a, b] }, 'b', 'accepted'],
      ['members that nobody knows', { keys: [a], note: {} }, undefined, 'accepted'],
      [
        'a key of a type that nobody knows beside it',
        { keys: [{ kty: 'XY', kid: 'x' }, a] },
        'a',
        'accepted',
      ],
      ['two keys and no kid', { keys: [a, b] }, undefined, REFUSED],
      ['the same key twice and no kid', { keys: [a, a] }, undefined, REFUSED],
      ['one key and one that cannot be used, and no kid', { keys: [a, { kty: 'XY' }] }, undefined, REFUSED],
      ['one key and another kid', { keys: [a] }, 'A', REFUSED],
      ['one key without an id and a kid', { keys: [jwk] }, 'a', REFUSED],
      ['two keys of one id', { keys: [a, { ...b, kid: 'a' }] }, 'a', REFUSED],
      ['no keys', { keys: [] }, undefined, REFUSED],
      ['no keys and a kid', { keys: [] }, 'a', REFUSED],
      ['entries that are no objects', { keys: [null] }, undefined, REFUSED],
      ['a symmetric key', { keys: [secretKey()] }, undefined, REFUSED],
      ['a private key', { keys: [{ ...pair.privateJwk, kid: 'a' }] }, 'a', REFUSED],
      ['a point off the curve', { keys: [{ ...a, y: a.x }] }, 'a', REFUSED],
      ['no set but a key', a, undefined, UNAVAILABLE],
      ['keys that are no list', { keys: { 0: a, length: 1 } }, undefined, UNAVAILABLE],
    ]
    for (const [what, set, kid, code] of sets) {
      it(`that has ${what}: ${code}`, async () => {
        expect(await resolve(set, kid)).toBe(code)
        expect(server.requests).toEqual([path])
      })
    }

    const answers: readonly (readonly [what: string, answer: KeySetServer['answer'], code: string])[] = [
      ['a set of 900 kB', { keys: [a], padding: 'x'.repeat(900_000) }, 'accepted'],
      ['a set of 2 MB', { keys: [a], padding: 'x'.repeat(2_000_000) }, UNAVAILABLE],
      ['404', (_request, response) => void response.writeHead(404).end('{"keys":[]}'), UNAVAILABLE],
      ['500', (_request, response) => void response.writeHead(500).end(), UNAVAILABLE],
      ['nothing', (_request, response) => void response.end(), UNAVAILABLE],
      ['half a set', (_request, response) => void response.end('{"keys":['), UNAVAILABLE],
      [
        'a set with two members of one name',
        (_request, response) => void response.end(`{"keys":[],"keys":[${JSON.stringify(a)}]}`),
        UNAVAILABLE,
      ],
      ['a closed connection', (request) => void request.socket.destroy(), UNAVAILABLE],
    ]
    for (const [what, answer, code] of answers) {
      it(`where the server answers with ${what}: ${code}`, async () => {
        expect(await resolve(answer)).toBe(code)
        expect(await resolve({ keys: [a] })).toBe('accepted')
      })
    }

    it('no longer than it may take', async () => {
      expect(await resolve(() => undefined, undefined, { timeoutMs: 100 })).toBe(UNAVAILABLE)
      const dripping: KeySetServer['answer'] = (_request, response) => {
        const timer = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(timer))
      }
      expect(await resolve(dripping, undefined, { timeoutMs: 100 })).toBe(UNAVAILABLE)
      expect(await resolve({ keys: [a] }, undefined, { timeoutMs: 5000 })).toBe('accepted')
    })

    it('and follows no redirect, which would leave the list, on the origin neither', async () => {
      const elsewhere = await startKeySetServer(authority.certificateFor('localhost'), { keys: [a] })
      const redirectTo = (location: string): KeySetServer['answer'] => {
        return (request, response) => {
          if (request.url === '/moved.json') response.end(JSON.stringify({ keys: [a] }))
          else response.writeHead(302, { location }).end()
        }
      }
      try {
        expect(await resolve(redirectTo('/moved.json'))).toBe(UNAVAILABLE)
        expect(await resolve(redirectTo(`${server.origin}/moved.json`))).toBe(UNAVAILABLE)
        expect(server.requests).toEqual([path, path])
        expect(await resolve(redirectTo(`${elsewhere.origin}${path}`))).toBe(UNAVAILABLE)
        expect(await resolve(redirectTo(`${server.origin.replace('https', 'http')}/moved.json`))).toBe(
          UNAVAILABLE,
        )
        expect(elsewhere.requests).toEqual([])
        expect(await resolve({ keys: [a] })).toBe('accepted')
      } finally {
        await elsewhere.close()
      }
    })

    it('only from a server whose certificate is good, and for its name', async () => {
      const resolveAt = async (origin: string, ca?: string): Promise<string> =>
        codeOf(() =>
          resolveConfirmation(
            { sub: 'a', cnf: { jku: origin + path } },
            { allowedJku: [origin + path], ...(ca === undefined ? {} : { ca }) },
          ),
        )
      server.answer = { keys: [a] }
      expect(await resolveAt(server.origin, authority.ca)).toBe('accepted')
      expect(await resolveAt(server.origin)).toBe(UNAVAILABLE)
      expect(await resolveAt(server.origin, createTestAuthority().ca)).toBe(UNAVAILABLE)
      expect(await resolveAt(server.origin.replace('localhost', '127.0.0.1'), authority.ca)).toBe(UNAVAILABLE)
      expect(server.requests).toHaveLength(1)
      for (const certificate of [
        authority.certificateFor('other.example'),
        authority.certificateFor('localhost', { expired: true }),
        createTestAuthority().certificateFor('localhost'),
      ]) {
        const bad = await startKeySetServer(certificate, { keys: [a] })
        try {
          expect(await resolveAt(bad.origin, authority.ca)).toBe(UNAVAILABLE)
          expect(bad.requests).toEqual([])
        } finally {
          await bad.close()
        }
      }
    })

    it('only from a URL on the list, whole', async () => {
      server.answer = { keys: [a] }
      const resolveJku = async (jku: string): Promise<string> =>
        codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jku } }, everyOption()))
      const { origin } = server
      for (const jku of [
        origin,
        `${origin}/`,
        `${origin}/other.json`,
        `${origin}${path}/`,
        `${origin}${path}?a`,
        `${origin}${path}?`,
        `${origin}${path}#a`,
        `${origin}/KEYS.json`,
        `${origin}/%6beys.json`,
        `${origin}//keys.json`,
        `${origin.replace('://', '://user@')}${path}`,
        `${origin.replace('localhost', '127.0.0.1')}${path}`,
        `${origin.replace('localhost', 'localhost.')}${path}`,
        `${origin}.example${path}`,
        `${origin.replace('https', 'http')}${path}`,
        'file:///etc/passwd',
        'data:application/json,{"keys":[]}',
      ]) {
        expect(`${await resolveJku(jku)} ${jku}`).toBe(`${REFUSED} ${jku}`)
      }
      expect(server.requests).toEqual([])
      expect(await resolveJku(origin + path)).toBe('accepted')
      expect(await resolveJku(`${origin.replace('localhost', 'LOCALHOST')}/x/..${path}`)).toBe('accepted')
      expect(server.requests).toEqual([path, path])
    })

    it('never over http, not on loopback either', async () => {
      let asked = 0
      const plain = createServer((_request, response) => {
        asked++
        response.end(JSON.stringify({ keys: [a] }))
      })
      await new Promise<void>((done) => plain.listen(0, 'localhost', done))
      const jku = `http://localhost:${(plain.address() as AddressInfo).port}${path}`
      try {
        expect(await (await fetch(jku)).json()).toEqual({ keys: [a] })
        expect(await codeOf(() => resolveConfirmation({ sub: 'a', cnf: { jku } }, everyOption()))).toBe(
          REFUSED,
        )
        expect(asked).toBe(1)
      } finally {
        plain.close()
      }
    })

    it('and calls a server that changes to another protocol unavailable, within its time', async () => {
      server.answer = (_request, { socket }) => {
        socket!.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
      }
      const cnf = { jku: server.origin + path }
      expect(await codeOf(() => resolveConfirmation({ sub: 'a', cnf }, everyOption()))).toBe(UNAVAILABLE)
    })

    it('and calls a server that is not there unavailable', async () => {
      const gone = await startKeySetServer(authority.certificateFor('localhost'))
      await gone.close()
      const cnf = { jku: gone.origin + path }
      const options = { allowedJku: [cnf.jku], ca: authority.ca }
      expect(await codeOf(() => resolveConfirmation({ sub: 'a', cnf }, options))).toBe(UNAVAILABLE)
    })
  })

  it('gives a confirmation that is frozen and keeps its key to itself', async () => {
    const key = secretKey()
    const confirmation = await resolveConfirmation(
      { sub: 'a', cnf: { jwe: await encrypt(key) } },
      { decryptionKey: rsa.privateKey },
    )
    expect(confirmation).toEqual({ method: 'jwe', algorithm: 'HS256', keyThumbprint: null })
    expect(Object.isFrozen(confirmation)).toBe(true)
    const shown =
      inspect(confirmation, { showHidden: true, depth: null, getters: true }) + JSON.stringify(confirmation)
    expect(shown).not.toContain(key.k)
    expect(shown).not.toContain(Buffer.from(key.k!, 'base64url').toString('hex').slice(0, 12))
    expect(Reflect.ownKeys(confirmation)).toEqual(['method', 'algorithm', 'keyThumbprint'])
  })

  it('says nothing of a secret in a refusal', async () => {
    const key = secretKey(31)
    const cnf = { jwe: await encrypt(key) }
    const error = await resolveConfirmation({ sub: 'a', cnf }, everyOption()).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AuthenticationError)
    const shown = inspect(error, { showHidden: true, depth: null })
    for (const part of [key.k!, cnf.jwe.slice(0, 24), cnf.jwe.slice(-22)]) expect(shown).not.toContain(part)
  })
})

describe('importPublicConfirmedKey() and importSecretConfirmedKey()', () => {
  it('say that an algorithm is not accepted', () => {
    const notAccepted = 'its algorithm is not one of the accepted algorithms'
    const secret = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') }
    expect(importPublicConfirmedKey({ ...pair.publicJwk }, new Set(['EdDSA']))).toBe(notAccepted)
    expect(importSecretConfirmedKey(secret, new Set(['HS512']))).toBe(notAccepted)
  })

  it('take a key that says it is for signatures', () => {
    const jwk = { ...pair.publicJwk, use: 'sig' }
    expect(importPublicConfirmedKey(jwk, new Set(['ES256']))).toMatchObject({ algorithms: ['ES256'] })
  })
})

describe('verifyPossession()', () => {
  const confirm = async (jwk: JWK): Promise<Confirmation> => resolveConfirmation({ sub: 'a', cnf: { jwk } })
  const key = secretKey()
  const confirmSecret = async (): Promise<Confirmation> =>
    resolveConfirmation({ sub: 'a', cnf: { kid: 'a' } }, { directory: () => key })

  it('gives back what was signed, whatever it is', async () => {
    const confirmation = await confirm(pair.publicJwk)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 100 }), async (payload) => {
        const jws = await new CompactSign(payload)
          .setProtectedHeader({ alg: 'ES256', typ: 'any', nonce: 'n' })
          .sign(await importJWK(pair.privateJwk, 'ES256'))
        const message = verifyPossession(confirmation, jws)
        expect(message).toEqual({
          header: { alg: 'ES256', typ: 'any', nonce: 'n' },
          payload: Uint8Array.from(payload),
        })
      }),
      { numRuns: 30 },
    )
  })

  it('gives it back frozen', async () => {
    const message = verifyPossession(await confirm(pair.publicJwk), await sign('x', pair.privateJwk))
    expect(Object.isFrozen(message) && Object.isFrozen(message.header)).toBe(true)
  })

  it('gives it back in memory of its own', async () => {
    const { payload } = verifyPossession(await confirm(pair.publicJwk), await sign('x', pair.privateJwk))
    expect(payload.buffer.byteLength).toBe(payload.byteLength)
  })

  it('tells what of a message is wrong', async () => {
    const confirmation = await confirm(pair.publicJwk)
    const jws = await sign('x', generateTestKeyPair('EdDSA').privateJwk)
    expect(() => verifyPossession(confirmation, jws)).toThrow(
      expect.objectContaining({
        code: 'WIMSE_WPT_ALGORITHM',
        diagnostics: expect.objectContaining({
          reason: 'alg is not that of the confirmed key',
          expected: 'ES256',
          received: 'EdDSA',
        }),
      }),
    )
  })

  it('takes no confirmation but one that was resolved', async () => {
    const confirmation = await confirm(pair.publicJwk)
    const jws = await sign('x', pair.privateJwk)
    expect(await codeOf(() => verifyPossession(confirmation, jws))).toBe('accepted')
    for (const other of [
      { ...confirmation },
      structuredClone(confirmation),
      pair.publicJwk,
      null,
      undefined,
      'x',
    ]) {
      expect(() => verifyPossession(other as never, jws)).toThrow(
        new TypeError('not a confirmation made by resolveConfirmation'),
      )
    }
  })

  it('takes no key from the header', async () => {
    const thief = generateTestKeyPair('ES256')
    const jws = await sign('x', thief.privateJwk, { jwk: thief.publicJwk, jku: server.origin })
    expect(await codeOf(async () => verifyPossession(await confirm(pair.publicJwk), jws))).toBe(
      'WIMSE_WPT_SIGNATURE',
    )
    expect(await codeOf(async () => verifyPossession(await confirm(thief.publicJwk), jws))).toBe('accepted')
    expect(server.requests).toEqual([])
  })

  it('takes no public key for the secret of a MAC', async () => {
    const { publicJwk } = generateTestKeyPair('RS256')
    const jws = macOf({ alg: 'HS256' }, 'x', { kty: 'oct', k: publicJwk.n! })
    expect(await codeOf(async () => verifyPossession(await confirm(publicJwk), jws))).toBe(
      'WIMSE_WPT_ALGORITHM',
    )
  })

  const rows: readonly (readonly [what: string, jws: () => string, code: string])[] = [
    ['a MAC', () => macOf({ alg: 'HS256' }, 'x', key), 'accepted'],
    [
      'a header with a kid and a type',
      () => macOf({ alg: 'HS256', kid: 'any', typ: 'any' }, 'x', key),
      'accepted',
    ],
    ['a payload that says it is encoded', () => macOf({ alg: 'HS256', b64: true }, 'x', key), 'accepted'],
    ['a MAC with another secret', () => macOf({ alg: 'HS256' }, 'x', secretKey()), 'WIMSE_WPT_SIGNATURE'],
    ['a MAC cut short', () => cut(macOf({ alg: 'HS256' }, 'x', key)), 'WIMSE_WPT_SIGNATURE'],
    ['no MAC', () => macOf({ alg: 'HS256' }, 'x', key).replace(/[^.]+$/, ''), 'WIMSE_WPT_SIGNATURE'],
    ['crit', () => macOf({ alg: 'HS256', crit: ['exp'], exp: 1 }, 'x', key), 'WIMSE_WPT_CRITICAL'],
    ['an empty crit', () => macOf({ alg: 'HS256', crit: [] }, 'x', key), 'WIMSE_WPT_CRITICAL'],
    [
      'b64 that is critical',
      () => macOf({ alg: 'HS256', crit: ['b64'], b64: false }, 'x', key),
      'WIMSE_WPT_CRITICAL',
    ],
    ['b64 false alone', () => macOf({ alg: 'HS256', b64: false }, 'x', key), 'WIMSE_WPT_CRITICAL'],
    ['b64 null', () => macOf({ alg: 'HS256', b64: null }, 'x', key), 'WIMSE_WPT_CRITICAL'],
    ['no alg', () => macOf({}, 'x', key), 'WIMSE_WPT_ALGORITHM'],
    ['alg none', () => macOf({ alg: 'none' }, 'x', key), 'WIMSE_WPT_ALGORITHM'],
    ['alg none, unsigned', () => `${encode({ alg: 'none' })}.eA.`, 'WIMSE_WPT_ALGORITHM'],
    ['alg in lower case', () => macOf({ alg: 'hs256' }, 'x', key), 'WIMSE_WPT_ALGORITHM'],
    ['alg that is a list', () => macOf({ alg: ['HS256'] }, 'x', key), 'WIMSE_WPT_ALGORITHM'],
    ['a longer hash', () => macOf({ alg: 'HS512' }, 'x', key), 'WIMSE_WPT_ALGORITHM'],
    ['a kid that is a number', () => macOf({ alg: 'HS256', kid: 1 }, 'x', key), 'WIMSE_WPT_MALFORMED'],
    ['an empty or detached payload', () => macOf({ alg: 'HS256' }, '', key), 'WIMSE_WPT_MALFORMED'],
    ['two parts', () => 'e30.e30', 'WIMSE_WPT_MALFORMED'],
    ['five parts', () => 'e30.AA.AA.AA.AA', 'WIMSE_WPT_MALFORMED'],
    ['a padded signature', () => `${macOf({ alg: 'HS256' }, 'x', key)}=`, 'WIMSE_WPT_MALFORMED'],
    ['a line break', () => `${macOf({ alg: 'HS256' }, 'x', key)}\n`, 'WIMSE_WPT_MALFORMED'],
    ['a header that is a list', () => 'W10.AA.AA', 'WIMSE_WPT_MALFORMED'],
    [
      'two header members of one name',
      () => `${Buffer.from('{"alg":"none","alg":"HS256"}').toString('base64url')}.AA.AA`,
      'WIMSE_WPT_MALFORMED',
    ],
    ['JSON serialization', () => JSON.stringify({ payload: 'AA', signatures: [] }), 'WIMSE_WPT_MALFORMED'],
    ['nothing', () => '', 'WIMSE_WPT_MALFORMED'],
    ['no string', () => undefined as never, 'WIMSE_WPT_MALFORMED'],
  ]
  for (const [what, jws, code] of rows) {
    it(`${code === 'accepted' ? 'accepts' : `refuses (${code})`} ${what}`, async () => {
      const confirmation = await confirmSecret()
      expect(await codeOf(() => verifyPossession(confirmation, jws()))).toBe(code)
    })
  }

  it('refuses any text in its own words', async () => {
    const confirmation = await confirmSecret()
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), fc.string(), async (a, b, c) => {
        expect(await codeOf(() => verifyPossession(confirmation, `${a}.${b}.${c}`))).toMatch(/^WIMSE_WPT_/)
      }),
    )
  })
})
