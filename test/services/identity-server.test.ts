import { createIdentityServer } from '@wimse-demo/identity-server'
import type { FastifyInstance } from 'fastify'
import { decodeJwt, decodeProtectedHeader, type JWK } from 'jose'
import { createAuthenticator, importCredential, signWpt } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const TRUST_DOMAIN = 'wimse://example.com'
const SECRET = 'the-secret-of-checkout'
const { privateJwk, publicJwk } = generateTestKeyPair('ES256')

describe('the identity server', () => {
  let app: FastifyInstance
  let log = ''

  beforeAll(async () => {
    app = await createIdentityServer({
      trustDomain: TRUST_DOMAIN,
      secrets: {
        [`${TRUST_DOMAIN}/visitor`]: 'the-secret-of-the-visitor',
        [`${TRUST_DOMAIN}/checkout`]: SECRET,
      },
      log: { level: 'trace', stream: { write: (line) => (log += line) } },
    })
  })
  afterAll(async () => app.close())

  const askForWit = async (secret: string | null, body: object | string = { publicJwk }) =>
    app.inject({
      method: 'POST',
      url: '/wit',
      headers: {
        'content-type': 'application/json',
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
      },
      payload: body,
    })

  it('binds the key to the workload whose secret it was shown', async () => {
    const response = await askForWit(SECRET)
    expect(response.statusCode).toBe(200)
    expect(response.headers['cache-control']).toBe('no-store')
    const { wit } = response.json<{ wit: string }>()
    expect(decodeProtectedHeader(wit)).toMatchObject({ alg: 'ES256', typ: 'wit+jwt' })
    expect(decodeJwt(wit)).toMatchObject({ sub: `${TRUST_DOMAIN}/checkout`, cnf: { jwk: publicJwk } })
  })

  it('issues tokens that its own key set vouches for', async () => {
    const { wit } = (await askForWit(SECRET)).json<{ wit: string }>()
    const jwks = (await app.inject('/jwks.json')).json<{ keys: JWK[] }>()
    const authenticator = createAuthenticator({
      audience: 'https://inventory.example.com',
      trustDomains: { [TRUST_DOMAIN]: { jwks } },
    })
    const credential = await importCredential({ wit, key: privateJwk })
    const wpt = signWpt(credential, { audience: 'https://inventory.example.com/stock' })
    const workload = await authenticator.authenticate({ wit, wpt, path: '/stock' })
    expect(workload.id).toBe(`${TRUST_DOMAIN}/checkout`)
  })

  it('publishes public keys only, and says how long they may be kept', async () => {
    const response = await app.inject('/jwks.json')
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe('application/jwk-set+json; charset=utf-8')
    expect(response.headers['cache-control']).toMatch(/max-age=\d+/)
    const { keys } = response.json<{ keys: JWK[] }>()
    expect(keys).toHaveLength(1)
    expect(keys[0]).not.toHaveProperty('d')
    expect(keys[0]).toMatchObject({ kty: 'EC', alg: 'ES256', kid: expect.any(String) })
  })

  it('has a health route', async () => {
    expect((await app.inject('/healthz')).statusCode).toBe(200)
  })

  const strangers: readonly { who: string; secret: string | null; challenge: RegExp }[] = [
    { who: 'no secret', secret: null, challenge: /^Bearer realm="[^"]+"$/ },
    { who: 'an unknown secret', secret: `${SECRET}-not`, challenge: /^Bearer .*error="invalid_token"$/ },
    { who: 'the beginning of a secret', secret: SECRET.slice(0, -1), challenge: /error="invalid_token"/ },
    { who: 'an empty secret', secret: '', challenge: /^Bearer realm="[^"]+"$/ },
  ]
  for (const { who, secret, challenge } of strangers) {
    it(`refuses a workload with ${who}`, async () => {
      const response = await askForWit(secret)
      expect(response.statusCode).toBe(401)
      expect(response.headers['www-authenticate']).toMatch(challenge)
      expect(response.headers['content-type']).toBe('application/problem+json')
      expect(response.json()).toMatchObject({ status: 401, title: 'Unauthorized' })
      expect(response.body).not.toContain('wit"')
    })
  }

  it('refuses an unknown secret before it reads the body', async () => {
    expect((await askForWit('an-unknown-secret', 'not JSON')).statusCode).toBe(401)
    expect((await askForWit(SECRET, 'not JSON')).statusCode).toBe(400)
  })

  const { alg: _, ...withoutAlgorithm } = publicJwk
  const malformed: readonly { what: string; body: object | string }[] = [
    { what: 'no key', body: {} },
    { what: 'a key that is no object', body: { publicJwk: 'key' } },
    { what: 'an empty key', body: { publicJwk: {} } },
    { what: 'a key with its private half', body: { publicJwk: privateJwk } },
    { what: 'a key without an algorithm', body: { publicJwk: withoutAlgorithm } },
    { what: 'a shared secret for a key', body: { publicJwk: { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' } } },
    { what: 'a point off the curve', body: { publicJwk: { ...publicJwk, y: publicJwk.x } } },
    { what: 'a body that is no JSON', body: '{"publicJwk":' },
  ]
  for (const { what, body } of malformed) {
    it(`refuses ${what} with a problem document`, async () => {
      const response = await askForWit(SECRET, body)
      expect(response.statusCode).toBe(400)
      expect(response.headers['content-type']).toBe('application/problem+json')
      expect(response.json()).toMatchObject({ status: 400, title: 'Bad Request' })
      expect(response.body).not.toContain(privateJwk.d)
    })
  }

  it('has logged what it issued, and no secret and no token', () => {
    expect(log).toContain('identity token issued')
    expect(log).toContain(`${TRUST_DOMAIN}/checkout`)
    expect(log).not.toContain(SECRET)
    expect(log).not.toContain('an-unknown-secret')
    expect(log).not.toContain(privateJwk.d)
    expect(log).not.toMatch(/eyJ[\w-]+/)
  })
})

describe('createIdentityServer()', () => {
  for (const witLifetime of [0, -1, 86_401, Number.NaN]) {
    it(`throws for a lifetime of ${witLifetime}`, async () => {
      const secrets = { [`${TRUST_DOMAIN}/checkout`]: SECRET }
      await expect(createIdentityServer({ trustDomain: TRUST_DOMAIN, secrets, witLifetime })).rejects.toThrow(
        /witLifetime/,
      )
    })
  }

  const mistakes: readonly { what: string; secrets: Record<string, string>; message: RegExp }[] = [
    {
      what: 'a workload of another trust domain',
      secrets: { 'wimse://other.example/checkout': SECRET },
      message: /not a workload of wimse:\/\/example\.com/,
    },
    {
      what: 'a short secret',
      secrets: { [`${TRUST_DOMAIN}/checkout`]: 'guess-me' },
      message: /at least 16 characters/,
    },
    {
      what: 'a secret that two workloads share',
      secrets: { [`${TRUST_DOMAIN}/checkout`]: SECRET, [`${TRUST_DOMAIN}/visitor`]: SECRET },
      message: /share a secret/,
    },
  ]
  for (const { what, secrets, message } of mistakes) {
    it(`throws for ${what}, without naming a secret`, async () => {
      const error: unknown = await createIdentityServer({ trustDomain: TRUST_DOMAIN, secrets }).catch(
        (error: unknown) => error,
      )
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toMatch(message)
      for (const secret of Object.values(secrets)) expect(String(error)).not.toContain(secret)
    })
  }
})
