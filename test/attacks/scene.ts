import Fastify, { type FastifyInstance } from 'fastify'
import { redactPaths, under, wimse, type WimseOptions } from 'fastify-wimse'
import {
  createTestIdentityServer,
  type FixedClock,
  fixedClock,
  generateTestKeyPair,
  type TestIdentityServer,
  type TestKeyPair,
} from 'wimse-testkit'
import { type Change, type HandMade, handMade } from '../fastify/hand-made.js'
import { NOON, ORIGIN } from '../fastify/service-under-test.js'
import { type BearerIssuer, createBearerIssuer } from '../transition/moving-service.js'
import type { Request, Sent, ServiceName } from './attack.js'

export { NOON, ORIGIN }

/** Who takes part in an attack besides the service: all of them are trusted by it in some way. */
export interface Scene {
  readonly clock: FixedClock
  /** Of `wimse://example.com`, which signs with ES256. */
  readonly identityServer: TestIdentityServer
  /** Of `wimse://partner.example`, trusted as well. */
  readonly partner: TestIdentityServer
  /** Of `spiffe://example.com`, trusted as well, with a key of its own. */
  readonly spiffe: TestIdentityServer
  /** Of `wimse://rsa.example`, which signs with RS256, and of `wimse://ed.example`, with Ed25519. */
  readonly rsa: TestIdentityServer
  readonly ed: TestIdentityServer
  /** Signs access tokens. */
  readonly issuer: BearerIssuer
  /** Of the good caller, and for the attacker. */
  readonly key: TestKeyPair
  readonly attackerKey: TestKeyPair
  /** The tokens of a request of the good caller, but for the change. */
  readonly tokens: (change?: Change, identityServer?: TestIdentityServer) => Promise<HandMade>
  /** Sends a good request ahead of the attack. Rejects when it is not let in. */
  readonly spend: (sent: Sent) => Promise<void>
}

/** A service that listens, and what can be seen from within. */
export interface AttackedService {
  readonly app: FastifyInstance
  readonly port: number
  readonly handled: () => number
  /** What was logged since it was last asked. */
  readonly takeLog: () => string
}

const caller = 'wimse://example.com/caller'

/** Makes everyone but the services. */
export async function createScene(spendAt: (sent: Sent) => Promise<void>): Promise<Scene> {
  const clock = fixedClock(NOON)
  const serve = (origin: string, algorithm?: 'RS256' | 'Ed25519'): TestIdentityServer =>
    createTestIdentityServer({ origin, now: clock, ...(algorithm === undefined ? {} : { algorithm }) })
  const identityServer = serve('wimse://example.com')
  const key = generateTestKeyPair('ES256')
  return {
    clock,
    identityServer,
    partner: serve('wimse://partner.example'),
    spiffe: serve('spiffe://example.com'),
    rsa: serve('wimse://rsa.example', 'RS256'),
    ed: serve('wimse://ed.example', 'Ed25519'),
    issuer: await createBearerIssuer(clock),
    key,
    attackerKey: generateTestKeyPair('ES256'),
    tokens: async (change = {}, from = identityServer) =>
      handMade(from, {
        key,
        ...change,
        witClaims: { exp: clock() + 3600, ...change.witClaims },
        wptClaims: { exp: clock() + 240, ...change.wptClaims },
      }),
    spend: spendAt,
  }
}

/**
 * Starts the service of a name, which logs as `docs/operations.md` has it. Every route counts who reaches it.
 *
 * @param redact what it leaves out of its log
 */
export async function startAttackedService(
  name: ServiceName,
  scene: Scene,
  redact: string[] = redactPaths,
): Promise<AttackedService> {
  let handled = 0
  let lines: string[] = []
  const logger = { level: 'trace', redact, stream: { write: (line: string) => void lines.push(line) } }
  const app = (
    name === 'h2c' ? Fastify({ logger, http2: true }) : Fastify({ logger, forceCloseConnections: true })
  ) as FastifyInstance
  await app.register(wimse, optionsOf(name, scene))
  const handler = async (): Promise<string> => {
    handled++
    return 'reached'
  }
  app.all('/shop', { config: { wimse: { allow: [under('wimse://example.com/shop')] } } }, handler)
  app.all('/admin', { config: { wimse: { allow: ['wimse://example.com/admin'] } } }, handler)
  app.all('/*', handler)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return {
    app,
    port,
    handled: () => handled,
    takeLog: () => {
      const text = lines.join('')
      lines = []
      return text
    },
  }
}

function optionsOf(name: ServiceName, scene: Scene): WimseOptions {
  const { identityServer, partner, spiffe, rsa, ed, issuer, clock } = scene
  const trustDomains = Object.assign(
    {},
    ...[identityServer, partner, spiffe, rsa, ed].map((server) => server.trustDomains),
  ) as WimseOptions['trustDomains']
  const bearer: WimseOptions['bearer'] = {
    issuer: 'https://login.example.com',
    audience: ORIGIN,
    jwks: issuer.jwks,
    identify: ({ sub }) => (typeof sub === 'string' ? sub : null),
  }
  const special: Readonly<Record<ServiceName, Partial<WimseOptions>>> = {
    plain: {},
    h2c: {},
    'both revisions': { revisions: ['wpt-01', 'wpt-02'] },
    'wpt-02': { revisions: ['wpt-02'] },
    transition: {
      mode: 'transition',
      revisions: ['wpt-01', 'wpt-02'],
      bearer,
      transition: { upgraded: [caller] },
    },
    bearer: { mode: 'bearer', bearer },
    'other tokens': { otherTokens: ['x-session-token'] },
    gateway: { audience: { origins: [ORIGIN], pathPrefix: { add: '/inventory' } } },
  }
  return { audience: ORIGIN, trustDomains, now: clock, clockTolerance: 0, ...special[name] }
}

/** A request that every service but for its peculiarities lets in. */
export async function goodRequestFor(name: ServiceName, scene: Scene): Promise<Sent> {
  if (name === 'gateway') {
    return get(fieldsOf(await scene.tokens({ wptClaims: { aud: `${ORIGIN}/inventory/stock` } })))
  }
  if (name === 'bearer') {
    const sub = 'wimse://example.com/old'
    return get([`Authorization: Bearer ${await scene.issuer.token({ sub })}`])
  }
  const tokens = await scene.tokens()
  if (name === 'wpt-02') return get(authorizationOf(tokens))
  return name === 'h2c' ? http2(tokens) : get(fieldsOf(tokens))
}

/** The bytes of a GET request. */
export function get(
  fields: readonly string[],
  target = '/stock',
  host = 'Host: inventory.example.com',
): string {
  return [`GET ${target} HTTP/1.1`, host, ...fields, 'Connection: close', '', ''].join('\r\n')
}

interface Tokens {
  readonly wit: string
  readonly wpt: string
}

/** The fields of the two tokens, the proof in its own. */
export function fieldsOf({ wit, wpt }: Tokens): [wit: string, wpt: string] {
  return [`Workload-Identity-Token: ${wit}`, `Workload-Proof-Token: ${wpt}`]
}

/** The fields of the two tokens, the proof in `Authorization`. */
export function authorizationOf({ wit, wpt }: Tokens): [wit: string, authorization: string] {
  return [`Workload-Identity-Token: ${wit}`, `Authorization: WPT ${wpt}`]
}

/** A good request of a caller with tokens that differ as a change says, and with more fields. */
export function goodWith(
  change: Change | ((scene: Scene) => Change) = {},
  target = '/stock',
  more: readonly string[] = [],
): Request {
  return async (scene) => {
    const { wptClaims, ...others } = typeof change === 'function' ? change(scene) : change
    const aud = `${ORIGIN}${target}`
    return get(
      [...fieldsOf(await scene.tokens({ ...others, wptClaims: { aud, ...wptClaims } })), ...more],
      target,
    )
  }
}

/** The fields of an HTTP/2 request. */
export function http2({ wit, wpt }: Tokens): (readonly [string, string])[] {
  return [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'inventory.example.com'],
    [':path', '/stock'],
    ['workload-identity-token', wit],
    ['workload-proof-token', wpt],
  ]
}
