import Fastify, { type FastifyInstance } from 'fastify'
import { importJWK, SignJWT } from 'jose'
import { type WimseOptions, type WimseRouteOptions, wimse } from 'fastify-wimse'
import { type Credential, signRequest } from 'wimse'
import {
  createTestIdentityServer,
  type FixedClock,
  fixedClock,
  generateTestKeyPair,
  type TestIdentityServer,
} from 'wimse-testkit'

/** Where the service is reached. */
export const ORIGIN = 'https://inventory.example.com'
/** A moment for tests to happen at: epoch seconds. */
export const NOON = 1_760_000_000

/** The issuer of bearer tokens, and what it signs. */
export interface BearerIssuer {
  readonly jwks: { keys: object[] }
  token(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

/** Makes an issuer with a key of its own. */
export async function createBearerIssuer(
  clock: FixedClock,
  issuer = 'https://login.example.com',
): Promise<BearerIssuer> {
  const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
  const key = await importJWK(privateJwk)
  return {
    jwks: { keys: [{ ...publicJwk, kid: 'login' }] },
    token: async (claims, header = {}) =>
      new SignJWT({ iss: issuer, aud: ORIGIN, exp: clock() + 600, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'login', typ: 'at+jwt', ...header })
        .sign(key),
  }
}

/** A service whose callers are on the way from bearer tokens to WITs. */
export interface MovingService {
  readonly app: FastifyInstance
  readonly clock: FixedClock
  readonly identityServer: TestIdentityServer
  readonly issuer: BearerIssuer
  /** How many requests reached a handler. */
  readonly handled: () => number
  readonly log: () => readonly Record<string, unknown>[]
  /** Header fields of a request with a WIT and a proof. */
  readonly proof: (
    credential: Credential,
    path?: string,
    headers?: Record<string, string>,
  ) => Record<string, string>
  /** A bearer token of a workload: `/checkout`. */
  readonly bearer: (path: string, claims?: Record<string, unknown>) => Promise<string>
  readonly send: (
    headers: Record<string, string | string[]>,
    path?: string,
  ) => Promise<{ status: number; code: string | null; headers: Record<string, unknown> }>
}

/** Starts one with a route in each mode, `/required`, `/transition`, `/bearer` and `/off`, and those given. */
export async function movingService(
  options: Partial<WimseOptions> = {},
  routes: Readonly<Record<string, WimseRouteOptions>> = {},
): Promise<MovingService> {
  const clock = fixedClock(NOON)
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })
  const issuer = await createBearerIssuer(clock)
  const lines: string[] = []
  let handled = 0
  const app = Fastify({
    logger: { level: 'trace', stream: { write: (line: string) => void lines.push(line) } },
  })
  await app.register(wimse, {
    audience: ORIGIN,
    trustDomains: identityServer.trustDomains,
    bearer: {
      issuer: 'https://login.example.com',
      audience: ORIGIN,
      jwks: issuer.jwks,
      identify: ({ sub }) => (typeof sub === 'string' ? `wimse://example.com/${sub}` : null),
    },
    now: clock,
    ...options,
  })
  const modes = {
    '/required': { mode: 'required' },
    '/transition': { mode: 'transition' },
    '/bearer': { mode: 'bearer' },
    '/off': { mode: 'off' },
  } as const
  for (const [url, config] of Object.entries<WimseRouteOptions>({ ...modes, ...routes })) {
    app.get(url, { config: { wimse: config } }, async (request) => {
      handled++
      return { caller: request.workload?.id ?? null, via: request.workload?.via ?? null }
    })
  }
  return {
    app,
    clock,
    identityServer,
    issuer,
    handled: () => handled,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    proof: (credential, path = '/transition', headers = {}) =>
      signRequest(credential, { url: ORIGIN + path, headers, now: clock }),
    bearer: async (path, claims = {}) => `Bearer ${await issuer.token({ sub: path.slice(1), ...claims })}`,
    async send(headers, path = '/transition') {
      const response = await app.inject({ url: path, headers })
      const body = response.body === '' ? {} : response.json<{ code?: string }>()
      return { status: response.statusCode, code: body.code ?? null, headers: response.headers }
    },
  }
}
