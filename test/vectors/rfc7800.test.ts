import { calculateJwkThumbprint, CompactEncrypt, CompactSign, importJWK, type JWK } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AuthenticationError,
  type ConfirmationOptions,
  resolveConfirmation,
  verifyPossession,
} from 'wimse'
import { generateKeyPairSync } from 'node:crypto'
import { generateTestKeyPair } from 'wimse-testkit'
import { ALGORITHM_NAMES } from '../../packages/core/src/jws/algorithms.js'
import { readConfirmationKey } from '../../packages/core/src/trust/confirmation.js'
import { type KeySetServer, startKeySetServer } from '../https/key-set-server.js'
import { createTestAuthority } from '../https/test-authority.js'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

type Cnf = Readonly<Record<string, unknown>>

interface Vectors {
  readonly seed001Jwk: JWK
  readonly seed002Jwk: JWK
  readonly shapes: readonly {
    readonly id: string
    readonly cnf: Cnf
    readonly rfc7800: string
    readonly wimse: string
  }[]
}

const vectors = readVectors<Vectors | null>('rfc7800-cnf.json', null)!
const everyAlgorithm = new Set<string>(ALGORITHM_NAMES)

const authority = createTestAuthority()
const ours = generateKeyPairSync('rsa', { modulusLength: 2048 })
const known = { ...generateTestKeyPair('ES256').publicJwk, kid: '2015-08-28' }
const other = { ...generateTestKeyPair('ES256').publicJwk, kid: 'other' }

let server: KeySetServer
beforeAll(async () => {
  server = await startKeySetServer(authority.certificateFor('localhost'))
})
beforeEach(() => {
  server.answer = { keys: [known, other] }
  server.requests.length = 0
})
afterAll(() => server.close())

/** All that any method needs, so that a refusal is never for want of an option. */
const options = (): ConfirmationOptions => ({
  decryptionKey: ours.privateKey,
  directory: (kid) => (kid === 'dfd1aa97-6d8d-4575-a0fe-34b96de2bfad' ? known : null),
  allowedJku: [`${server.origin}/pop-keys.json`],
  ca: authority.ca,
})

/** Names our server on loopback instead of the one of the documents. */
const onLoopback = <T>(value: T): T =>
  JSON.parse(
    JSON.stringify(value).replaceAll(/(https?):\/\/keys\.example\.net/g, `$1${server.origin.slice(5)}`),
  )

const codeOf = async (resolving: Promise<unknown>): Promise<string> =>
  resolving.then(
    () => 'accepted',
    (error: AuthenticationError) => error.code,
  )

const encryptKey = async (jwk: JWK, header: { alg: string; enc: string }): Promise<string> =>
  new CompactEncrypt(Buffer.from(JSON.stringify(jwk))).setProtectedHeader(header).encrypt(ours.publicKey)

describe.skipIf(sharedVectors === null)('rfc7800-cnf.json (CNF-02 to CNF-11, CNF-18, BCP-05)', () => {
  it('has the shapes we know', () => expect(vectors.shapes).toHaveLength(14))

  for (const shape of vectors?.shapes ?? []) {
    // Its ciphertext is a stand-in, made with an algorithm not accepted here; the next test has a real one.
    const verdict = shape.id === 'jwe' ? 'reject' : shape.rfc7800
    it(`${shape.id}: in general ${verdict}`, async () => {
      const claims = { sub: 'presenter', cnf: onLoopback(shape.cnf) }
      const expected = verdict.startsWith('valid') ? 'accepted' : 'WIMSE_WIT_CONFIRMATION'
      expect(await codeOf(resolveConfirmation(claims, options()))).toBe(expected)
      expect(await codeOf(resolveConfirmation({ cnf: claims.cnf }, options()))).toBe('WIMSE_WIT_CONFIRMATION')
      expect(server.requests).toHaveLength(/^jku(?:-no-kid-many)?$/.test(shape.id) ? 1 : 0)
    })

    it(`${shape.id}: in a workload identity token ${shape.wimse}`, () => {
      const key = readConfirmationKey(onLoopback(shape.cnf), everyAlgorithm)
      if (shape.wimse.startsWith('valid')) expect(key).toMatchObject({ algorithm: { name: 'ES256' } })
      else expect(key).toBeTypeOf('string')
      expect(server.requests).toEqual([])
    })
  }

  it('jwe: in general valid, with a real ciphertext', async () => {
    const jwk = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') }
    const jwe = await encryptKey(jwk, { alg: 'RSA-OAEP-256', enc: 'A256GCM' })
    expect(await codeOf(resolveConfirmation({ sub: 'presenter', cnf: { jwe } }, options()))).toBe('accepted')
    expect(readConfirmationKey({ jwe }, everyAlgorithm)).toBeTypeOf('string')
  })

  it('jku-no-kid-many: in general valid once the set holds one key', async () => {
    const { cnf } = vectors.shapes.find(({ id }) => id === 'jku-no-kid-many')!
    server.answer = { keys: [known] }
    const claims = { sub: 'presenter', cnf: onLoopback(cnf) }
    expect(await codeOf(resolveConfirmation(claims, options()))).toBe('accepted')
  })

  it('takes the key as RFC 7800 prints it and refuses the mistyped one of its draft, which is off the curve', async () => {
    const resolve = async (jwk: JWK): Promise<string> =>
      codeOf(resolveConfirmation({ iss: 'https://server.example.com', cnf: { jwk } }))
    expect(await resolve(vectors.seed002Jwk)).toBe('accepted')
    expect(await resolve(vectors.seed001Jwk)).toBe('WIMSE_WIT_CONFIRMATION')
    const onWitRoad = (jwk: JWK): unknown =>
      readConfirmationKey({ jwk: { ...jwk, alg: 'ES256' } }, everyAlgorithm)
    expect(onWitRoad(vectors.seed002Jwk)).toBeTypeOf('object')
    expect(onWitRoad(vectors.seed001Jwk)).toBe('cnf.jwk is not on its curve')
  })
})

/** The examples of RFC 7800 section 3, as printed. */
const SECTION_3_2 = {
  iss: 'https://server.example.com',
  aud: 'https://client.example.org',
  exp: 1361398824,
  cnf: {
    jwk: {
      kty: 'EC',
      use: 'sig',
      crv: 'P-256',
      x: '18wHLeIgW9wVN6VD1Txgpqy2LszYkMf6J8njVAibvhM',
      y: '-V4dS4UaLMgP_4fY4j8ir7cl1TXlFdAgcx55o7TkcSA',
    },
  },
}
const SECTION_3_3_KEY = { kty: 'oct', alg: 'HS256', k: 'ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE' }
const SECTION_3_3_HEADER = { alg: 'RSA-OAEP', enc: 'A128CBC-HS256' }
const SECTION_3_3 = {
  iss: 'https://server.example.com',
  sub: '24400320',
  aud: 's6BhdRkqt3',
  nonce: 'n-0S6_WzA2Mj',
  exp: 1311281970,
  iat: 1311280970,
  cnf: {
    jwe: 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhDQkMtSFMyNTYifQ.(remainder of JWE omitted for brevity)',
  },
}
const SECTION_3_4 = {
  iss: 'https://server.example.com',
  aud: 'https://client.example.org',
  exp: 1361398824,
  cnf: { kid: 'dfd1aa97-6d8d-4575-a0fe-34b96de2bfad' },
}
const SECTION_3_5 = {
  iss: 'https://server.example.com',
  sub: '17760704',
  aud: 'https://client.example.org',
  exp: 1440804813,
  cnf: { jku: 'https://keys.example.net/pop-keys.json', kid: '2015-08-28' },
}

describe('the examples of RFC 7800', () => {
  it('3.2: a public key, without an algorithm', async () => {
    expect(await resolveConfirmation(SECTION_3_2)).toEqual({
      method: 'jwk',
      algorithm: 'ES256',
      keyThumbprint: await calculateJwkThumbprint(SECTION_3_2.cnf.jwk),
    })
  })

  it('3.3: a symmetric key, under encryption accepted here', async () => {
    const jwe = await encryptKey(SECTION_3_3_KEY, { alg: 'RSA-OAEP-256', enc: 'A256GCM' })
    const confirmation = await resolveConfirmation({ ...SECTION_3_3, cnf: { jwe } }, options())
    expect(confirmation).toEqual({ method: 'jwe', algorithm: 'HS256', keyThumbprint: null })
    const jws = await new CompactSign(Buffer.from(SECTION_3_3.nonce))
      .setProtectedHeader({ alg: 'HS256' })
      .sign(await importJWK(SECTION_3_3_KEY))
    expect(Buffer.from(verifyPossession(confirmation, jws).payload).toString()).toBe(SECTION_3_3.nonce)
  })

  it('3.3: is refused as printed, and under the header printed there', async () => {
    expect(await codeOf(resolveConfirmation(SECTION_3_3, options()))).toBe('WIMSE_WIT_CONFIRMATION')
    const jwe = await encryptKey(SECTION_3_3_KEY, SECTION_3_3_HEADER)
    expect(await codeOf(resolveConfirmation({ ...SECTION_3_3, cnf: { jwe } }, options()))).toBe(
      'WIMSE_WIT_CONFIRMATION',
    )
  })

  it('3.4: a key id, looked up in a directory', async () => {
    const { method, keyThumbprint } = await resolveConfirmation(SECTION_3_4, options())
    expect({ method, keyThumbprint }).toEqual({
      method: 'kid',
      keyThumbprint: await calculateJwkThumbprint(known),
    })
    expect(await codeOf(resolveConfirmation(SECTION_3_4, { directory: () => null }))).toBe(
      'WIMSE_WIT_CONFIRMATION',
    )
  })

  it('3.5: a URL of a key set, fetched when it is allowed', async () => {
    const { method, keyThumbprint } = await resolveConfirmation(onLoopback(SECTION_3_5), options())
    expect({ method, keyThumbprint }).toEqual({
      method: 'jku',
      keyThumbprint: await calculateJwkThumbprint(known),
    })
    expect(server.requests).toEqual(['/pop-keys.json'])
    expect(await codeOf(resolveConfirmation(SECTION_3_5, options()))).toBe('WIMSE_WIT_CONFIRMATION')
  })
})
