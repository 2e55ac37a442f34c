import { createHash, createPrivateKey, sign as signBytes } from 'node:crypto'
import Fastify from 'fastify'
import { importJWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { type WimseOptions, wimse } from 'fastify-wimse'
import { type AlgorithmName, signRequest } from 'wimse'
import { createTestIdentityServer, generateTestKeyPair } from 'wimse-testkit'
import { rawRequest } from './raw-request.js'
import { ORIGIN, serviceUnderTest } from './service-under-test.js'

const DERIVE = { interop: { confirmationAlgorithm: 'derive' } } satisfies Partial<WimseOptions>
const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe("interop: { confirmationAlgorithm: 'derive' } (WIT-18, WPT-04)", () => {
  /** Sends a proof named `proofAlg` under a WIT whose confirmation key does not say its algorithm. */
  async function outcomeOf(
    keyAlg: AlgorithmName,
    proofAlg: string,
    options: Partial<WimseOptions>,
  ): Promise<string> {
    const { app, identityServer, clock } = await serviceUnderTest(options)
    app.get('/', async () => 'let in')
    const { privateJwk, publicJwk } = generateTestKeyPair(keyAlg)
    const { alg: _alg, ...jwk } = publicJwk
    const wit = await new SignJWT({ sub: 'wimse://example.com/a', cnf: { jwk }, exp: clock() + 600 })
      .setProtectedHeader({ alg: 'ES256', typ: 'wit+jwt', kid: identityServer.issuerKey.kid! })
      .sign(await importJWK(identityServer.issuerKey))
    const claims = {
      aud: `${ORIGIN}/`,
      exp: clock() + 60,
      jti: 'one',
      wth: createHash('sha256').update(wit).digest('base64url'),
    }
    const input = `${base64url({ alg: proofAlg, typ: 'wpt+jwt' })}.${base64url(claims)}`
    const key = createPrivateKey({ key: privateJwk as never, format: 'jwk' })
    const digest = keyAlg.startsWith('Ed') ? null : `sha${keyAlg.slice(2)}`
    const signature = signBytes(digest, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    )
    const headers = { 'workload-identity-token': wit, 'workload-proof-token': `${input}.${signature}` }
    const response = await app.inject({ url: '/', headers })
    return response.statusCode === 200 ? response.body : response.json<{ code: string }>().code
  }

  const rows: readonly (readonly [key: AlgorithmName, proof: string, outcome: string])[] = [
    ['ES256', 'ES256', 'let in'],
    ['ES384', 'ES384', 'let in'],
    ['ES512', 'ES512', 'let in'],
    ['Ed25519', 'Ed25519', 'let in'],
    ['Ed25519', 'EdDSA', 'let in'],
    ['RS256', 'RS256', 'let in'],
    ['ES256', 'ES384', 'WIMSE_WPT_ALGORITHM'],
    ['RS256', 'PS256', 'WIMSE_WPT_ALGORITHM'],
    ['RS256', 'RS512', 'WIMSE_WPT_ALGORITHM'],
    ['ES256', 'none', 'WIMSE_WPT_ALGORITHM'],
    ['ES256', 'HS256', 'WIMSE_WPT_ALGORITHM'],
  ]
  for (const [key, proof, outcome] of rows) {
    it(`a key for ${key} that does not say so, and a proof that says ${proof}: ${outcome}`, async () => {
      expect(await outcomeOf(key, proof, DERIVE)).toBe(outcome)
    })
  }

  it('is off unless asked for', async () => {
    expect(await outcomeOf('ES256', 'ES256', {})).toBe('WIMSE_WIT_CONFIRMATION')
    expect(await outcomeOf('ES256', 'ES256', { interop: {} })).toBe('WIMSE_WIT_CONFIRMATION')
  })

  it('does not reach beyond the algorithms that are accepted', async () => {
    expect(await outcomeOf('ES384', 'ES384', { ...DERIVE, algorithms: ['ES256'] })).toBe(
      'WIMSE_WIT_CONFIRMATION',
    )
    expect(await outcomeOf('Ed25519', 'EdDSA', { ...DERIVE, algorithms: ['ES256', 'Ed25519'] })).toBe(
      'WIMSE_WPT_ALGORITHM',
    )
  })
})

describe('tokens as long as meshes send them (NODE-02)', () => {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  const start = async (
    maxHeaderSize: number | undefined,
    options: Partial<WimseOptions>,
  ): Promise<{ port: number; warned: boolean; close(): Promise<void> }> => {
    let log = ''
    const app = Fastify({
      ...(maxHeaderSize === undefined ? {} : { http: { maxHeaderSize } }),
      forceCloseConnections: true,
      logger: { stream: { write: (line: string) => (log += line) } },
    })
    await app.register(wimse, { audience: ORIGIN, trustDomains: identityServer.trustDomains, ...options })
    app.get('/', async () => 'let in')
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as { port: number }
    return { port, warned: log.includes('http.maxHeaderSize'), close: async () => app.close() }
  }

  it('an identity token of 11 kB beside an access token of 11 kB, once http.maxHeaderSize allows', async () => {
    const credential = await identityServer.issue({ subject: '/mesh', claims: { x5c: ['A'.repeat(8000)] } })
    expect(credential.wit.length).toBeGreaterThan(11_000)
    const authorization = `Bearer ${'a'.repeat(11_000)}`
    const statusAt = async (port: number): Promise<number> => {
      const headers = {
        authorization,
        ...signRequest(credential, { url: `${ORIGIN}/`, headers: { authorization } }),
      }
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
      return (await rawRequest(port, ['GET / HTTP/1.1', 'Host: a', ...fields])).status
    }
    const [large, small] = [await start(32_768, {}), await start(undefined, {})]
    expect([await statusAt(large.port), await statusAt(small.port)]).toEqual([200, 431])
    await Promise.all([large.close(), small.close()])
  })

  for (const [what, maxHeaderSize, options, warned] of [
    ['says nothing where none are expected', undefined, {}, false],
    ['warns where a mesh is expected and there is no room', undefined, DERIVE, true],
    ['says nothing where there is room', 32_768, DERIVE, false],
    ['warns where maxTokenBytes is set beyond the room', undefined, { maxTokenBytes: 16_384 }, true],
    ['says nothing where maxTokenBytes fits', undefined, { maxTokenBytes: 8192 }, false],
  ] as const) {
    it(`the start-up log ${what}`, async () => {
      const service = await start(maxHeaderSize, options)
      expect(service.warned).toBe(warned)
      await service.close()
    })
  }
})
