import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { type TrustDomainOptions, wimse, type WimseOptions } from 'fastify-wimse'
import { createAuthenticator, readTrustBundle, signRequest, type TrustEvent } from 'wimse'
import { createTestIdentityServer, goodRequest } from 'wimse-testkit'
import { sharedVectors } from '../machine.js'
import { createTestAuthority } from '../https/test-authority.js'
import { readVectors } from '../vectors/shared.js'
import { answering, startMoodyServer } from './moody-server.js'

const ORIGIN = 'https://inventory.example.com'
const authority = createTestAuthority()

async function serviceTrusting(
  options: TrustDomainOptions,
  origin = 'wimse://example.com',
  now?: () => number,
) {
  let log = ''
  const events: TrustEvent[] = []
  const app = Fastify({ logger: { level: 'debug', stream: { write: (line: string) => (log += line) } } })
  await app.register(wimse, {
    audience: ORIGIN,
    trustDomains: { [origin]: options },
    onTrustEvent: (event) => events.push(event),
    ...(now === undefined ? {} : { now }),
  })
  app.get('/', async () => 'ok')
  return { app, events, log: () => log }
}

describe('a service whose issuer starts after it', () => {
  it('starts within five seconds, answers 503 until the keys come, and then lets callers in', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const issuer = await startMoodyServer(authority)
    await issuer.stop()
    const { app, events, log } = await serviceTrusting({
      jwksUri: `${issuer.origin}/jwks`,
      ca: authority.ca,
      cooldown: 1,
      timeoutMs: 200,
    })
    const start = performance.now()
    await app.ready()
    expect(performance.now() - start).toBeLessThan(6000)
    expect(await app.wimse.ready()).toBe(false)
    const call = async (): Promise<[number, string]> => {
      const response = await app.inject(await goodRequest({ identityServer, url: `${ORIGIN}/` }))
      return [
        response.statusCode,
        response.statusCode === 200 ? 'ok' : response.json<{ code: string }>().code,
      ]
    }
    expect(await call()).toEqual([503, 'WIMSE_TRUST_UNAVAILABLE'])
    issuer.answer = answering(identityServer.jwks)
    await issuer.start()
    for (let attempt = 0; attempt < 100 && !(await app.wimse.ready()); attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(await call()).toEqual([200, 'ok'])
    expect(events.map(({ type, trustDomain }) => `${type} ${trustDomain}`)).toEqual(
      expect.arrayContaining([
        'failed wimse://example.com',
        'refreshed wimse://example.com',
        'key-added wimse://example.com',
      ]),
    )
    expect(log()).toContain('keys of a trust domain could not be refreshed')
    expect(log()).toContain('a trust domain has a new key')
    await Promise.all([app.close(), issuer.stop()])
  })
})

describe('unknown key ids', () => {
  it('ten thousand of them, in requests, cost the issuer one look', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const issuer = await startMoodyServer(authority)
    issuer.answer = answering(identityServer.jwks)
    const authenticator = createAuthenticator({
      audience: ORIGIN,
      trustDomains: { 'wimse://example.com': { jwksUri: `${issuer.origin}/jwks`, ca: authority.ca } },
    })
    await authenticator.ready()
    const { headers } = await goodRequest({ identityServer, url: `${ORIGIN}/` })
    const [wit, wpt] = [
      headers['workload-identity-token'] as string,
      headers['workload-proof-token'] as string,
    ]
    const [, payload, signature] = wit.split('.')
    const before = issuer.requests.length
    for (let id = 0; id < 10_000; id++) {
      const header = Buffer.from(
        JSON.stringify({ alg: 'ES256', typ: 'wit+jwt', kid: `unknown ${id}` }),
      ).toString('base64url')
      const tokens = { wit: `${header}.${payload}.${signature}`, wpt, path: '/' }
      const code = await authenticator.authenticate(tokens).catch((error: { code: string }) => error.code)
      if (code !== 'WIMSE_WIT_KEY') expect(code).toBe('WIMSE_WIT_KEY')
    }
    expect(issuer.requests.length - before).toBe(1)
    expect((await authenticator.authenticate({ wit, wpt, path: '/' })).id).toBe('wimse://example.com/caller')
    await Promise.all([authenticator.close(), issuer.stop()])
  })
})

describe('a token that is no good whatever key it names', () => {
  const NOON = 1_760_000_000
  const identityServer = createTestIdentityServer({ origin: 'spiffe://example.org' })

  async function outcomeFor(
    header: object,
    claims: object,
    more: TrustDomainOptions = {},
  ): Promise<{ code: string; looks: number }> {
    const bundle = readTrustBundle(identityServer.jwks)
    let looks = 0
    const authenticator = createAuthenticator({
      audience: ORIGIN,
      trustDomains: {
        'spiffe://example.org': {
          source: {
            bundleFor: () => bundle,
            refreshedFor: () => {
              looks++
              return bundle
            },
          },
          ...more,
        },
      },
      now: () => NOON,
    })
    const wit = [header, { sub: 'spiffe://example.org/a', exp: NOON + 60, cnf: {}, ...claims }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .concat(Buffer.alloc(64).toString('base64url'))
      .join('.')
    const code = await authenticator
      .authenticate({ wit, wpt: wit, path: '/' })
      .then(() => 'accepted')
      .catch((error: { code: string }) => error.code)
    await authenticator.close()
    return { code, looks }
  }

  const header = { alg: 'ES256', typ: 'wit+jwt', kid: 'unknown' }
  const rows: readonly (readonly [
    what: string,
    code: string,
    header: object,
    claims: object,
    more?: TrustDomainOptions,
  ])[] = [
    ['that has expired', 'WIMSE_WIT_EXPIRED', header, { exp: NOON - 60 }],
    ['without exp', 'WIMSE_WIT_LIFETIME', header, { exp: undefined }],
    ['that lasts too long', 'WIMSE_WIT_LIFETIME', header, { exp: NOON + 1e6 }],
    ['that is not valid yet', 'WIMSE_WIT_NOT_YET_VALID', header, { nbf: NOON + 30 }],
    ['of another issuer', 'WIMSE_WIT_ISSUER', header, { iss: 'b' }, { issuer: 'a' }],
    ['of another algorithm', 'WIMSE_WIT_ALGORITHM', header, {}, { algorithms: ['ES384'] }],
    ['with an aud, in a WIT-SVID', 'WIMSE_WIT_MALFORMED', header, { aud: 'x' }, { profile: 'wit-svid' }],
    [
      'without kid, in a WIT-SVID',
      'WIMSE_WIT_KEY',
      { ...header, kid: undefined },
      {},
      { profile: 'wit-svid' },
    ],
  ]
  for (const [what, code, ...token] of rows) {
    it(`${what} is refused before anybody looks for its key`, async () => {
      expect(await outcomeFor(...token)).toEqual({ code, looks: 0 })
    })
  }

  it('while its key is looked for where nothing else is wrong (the control)', async () => {
    expect(await outcomeFor(header, {})).toEqual({ code: 'WIMSE_WIT_KEY', looks: 1 })
  })
})

describe('a listener of trust events that fails', () => {
  type Trusting = Pick<WimseOptions, 'audience' | 'trustDomains' | 'onTrustEvent'>
  const listening: Readonly<Record<string, (options: Trusting) => Promise<() => Promise<unknown>>>> = {
    'createAuthenticator()': async (options) => {
      const authenticator = createAuthenticator(options)
      await authenticator.ready()
      return async () => authenticator.close()
    },
    'the plugin': async (options) => {
      const app = Fastify()
      await app.register(wimse, options)
      await app.ready()
      return async () => app.close()
    },
  }
  for (const [where, listen] of Object.entries(listening)) {
    it(`is no reason for a rejection that nobody handles: ${where}`, async () => {
      const unhandled: unknown[] = []
      const note = (error: unknown): void => void unhandled.push(error)
      process.on('unhandledRejection', note)
      const folder = mkdtempSync(join(tmpdir(), 'trust-'))
      const jwksFile = join(folder, 'jwks.json')
      const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
      writeFileSync(jwksFile, JSON.stringify(identityServer.jwks))
      let heard = 0
      const stop = await listen({
        audience: ORIGIN,
        trustDomains: { 'wimse://example.com': { jwksFile } },
        onTrustEvent: () => {
          heard++
          return Promise.reject(new Error('a bug of the listener')) as never
        },
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
      process.off('unhandledRejection', note)
      await stop()
      rmSync(folder, { recursive: true, force: true })
      expect([unhandled, heard > 0]).toEqual([[], true])
    })
  }
})

describe('a key file that is replaced while requests flow', () => {
  it('lets the callers of the new keys in, and those of the old no more', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trust-'))
    const jwksFile = join(folder, 'jwks.json')
    const [old, young] = [0, 1].map(() => createTestIdentityServer({ origin: 'wimse://example.com' })) as [
      ReturnType<typeof createTestIdentityServer>,
      ReturnType<typeof createTestIdentityServer>,
    ]
    writeFileSync(jwksFile, JSON.stringify(old.jwks))
    const { app, events } = await serviceTrusting({ jwksFile })
    const credentials = [await old.issue({ subject: '/old' }), await young.issue({ subject: '/young' })]
    const statuses = async (): Promise<number[]> =>
      Promise.all(
        credentials.map(async (credential) => {
          const headers = signRequest(credential, { url: `${ORIGIN}/` })
          return (await app.inject({ url: '/', headers })).statusCode
        }),
      )
    const untilThen: string[] = []
    expect(await statuses()).toEqual([200, 400])
    writeFileSync(`${jwksFile}.new`, JSON.stringify(young.jwks))
    renameSync(`${jwksFile}.new`, jwksFile)
    for (let round = 0; round < 1000 && untilThen.at(-1) !== '400,200'; round++) {
      untilThen.push(String(await statuses()))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    // The old keys until the new ones, and no moment with neither.
    expect(untilThen).not.toContain('400,400')
    expect(untilThen.at(-1)).toBe('400,200')
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['key-added', 'key-removed']))
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  })
})

describe("profile: 'wit-svid' (WIT-28)", () => {
  const spiffe = createTestIdentityServer({ origin: 'spiffe://example.org' })
  const svid = { ...spiffe.trustDomains['spiffe://example.org'], profile: 'wit-svid' } as const
  const codeFor = async (
    issue: Parameters<typeof spiffe.issue>[0],
    options: TrustDomainOptions = svid,
    server = spiffe,
  ): Promise<string> => {
    const { app } = await serviceTrusting(options, 'spiffe://example.org')
    const headers = signRequest(await server.issue(issue), { url: `${ORIGIN}/` })
    const response = await app.inject({ url: '/', headers })
    return response.statusCode === 200 ? 'let in' : response.json<{ code: string }>().code
  }

  it('takes a WIT-SVID (the control)', async () => {
    expect(await codeFor({ subject: '/ns/shop' })).toBe('let in')
    expect(await codeFor({ subject: '/ns/shop', algorithm: 'PS256' })).toBe('let in')
  })

  it('takes no EdDSA, for the token or its key, which the plain profile does', async () => {
    expect(await codeFor({ subject: '/ns/shop', algorithm: 'EdDSA' })).toBe('WIMSE_WIT_CONFIRMATION')
    expect(await codeFor({ subject: '/ns/shop', algorithm: 'EdDSA' }, { jwks: spiffe.jwks })).toBe('let in')
    const edwards = createTestIdentityServer({ origin: 'spiffe://example.org', algorithm: 'Ed25519' })
    expect(await codeFor({ subject: '/ns/shop' }, { jwks: edwards.jwks, profile: 'wit-svid' }, edwards)).toBe(
      'WIMSE_WIT_ALGORITHM',
    )
    expect(await codeFor({ subject: '/ns/shop' }, { jwks: edwards.jwks }, edwards)).toBe('let in')
  })

  it('needs a kid, which the plain profile does not where the key is unambiguous', async () => {
    const unnamed = createTestIdentityServer({ origin: 'spiffe://example.org' })
    delete (unnamed.issuerKey as { kid?: string }).kid
    expect(await codeFor({ subject: '/a' }, { jwks: unnamed.jwks, profile: 'wit-svid' }, unnamed)).toBe(
      'WIMSE_WIT_KEY',
    )
    expect(await codeFor({ subject: '/a' }, { jwks: unnamed.jwks }, unnamed)).toBe('let in')
  })

  it('is for spiffe:// alone', async () => {
    const { trustDomains } = createTestIdentityServer({ origin: 'wimse://example.com' })
    await expect(
      serviceTrusting({ ...trustDomains['wimse://example.com']!, profile: 'wit-svid' }),
    ).rejects.toThrow(/profile/)
    await expect(
      serviceTrusting({ ...svid, profile: 'svid' as 'wit' }, 'spiffe://example.org'),
    ).rejects.toThrow(/profile/)
  })

  it.skipIf(sharedVectors === null)(
    'reads the example of the SPIFFE standard as far as it goes without its unpublished key',
    async () => {
      const { wit } = readVectors<{ wit?: string; token?: string }>('official/spiffe-wit-svid.json', {})
      expect(wit).toBeTypeOf('string')
      const claims = JSON.parse(Buffer.from(wit!.split('.')[1]!, 'base64url').toString()) as {
        sub: string
        exp: number
      }
      const { app } = await serviceTrusting(
        svid,
        new URL(claims.sub.replace('spiffe:', 'https:')).host.replace(/^/, 'spiffe://'),
        () => claims.exp - 60,
      )
      const { headers } = await goodRequest({ identityServer: spiffe, url: `${ORIGIN}/` })
      const response = await app.inject({
        url: '/',
        headers: { ...headers, 'workload-identity-token': wit! },
      })
      expect(response.json()).toMatchObject({ code: 'WIMSE_WIT_KEY' })
    },
  )
})

describe('an aud in a WIT', () => {
  it('is refused in a WIT-SVID and ignored otherwise', async () => {
    const { SignJWT, importJWK } = await import('jose')
    const server = createTestIdentityServer({ origin: 'spiffe://example.org' })
    const good = await goodRequest({ identityServer: server, url: `${ORIGIN}/` })
    const [, payload] = (good.headers['workload-identity-token'] as string).split('.')
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Record<string, unknown>
    const wit = await new SignJWT({ ...claims, aud: 'x' })
      .setProtectedHeader({ alg: 'ES256', typ: 'wit+jwt', kid: server.issuerKey.kid! })
      .sign(await importJWK(server.issuerKey))
    const codes = await Promise.all(
      (['wit', 'wit-svid'] as const).map(async (profile) => {
        const { app } = await serviceTrusting({ jwks: server.jwks, profile }, 'spiffe://example.org')
        const response = await app.inject({
          url: '/',
          headers: { ...good.headers, 'workload-identity-token': wit },
        })
        return response.json<{ code: string }>().code
      }),
    )
    // The proof was made for the WIT without aud; in the plain profile that is all that is wrong.
    expect(codes).toEqual(['WIMSE_WPT_WIT_HASH', 'WIMSE_WIT_MALFORMED'])
  })
})
