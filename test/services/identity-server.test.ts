import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdentityServer, type IdentityServerOptions } from '@wimse-demo/identity-server'
import type { FastifyInstance } from 'fastify'
import { decodeJwt, decodeProtectedHeader, type JWK } from 'jose'
import { createAuthenticator, createWitRequest, importCredential, signWpt } from 'wimse'
import { fixedClock } from 'wimse-testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const TRUST_DOMAIN = 'wimse://example.com'
const CHECKOUT = `${TRUST_DOMAIN}/checkout`
const URL = 'https://identity.example.com'
const SECRET = 'the-secret-of-checkout'
const base = { trustDomain: TRUST_DOMAIN, url: URL }

async function ask(app: FastifyInstance, secret: string | null, body: object | string) {
  return app.inject({
    method: 'POST',
    url: '/wit',
    headers: {
      'content-type': 'application/json',
      ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
    },
    payload: body,
  })
}
const entryOf = (line: string): unknown => (JSON.parse(line) as { audit: unknown }).audit
const newRequest = async (options: object = {}) => createWitRequest({ audience: `${URL}/wit`, ...options })

/** Asks as a workload does, and gives what came back with the key that it is for. */
async function askForWit(app: FastifyInstance, secret: string | null, options: object = {}) {
  const { jws, key } = await newRequest(options)
  const response = await ask(app, secret, { request: jws })
  return { response, key, wit: response.json<{ wit: string }>().wit }
}

describe('the identity server', () => {
  let app: FastifyInstance
  let log = ''
  let audit = ''

  beforeAll(async () => {
    app = await createIdentityServer({
      ...base,
      secrets: { [`${TRUST_DOMAIN}/visitor`]: 'the-secret-of-the-visitor', [CHECKOUT]: SECRET },
      perMinute: { address: 10_000, workload: 10_000 },
      audit: { write: (line) => (audit += line) },
      log: { level: 'trace', stream: { write: (line) => (log += line) } },
    })
  })
  afterAll(async () => app.close())
  beforeEach(() => {
    audit = ''
  })

  it('binds the key to the workload whose secret it was shown', async () => {
    const { response, wit, key } = await askForWit(app, SECRET)
    expect(response.statusCode).toBe(200)
    expect(response.headers['cache-control']).toBe('no-store')
    const { d: _, ...publicJwk } = key
    expect(decodeProtectedHeader(wit)).toMatchObject({ alg: 'ES256', typ: 'wit+jwt' })
    expect(decodeJwt(wit)).toMatchObject({ sub: CHECKOUT, iss: URL, cnf: { jwk: publicJwk } })
  })

  it('issues tokens that its own key set vouches for', async () => {
    const { wit, key } = await askForWit(app, SECRET)
    const jwks = (await app.inject('/jwks.json')).json<{ keys: JWK[] }>()
    const authenticator = createAuthenticator({
      audience: 'https://inventory.example.com',
      trustDomains: { [TRUST_DOMAIN]: { jwks } },
    })
    const credential = await importCredential({ wit, key })
    const wpt = signWpt(credential, { audience: 'https://inventory.example.com/stock' })
    const workload = await authenticator.authenticate({ wit, wpt, path: '/stock' })
    expect(workload.id).toBe(CHECKOUT)
  })

  it('publishes public keys only, and says how long they may be kept', async () => {
    const response = await app.inject('/jwks.json')
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe('application/jwk-set+json; charset=utf-8')
    expect(response.headers['cache-control']).toBe('public, max-age=60')
    const { keys } = response.json<{ keys: JWK[] }>()
    expect(keys).toHaveLength(1)
    expect(Object.keys(keys[0]!).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  })

  it('says where its keys are, as RFC 8414 has it', async () => {
    const response = await app.inject('/.well-known/oauth-authorization-server')
    expect(response.json()).toEqual({
      issuer: URL,
      jwks_uri: `${URL}/jwks.json`,
      wit_endpoint: `${URL}/wit`,
      response_types_supported: [],
      grant_types_supported: [],
    })
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
      const { response } = await askForWit(app, secret)
      expect(response.statusCode).toBe(401)
      expect(response.headers['www-authenticate']).toMatch(challenge)
      expect(response.headers['content-type']).toBe('application/problem+json')
      expect(response.json()).toMatchObject({ status: 401, title: 'Unauthorized' })
      expect(response.body).not.toContain('wit"')
      expect(entryOf(audit)).toMatchObject({ event: 'refused', subject: null, reason: expect.any(String) })
    })
  }

  it('refuses an unknown secret before it reads the body', async () => {
    expect((await ask(app, 'an-unknown-secret', 'not JSON')).statusCode).toBe(401)
    expect((await ask(app, SECRET, 'not JSON')).statusCode).toBe(400)
  })

  const malformed: readonly { what: string; body: object | string }[] = [
    { what: 'no request', body: {} },
    { what: 'a request that is no string', body: { request: {} } },
    { what: 'a request that is no JWT', body: { request: 'a.b.c' } },
    { what: 'a key alone, which anyone could have sent', body: { publicJwk: { kty: 'EC' } } },
    { what: 'a body that is no JSON', body: '{"request":' },
  ]
  for (const { what, body } of malformed) {
    it(`refuses ${what} with a problem document`, async () => {
      const response = await ask(app, SECRET, body)
      expect(response.statusCode).toBe(400)
      expect(response.headers['content-type']).toBe('application/problem+json')
      expect(response.json()).toMatchObject({ status: 400, title: 'Bad Request' })
      expect(entryOf(audit)).toMatchObject({
        event: 'refused',
        subject: CHECKOUT,
        reason: expect.any(String),
      })
    })
  }

  it('notes what it refuses for its length or its type, too', async () => {
    expect((await ask(app, SECRET, { request: 'x'.repeat(9000) })).statusCode).toBe(413)
    expect(entryOf(audit)).toMatchObject({ event: 'refused', subject: CHECKOUT })
    audit = ''
    const response = await app.inject({
      method: 'POST',
      url: '/wit',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'text/xml' },
      payload: '<a/>',
    })
    expect(response.statusCode).toBe(415)
    expect(entryOf(audit)).toMatchObject({ event: 'refused', subject: CHECKOUT })
  })

  for (const [what, options] of [
    ['for another server', { audience: 'https://other.example/wit' }],
    ['from long ago', { now: Date.now() / 1000 - 3600 }],
    ['from the future', { now: Date.now() / 1000 + 3600 }],
  ] as const) {
    it(`refuses a request ${what}`, async () => {
      const { response } = await askForWit(app, SECRET, options)
      expect(response.statusCode).toBe(400)
      expect(entryOf(audit)).toMatchObject({
        event: 'refused',
        subject: CHECKOUT,
        reason: expect.stringMatching(/^WIMSE_WPT_/),
      })
    })
  }

  it('takes a request once', async () => {
    const { jws } = await newRequest()
    expect((await ask(app, SECRET, { request: jws })).statusCode).toBe(200)
    expect((await ask(app, SECRET, { request: jws })).statusCode).toBe(400)
    // By the key and not by the text or the sender.
    expect((await ask(app, 'the-secret-of-the-visitor', { request: jws })).statusCode).toBe(400)
  })

  it('notes what it issued to whom, for which key, and who asked', async () => {
    const { wit } = await askForWit(app, SECRET)
    const { jti, exp } = decodeJwt(wit)
    expect(entryOf(audit)).toMatchObject({
      event: 'issued',
      subject: CHECKOUT,
      address: '127.0.0.1',
      jti,
      expiresAt: exp,
      kid: decodeProtectedHeader(wit).kid,
      keyThumbprint: expect.stringMatching(/^[\w-]{43}$/),
      request: expect.any(String),
    })
    expect(JSON.parse(audit)).toMatchObject({ time: expect.any(String), msg: 'identity token issued' })
    expect(audit).not.toContain(wit)
  })

  it('gives nothing out that it cannot note', async () => {
    const own = await createIdentityServer({
      ...base,
      secrets: { [CHECKOUT]: SECRET },
      audit: {
        write: () => {
          throw new Error('the disk is full')
        },
      },
      log: { level: 'silent' },
    })
    const { response } = await askForWit(own, SECRET)
    expect([response.statusCode, response.body.includes('eyJ')]).toEqual([500, false])
    await own.close()
  })

  it('has logged no secret and no token', () => {
    expect(log.length).toBeGreaterThan(1000)
    expect(log).not.toContain(SECRET)
    expect(log).not.toContain('an-unknown-secret')
    expect(log).not.toMatch(/eyJ[\w-]+/)
  })

  it('takes so many requests of a workload in a minute, and so many of strangers at an address', async () => {
    let lines = ''
    const own = await createIdentityServer({
      ...base,
      secrets: { [CHECKOUT]: SECRET, [`${TRUST_DOMAIN}/visitor`]: 'the-secret-of-the-visitor' },
      perMinute: { workload: 2, address: 2 },
      trustedProxies: ['127.0.0.1'],
      audit: { write: (line) => (lines += line) },
      log: { level: 'silent' },
    })
    const statuses: number[] = []
    for (const secret of [
      'a-guess',
      'a-guess',
      'a-guess',
      SECRET,
      SECRET,
      SECRET,
      'the-secret-of-the-visitor',
    ]) {
      const { response } = await askForWit(own, secret)
      statuses.push(response.statusCode)
      if (response.statusCode === 429) expect(Number(response.headers['retry-after'])).toBeGreaterThan(0)
    }
    // Strangers at the address of a workload do not keep it from its tokens.
    expect(statuses).toEqual([401, 401, 429, 200, 200, 429, 200])
    expect(lines.trim().split('\n')).toHaveLength(6)
    const elsewhere = await own.inject({
      method: 'POST',
      url: '/wit',
      headers: { authorization: 'Bearer a-guess', 'x-forwarded-for': '192.0.2.7' },
    })
    expect(elsewhere.statusCode).toBe(401)
    expect(entryOf(lines.trim().split('\n').at(-1)!)).toMatchObject({ address: '192.0.2.7' })
    await own.close()
  })

  it('writes its audit log whatever the level of the other one is, and not into a pipe that nobody reads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'audit-'))
    for (const audit of [join(folder, 'deep', 'log.jsonl'), '/dev/full']) {
      const own = await createIdentityServer({
        ...base,
        secrets: { [CHECKOUT]: SECRET },
        audit,
        log: { level: 'silent' },
      })
      const { response } = await askForWit(own, SECRET)
      expect([audit, response.statusCode]).toEqual([audit, audit === '/dev/full' ? 500 : 200])
      await own.close()
    }
    expect(readFileSync(join(folder, 'deep', 'log.jsonl'), 'utf8')).toContain('identity token issued')
    rmSync(folder, { recursive: true })
  })
})

describe('the keys of the identity server', () => {
  let folder: string
  const clock = fixedClock(1_800_000_000)
  const apps: FastifyInstance[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'issuer-keys-'))
  })
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const open = async (options: Partial<IdentityServerOptions> = {}): Promise<FastifyInstance> => {
    const app = await createIdentityServer({
      ...base,
      secrets: { [CHECKOUT]: SECRET },
      keysFolder: folder,
      keyLifetime: 14_400,
      witLifetime: 3600,
      perMinute: { workload: 1000, address: 1000 },
      audit: { write: () => undefined },
      log: { level: 'silent' },
      now: clock,
      ...options,
    })
    apps.push(app)
    return app
  }
  const kidsOf = async (app: FastifyInstance): Promise<unknown[]> =>
    (await app.inject('/jwks.json')).json<{ keys: JWK[] }>().keys.map(({ kid }) => kid)
  const kidOf = async (app: FastifyInstance): Promise<unknown> =>
    decodeProtectedHeader((await askForWit(app, SECRET, { now: clock })).wit).kid

  it('outlive the process, in a file that is nobody else’s', async () => {
    const before = await kidOf(await open())
    expect(await kidOf(await open())).toBe(before)
    expect(statSync(join(folder, 'issuer-keys.json')).mode & 0o777).toBe(0o600)
  })

  it('are published an hour before they sign, and until the last token they signed has expired', async () => {
    const app = await open()
    const first = await kidOf(app)
    let [sawBoth, rotations] = [0, 0]
    const tokens: { wit: string; kid: unknown; until: number }[] = []
    let published = await kidsOf(app)
    for (let minute = 0; minute < 24 * 60; minute += 5) {
      const { wit } = await askForWit(app, SECRET, { now: clock })
      const kid = decodeProtectedHeader(wit).kid
      // Whoever fetched the keys five minutes ago knows the one that signs now.
      expect(published).toContain(kid)
      if (tokens.length > 0 && tokens.at(-1)!.kid !== kid) rotations++
      tokens.push({ wit, kid, until: clock() + 3600 })
      published = await kidsOf(app)
      for (const token of tokens.filter(({ until }) => until > clock()))
        expect(published).toContain(token.kid)
      if (published.length > 1) sawBoth++
      clock.advance(300)
    }
    expect(rotations).toBe(5)
    expect(published).not.toContain(first)
    expect(published.length).toBeLessThanOrEqual(3)
    expect(sawBoth).toBeGreaterThan(0)
  })

  it('are replaced at once after a standstill', async () => {
    const before = await kidOf(await open())
    clock.advance(86_400 * 30)
    const app = await open()
    expect(await kidOf(app)).not.toBe(before)
    expect(await kidsOf(app)).toHaveLength(1)
  })

  it('are made anew when the clock was ahead at first and is set right', async () => {
    clock.advance(86_400 * 365)
    await open()
    clock.advance(-86_400 * 365)
    const app = await open()
    expect(await kidsOf(app)).toContain(await kidOf(app))
    expect((await app.inject('/healthz')).statusCode).toBe(200)
  })

  it('serve on while the next ones cannot be written', async () => {
    let log = ''
    const app = await open({ log: { level: 'error', stream: { write: (line) => (log += line) } } })
    const before = await kidOf(app)
    chmodSync(folder, 0o777)
    clock.advance(14_400 - 600)
    expect(await kidOf(app)).toBe(before)
    expect(await kidsOf(app)).toEqual([before])
    expect(log.trim().split('\n')).toHaveLength(1)
    expect(log).toContain('can be written to by other users')
    chmodSync(folder, 0o700)
    clock.advance(61)
    expect(await kidsOf(app)).toHaveLength(2)
    chmodSync(folder, 0o777)
    clock.advance(86_400)
    expect((await app.inject('/healthz')).statusCode).toBe(500)
    expect((await askForWit(app, SECRET, { now: clock })).response.statusCode).toBe(500)
  })

  it('are not left where others can read them', async () => {
    writeFileSync(join(folder, 'issuer-keys.json.new'), 'left over', { mode: 0o644 })
    await open()
    expect(statSync(join(folder, 'issuer-keys.json')).mode & 0o777).toBe(0o600)
  })

  it('are published for as long as their tokens live, though later ones live shorter', async () => {
    const before = await open({ witLifetime: 86_400 })
    const old = await kidOf(before)
    clock.advance(14_400 + 3600 + 120)
    const app = await open({ witLifetime: 300 })
    expect(await kidsOf(app)).toContain(old)
    clock.advance(86_400)
    expect(await kidsOf(app)).not.toContain(old)
  })

  it('are not replaced where the file cannot be read', async () => {
    await open()
    for (const text of ['{"keys":', '{"keys":[{}]}', '[]', '{"keys":[{"privateJwk":{"kty":"oct"}}]}']) {
      writeFileSync(join(folder, 'issuer-keys.json'), text)
      await expect(open()).rejects.toThrow(/issuer-keys.json is not a set of issuer keys/)
      expect(readFileSync(join(folder, 'issuer-keys.json'), 'utf8')).toBe(text)
    }
  })

  it('says that its folder is a file, or in one', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    for (const keysFolder of [file, join(file, 'keys')]) {
      await expect(open({ keysFolder })).rejects.toThrow(`${keysFolder} is no folder`)
    }
    mkdirSync(join(folder, 'odd', 'issuer-keys.json'), { recursive: true })
    await expect(open({ keysFolder: join(folder, 'odd') })).rejects.toThrow('cannot be read (EISDIR)')
    await open({ keysFolder: join(folder, 'new', 'keys') })
  })
})

describe('the registry of workloads', () => {
  let folder: string
  let file: string
  let app: FastifyInstance
  const logged: string[] = []
  const write = (workloads: object): void => writeFileSync(file, JSON.stringify({ workloads }))
  const open = async (): Promise<FastifyInstance> =>
    createIdentityServer({
      ...base,
      registryFile: file,
      perMinute: { workload: 1000, address: 1000 },
      audit: { write: () => undefined },
      log: { level: 'error', stream: { write: (line) => void logged.push(line) } },
    })
  const eventually = async (status: number): Promise<void> => {
    for (let tries = 0; tries < 100; tries++) {
      if ((await askForWit(app, SECRET)).response.statusCode === status) return
      await sleep(20)
    }
    throw new Error(`never answered ${status}`)
  }
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'registry-'))
    file = join(folder, 'registry.json')
    writeFileSync(join(folder, 'checkout'), `${SECRET}\n`)
    write([{ id: CHECKOUT, bootstrapFile: 'checkout' }])
    app = await open()
  })
  afterEach(async () => {
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('says who is who, and is read again when it changes', async () => {
    await eventually(200)
    write([])
    await eventually(401)
    write([{ id: CHECKOUT, bootstrapFile: 'checkout' }])
    await eventually(200)
  })

  it('counts as it was last while it cannot be read', async () => {
    writeFileSync(file, '{"workloads":[')
    for (let tries = 0; tries < 100 && logged.length === 0; tries++) await sleep(20)
    expect(logged.join()).toContain('the last good one counts')
    await eventually(200)
  })

  it('keeps a server from starting that has none', async () => {
    for (const text of [
      '',
      '{}',
      '{"workloads":[{"id":"x"}]}',
      '{"workloads":[{"id":1,"bootstrapFile":"a"}]}',
    ]) {
      writeFileSync(file, text)
      await expect(open()).rejects.toThrow(/is not \{ "workloads"/)
    }
  })
})

describe('createIdentityServer()', () => {
  const good: IdentityServerOptions = { ...base, secrets: { [CHECKOUT]: SECRET } }
  it('takes the least that is needed', async () => {
    await (await createIdentityServer({ ...good, log: { level: 'silent' } })).close()
  })
  for (const [option, value] of [
    ['witLifetime', 0],
    ['witLifetime', -1],
    ['witLifetime', 86_401],
    ['witLifetime', Number.NaN],
    ['keyLifetime', 60],
    ['url', 'https://identity.example.com/'],
    ['url', 'identity.example.com'],
    ['url', 'https://ID.example.com'],
    ['url', 'https://identity.example.com:443'],
    ['url', 'https://user@identity.example.com'],
    ['secrets', undefined],
  ] as const) {
    it(`throws for ${option}: ${value}`, async () => {
      await expect(createIdentityServer({ ...good, [option]: value })).rejects.toThrow(new RegExp(option))
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
      secrets: { [CHECKOUT]: 'guess-me' },
      message: /at least 16 characters/,
    },
    ...['correct horse battery staple!', 'sixteen=characters=', 'geheimes-schlüsselwort'].map((secret) => ({
      what: `a secret that no bearer field can have, ${secret}`,
      secrets: { [CHECKOUT]: secret },
      message: /no bearer token: letters, digits/,
    })),
    {
      what: 'a secret that two workloads share',
      secrets: { [CHECKOUT]: SECRET, [`${TRUST_DOMAIN}/visitor`]: SECRET },
      message: /share a secret/,
    },
  ]
  for (const { what, secrets, message } of mistakes) {
    it(`throws for ${what}, without naming a secret`, async () => {
      const error: unknown = await createIdentityServer({ ...good, secrets }).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toMatch(message)
      for (const secret of Object.values(secrets)) expect(String(error)).not.toContain(secret)
    })
  }

  it('takes a secret of all that a bearer field can have', async () => {
    const secret = 'AZaz09-._~+/AZaz09=='
    const app = await createIdentityServer({ ...good, secrets: { [CHECKOUT]: secret } })
    expect((await askForWit(app, secret)).response.statusCode).toBe(200)
    await app.close()
  })
})
