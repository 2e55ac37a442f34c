import { createHash, randomBytes } from 'node:crypto'
import { CompactSign, importJWK, type JWK, type JWTHeaderParameters } from 'jose'
import { expect } from 'vitest'
import type { WimseOptions } from 'fastify-wimse'
import { generateTestKeyPair, type TestIdentityServer, type TestKeyPair } from 'wimse-testkit'
import { NOON, ORIGIN, type ServiceUnderTest, serviceUnderTest } from './service-under-test.js'

type Members = Readonly<Record<string, unknown>>
type Fields = Record<string, string | string[]>

/** In what a request differs from a good one; a member that is undefined is left out of its token. */
export interface Change {
  readonly witHeader?: Members
  readonly witClaims?: Members
  readonly witKey?: JWK
  readonly wptHeader?: Members
  readonly wptClaims?: Members
  readonly wptKey?: JWK
  /** Key pair of the workload. Default a new one for ES256. */
  readonly key?: TestKeyPair
  /** Last change to the finished token. */
  readonly wit?: (token: string) => string
  readonly wpt?: (token: string) => string
  /** Further fields, and changes to those made here. */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>
}

/** A request made without any code under test. */
export interface HandMade {
  readonly wit: string
  readonly wpt: string
  /** Its fields, the proof in its own. */
  readonly headers: Fields
}

/** base64url of the SHA-256, as all hashes of tokens are. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token, 'latin1').digest('base64url')
}

/** Makes the tokens of a request for `GET /stock`, at noon. */
export async function handMade(identityServer: TestIdentityServer, change: Change = {}): Promise<HandMade> {
  const { issuerKey, origin } = identityServer
  const { privateJwk, publicJwk } = change.key ?? generateTestKeyPair('ES256')
  const witHeader = { alg: issuerKey.alg, kid: issuerKey.kid, typ: 'wit+jwt', ...change.witHeader }
  const witClaims = {
    sub: `${origin}/caller`,
    cnf: { jwk: publicJwk },
    exp: NOON + 3600,
    ...change.witClaims,
  }
  const wit = (change.wit ?? same)(await sign(witHeader, witClaims, change.witKey ?? issuerKey))
  const wptHeader = { alg: privateJwk.alg, typ: 'wpt+jwt', ...change.wptHeader }
  const wptClaims = {
    aud: `${ORIGIN}/stock`,
    exp: NOON + 60,
    jti: randomBytes(16).toString('base64url'),
    wth: hashOf(wit),
    ...change.wptClaims,
  }
  const wpt = (change.wpt ?? same)(await sign(wptHeader, wptClaims, change.wptKey ?? privateJwk))
  const headers = { 'workload-identity-token': wit, 'workload-proof-token': wpt, ...change.headers }
  return { wit, wpt, headers: onlyDefined(headers) as Fields }
}

/** A service at noon whose one route, `GET /stock`, counts what reaches it. */
export interface CountingService extends ServiceUnderTest {
  /** `let in`, or status and code. A handler that ran although the request was refused fails the test. */
  readonly outcomeOf: (headers: Fields) => Promise<string>
  /** The same, for a request that differs from a good one. */
  readonly outcomeWith: (change?: Change) => Promise<string>
}

/** Starts one. Clocks agree unless the options say otherwise. */
export async function countingService(options: Partial<WimseOptions> = {}): Promise<CountingService> {
  const service = await serviceUnderTest({ clockTolerance: 0, ...options })
  let handled = 0
  service.app.get('/stock', async () => {
    handled++
    return {}
  })
  const outcomeOf = async (headers: Fields): Promise<string> => {
    const before = handled
    const response = await service.app.inject({ url: '/stock', headers })
    expect(handled).toBe(before + (response.statusCode === 200 ? 1 : 0))
    return response.statusCode === 200
      ? 'let in'
      : `${response.statusCode} ${response.json<{ code: string }>().code}`
  }
  return {
    ...service,
    outcomeOf,
    outcomeWith: async (change) => outcomeOf((await handMade(service.identityServer, change)).headers),
  }
}

async function sign(header: Members, claims: Members, key: JWK): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader(onlyDefined(header) as unknown as JWTHeaderParameters)
    .sign(await importJWK(key, (header['alg'] ?? key.alg) as string))
}

function onlyDefined(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

function same(token: string): string {
  return token
}
