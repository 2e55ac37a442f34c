import { createHash, randomBytes } from 'node:crypto'
import { CompactSign, importJWK, type JWK, type JWTHeaderParameters } from 'jose'
import type { AuthenticationErrorCode, Instant } from 'wimse'
import { generateTestKeyPair } from './key-pair.js'
import type { InjectRequest } from './signed-inject.js'
import type { TestIdentityServer } from './test-identity-server.js'

/** The good request that a fault spoils in one place. */
export interface GoodRequest {
  /** The identity server that the service under test trusts. */
  readonly identityServer: TestIdentityServer
  /** Absolute URL of a protected route, under one of the service's audiences. */
  readonly url: string
  /** Workload identifier of the caller, or a path in the trust domain. Default `/caller`. */
  readonly subject?: string
  /** Default `GET`. */
  readonly method?: InjectRequest['method']
  readonly headers?: Readonly<Record<string, string>>
  readonly payload?: string | object
}

/** A good request with exactly one thing broken. */
export interface Fault {
  /** What is broken, to follow "refuses when". */
  readonly name: string
  /** What the service has to answer under its default options. */
  readonly code: AuthenticationErrorCode
  readonly status: number
  /** Makes the broken request, for `app.inject`. */
  readonly request: (good: GoodRequest) => Promise<InjectRequest>
}

type Claims = Record<string, unknown>

/** Everything a request is made of, before it is signed; a fault changes one part. */
interface Parts {
  readonly now: number
  witHeader: Claims
  witClaims: Claims
  witKey: JWK
  wptHeader: Claims
  wptClaims: Claims
  wptKey: JWK
  headers: Record<string, string | string[]>
  /** Last changes to the finished tokens and fields. */
  finish: (headers: Record<string, string | string[]>) => void
}

interface Spec {
  readonly name: string
  readonly code: AuthenticationErrorCode
  readonly spoil: (parts: Parts) => void
}

const WIT = 'workload-identity-token'
const WPT = 'workload-proof-token'

const specs: readonly Spec[] = [
  fault(
    'the WIT is missing',
    'WIMSE_WIT_MISSING',
    finish((headers) => delete headers[WIT]),
  ),
  fault(
    'the WIT comes twice',
    'WIMSE_WIT_REPEATED',
    finish((headers) => (headers[WIT] = twice(headers[WIT]))),
  ),
  fault(
    'the proof is missing',
    'WIMSE_WPT_MISSING',
    finish((headers) => delete headers[WPT]),
  ),
  fault(
    'the proof comes twice',
    'WIMSE_WPT_REPEATED',
    finish((headers) => (headers[WPT] = twice(headers[WPT]))),
  ),

  fault(
    'the WIT is no JWT',
    'WIMSE_WIT_MALFORMED',
    finish((headers) => (headers[WIT] = 'not-a-jwt')),
  ),
  fault(
    'the WIT is padded',
    'WIMSE_WIT_MALFORMED',
    finish((headers) => (headers[WIT] = `${headers[WIT] as string}=`)),
  ),
  fault('the WIT demands an extension', 'WIMSE_WIT_CRITICAL', critical('witHeader')),
  fault('the WIT is an access token', 'WIMSE_WIT_TYPE', ({ witHeader }) => (witHeader['typ'] = 'at+jwt')),
  fault(
    'the WIT is not signed',
    'WIMSE_WIT_ALGORITHM',
    finish((headers) => (headers[WIT] = unsigned(headers[WIT]))),
  ),
  fault('the WIT has no subject', 'WIMSE_WIT_SUBJECT', ({ witClaims }) => delete witClaims['sub']),
  fault(
    'the subject has a port',
    'WIMSE_WIT_SUBJECT',
    ({ witClaims }) => (witClaims['sub'] = 'wimse://example.com:1/a'),
  ),
  fault('the trust domain is a stranger', 'WIMSE_WIT_TRUST_DOMAIN', ({ witClaims }) => {
    witClaims['sub'] = 'wimse://stranger.example/caller'
  }),
  fault('the key id is unknown', 'WIMSE_WIT_KEY', ({ witHeader }) => (witHeader['kid'] = 'unknown')),
  fault('the WIT is signed by a stranger', 'WIMSE_WIT_SIGNATURE', (parts) => {
    parts.witKey = generateTestKeyPair(parts.witKey.alg as 'ES256').privateJwk
  }),
  fault(
    'the WIT was changed after signing',
    'WIMSE_WIT_SIGNATURE',
    finish((headers) => (headers[WIT] = changed(headers[WIT]))),
  ),
  fault('the WIT has expired', 'WIMSE_WIT_EXPIRED', ({ witClaims, now }) => (witClaims['exp'] = now - 120)),
  fault(
    'the WIT is not valid yet',
    'WIMSE_WIT_NOT_YET_VALID',
    ({ witClaims, now }) => (witClaims['nbf'] = now + 120),
  ),
  fault('the WIT has no expiry', 'WIMSE_WIT_LIFETIME', ({ witClaims }) => delete witClaims['exp']),
  fault(
    'the WIT lives for ten years',
    'WIMSE_WIT_LIFETIME',
    ({ witClaims, now }) => (witClaims['exp'] = now + 315_360_000),
  ),
  fault('the WIT confirms no key', 'WIMSE_WIT_CONFIRMATION', ({ witClaims }) => delete witClaims['cnf']),
  fault('the WIT gives the private key away', 'WIMSE_WIT_CONFIRMATION', ({ witClaims, wptKey }) => {
    witClaims['cnf'] = { jwk: wptKey }
  }),

  fault(
    'the proof is no JWT',
    'WIMSE_WPT_MALFORMED',
    finish((headers) => (headers[WPT] = 'not-a-jwt')),
  ),
  fault('the proof demands an extension', 'WIMSE_WPT_CRITICAL', critical('wptHeader')),
  fault('the proof is a DPoP proof', 'WIMSE_WPT_TYPE', ({ wptHeader }) => (wptHeader['typ'] = 'dpop+jwt')),
  fault(
    'the WIT is shown as its own proof',
    'WIMSE_WPT_TYPE',
    finish((headers) => (headers[WPT] = headers[WIT]!)),
  ),
  fault(
    'the proof is not signed',
    'WIMSE_WPT_ALGORITHM',
    finish((headers) => (headers[WPT] = unsigned(headers[WPT]))),
  ),
  fault('the proof has expired', 'WIMSE_WPT_EXPIRED', ({ wptClaims, now }) => (wptClaims['exp'] = now - 120)),
  fault(
    'the proof is not valid yet',
    'WIMSE_WPT_NOT_YET_VALID',
    ({ wptClaims, now }) => (wptClaims['nbf'] = now + 120),
  ),
  fault('the proof has no expiry', 'WIMSE_WPT_LIFETIME', ({ wptClaims }) => delete wptClaims['exp']),
  fault(
    'the proof lives for an hour',
    'WIMSE_WPT_LIFETIME',
    ({ wptClaims, now }) => (wptClaims['exp'] = now + 3600),
  ),
  fault('the proof has no identifier', 'WIMSE_WPT_JTI', ({ wptClaims }) => delete wptClaims['jti']),
  fault('the proof is for another service', 'WIMSE_WPT_AUDIENCE', ({ wptClaims }) => {
    wptClaims['aud'] = 'https://other.example/'
  }),
  fault('the proof is for another path', 'WIMSE_WPT_AUDIENCE', ({ wptClaims }) => {
    wptClaims['aud'] = `${String(wptClaims['aud'])}-other`
  }),
  fault('the proof is for several services', 'WIMSE_WPT_AUDIENCE', ({ wptClaims }) => {
    wptClaims['aud'] = [wptClaims['aud'], 'https://other.example/']
  }),
  fault(
    'the proof is for another WIT',
    'WIMSE_WPT_WIT_HASH',
    ({ wptClaims }) => (wptClaims['wth'] = hashOf('another')),
  ),
  fault('an access token is not covered', 'WIMSE_WPT_ACCESS_TOKEN_HASH', ({ headers }) => {
    headers['authorization'] = 'Bearer an-access-token'
  }),
  fault('the covered access token was taken away', 'WIMSE_WPT_ACCESS_TOKEN_HASH', ({ wptClaims }) => {
    wptClaims['ath'] = hashOf('an-access-token')
  }),
  fault('a transaction token is not covered', 'WIMSE_WPT_TXN_TOKEN_HASH', ({ headers }) => {
    headers['txn-token'] = 'a-transaction-token'
  }),
  fault('another token was exchanged', 'WIMSE_WPT_OTHER_TOKEN_HASH', ({ headers, wptClaims }) => {
    headers['x-session-token'] = 'another-session'
    wptClaims['oth'] = { 'x-session-token': hashOf('a-session') }
  }),
  fault('the proof is signed with another key', 'WIMSE_WPT_SIGNATURE', (parts) => {
    parts.wptKey = generateTestKeyPair('ES256').privateJwk
  }),
  fault('the proof brings its own key', 'WIMSE_WPT_SIGNATURE', (parts) => {
    const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
    parts.wptKey = privateJwk
    parts.wptHeader['jwk'] = publicJwk
  }),
  fault(
    'the proof was changed after signing',
    'WIMSE_WPT_SIGNATURE',
    finish((headers) => (headers[WPT] = changed(headers[WPT]))),
  ),
]

/**
 * Good requests with exactly one thing broken, for testing one's own routes: each must be answered with
 * its status and code, and the handler must not run. Replay is not among them, since it takes two requests.
 */
export const faults: readonly Fault[] = specs.map(({ name, code, spoil }) => ({
  name,
  code,
  status: 400,
  request: (good: GoodRequest) => build(good, spoil),
}))

/** The good request itself: the control beside every fault. */
export async function goodRequest(good: GoodRequest): Promise<InjectRequest> {
  return build(good, () => undefined)
}

async function build(good: GoodRequest, spoil: (parts: Parts) => void): Promise<InjectRequest> {
  const { method = 'GET', payload, url } = good
  const { pathname, search } = new URL(url)
  const parts = goodParts(good)
  spoil(parts)
  const wit = await sign(parts.witHeader, parts.witClaims, parts.witKey)
  const wpt = await sign(parts.wptHeader, { wth: hashOf(wit), ...parts.wptClaims }, parts.wptKey)
  const headers: Record<string, string | string[]> = { ...parts.headers, [WIT]: wit, [WPT]: wpt }
  parts.finish(headers)
  return { method, url: pathname + search, headers, ...(payload === undefined ? {} : { payload }) }
}

function goodParts({ identityServer, url, subject = '/caller', headers = {} }: GoodRequest): Parts {
  const { origin, host, pathname } = new URL(url)
  const { issuerKey } = identityServer
  const now = Math.floor(readNow(identityServer.now))
  const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
  return {
    now,
    witHeader: { alg: issuerKey.alg, kid: issuerKey.kid, typ: 'wit+jwt' },
    witClaims: {
      sub: subject.startsWith('/') ? identityServer.origin + subject : subject,
      cnf: { jwk: publicJwk },
      exp: now + 3600,
    },
    witKey: issuerKey,
    wptHeader: { alg: 'ES256', typ: 'wpt+jwt' },
    wptClaims: { aud: origin + pathname, exp: now + 60, jti: randomBytes(16).toString('base64url') },
    wptKey: privateJwk,
    headers: { host, ...headers },
    finish: () => undefined,
  }
}

function readNow(now: Instant | undefined): number {
  return typeof now === 'function' ? now() : (now ?? Date.now() / 1000)
}

async function sign(header: Claims, claims: Claims, key: JWK): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify(claims))
  return new CompactSign(payload)
    .setProtectedHeader(header as JWTHeaderParameters)
    .sign(await importJWK(key, key.alg ?? 'ES256'), { crit: { extension: true } })
}

function fault(name: string, code: AuthenticationErrorCode, spoil: (parts: Parts) => void): Spec {
  return { name, code, spoil }
}

function finish(
  change: Parts['finish'] | ((headers: Record<string, string | string[]>) => unknown),
): Spec['spoil'] {
  return (parts) => {
    parts.finish = (headers) => void change(headers)
  }
}

function critical(part: 'witHeader' | 'wptHeader'): Spec['spoil'] {
  return (parts) => Object.assign(parts[part], { crit: ['extension'], extension: true })
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function twice(token: string | string[] | undefined): string[] {
  return [token as string, token as string]
}

/** The same token with `alg: none` and no signature. */
function unsigned(token: string | string[] | undefined): string {
  const [header, payload] = (token as string).split('.') as [string, string]
  const fields = JSON.parse(Buffer.from(header, 'base64url').toString()) as object
  return `${Buffer.from(JSON.stringify({ ...fields, alg: 'none' })).toString('base64url')}.${payload}.`
}

/** The same token with one claim more than was signed. */
function changed(token: string | string[] | undefined): string {
  const [header, payload, signature] = (token as string).split('.') as [string, string, string]
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  return `${header}.${Buffer.from(JSON.stringify({ ...claims, added: true })).toString('base64url')}.${signature}`
}
