// Compiled by somebody who has installed the packages, under their compiler. Each `@ts-expect-error` is also
// the proof that the types arrived at all: under `any` there would be no error to expect.
import Fastify, { type FastifyContextConfig, type FastifyInstance } from 'fastify'
import {
  AuthenticationError,
  memberOf,
  memoryReplayStore,
  redactPaths,
  under,
  wimse,
  type WimseOptions,
  type WimseRouteOptions,
  type Workload,
  workloadOf,
} from 'fastify-wimse'
import {
  createWorkloadFetch,
  staticCredentials,
  wimseClient,
  type WorkloadFetch,
  type WorkloadFetchOptions,
} from 'fastify-wimse-client'
import { createAuthenticator, importCredential, issueWit, signRequest } from 'wimse'
import { spiffeBundles, type SpiffeBundlesOptions, spiffeCredentials } from 'wimse-spiffe'
import { type Check, explain, type ExplainPolicy, webCrypto } from 'wimse/explain'
import { createTestIdentityServer, faults, fixedClock, goodRequest, signedInject } from 'wimse-testkit'

const called: WimseOptions = {
  audience: 'https://inventory.example.com',
  trustDomains: { 'wimse://example.com': { jwks: { keys: [] }, algorithms: ['ES256'] } },
  replay: memoryReplayStore({ maxEntries: 1000 }),
  allow: [memberOf('wimse://example.com'), under('wimse://example.com/shop')],
}

const calling: WorkloadFetchOptions = {
  credentials: staticCredentials({ wit: '…', key: { kty: 'EC', crv: 'P-256' } }),
  targets: ['https://inventory.example.com', { url: 'https://gateway.example.com/inventory' }],
}

export const told: SpiffeBundlesOptions = { onEvent: ({ trustDomain }) => trustDomain?.length }

export const fromSpiffe = (): readonly [WimseOptions, WorkloadFetchOptions] => [
  { ...called, trustDomains: { 'spiffe://example.org': { source: spiffeBundles(told) } } },
  // @ts-expect-error a hint is a text
  { ...calling, credentials: spiffeCredentials({ endpoint: 'unix:///run/agent.sock', hint: 7 }) },
]

export async function service(): Promise<FastifyInstance> {
  const app = Fastify({ logger: { redact: [...redactPaths] } })
  await app.register(wimse, called)
  await app.register(wimseClient, calling)

  const rule = {
    mode: 'required',
    allow: (workload, request) => workload.path === '/checkout' && request.method === 'GET',
  } satisfies WimseRouteOptions
  app.get('/stock/:sku', { config: { wimse: rule } }, async (request) => {
    const workload: Workload | null = request.workload
    // @ts-expect-error it is null on a route that is not protected
    const id: string = request.workload.id
    return { caller: workload?.id ?? id, certainly: workloadOf(request).id }
  })
  app.get('/healthz', { config: { wimse: false } }, async () => 'ok')
  // @ts-expect-error there is no such mode
  app.get('/misspelt', { config: { wimse: { mode: 'require' } } }, async () => 'ok')
  // @ts-expect-error `true` says nothing: protected is what a route is without it
  app.get('/meant-well', { config: { wimse: true } satisfies FastifyContextConfig }, async () => 'ok')
  // @ts-expect-error nobody reads this name
  const misspelt = { mode: 'required', alow: [] } satisfies WimseRouteOptions
  app.get('/misspelt-rule', { config: { wimse: misspelt } }, async () => 'ok')

  const ready: boolean = await app.wimse.ready()
  app.addHook('preHandler', async (request, reply) => app.verifyWorkload(request, reply))
  const workloadFetch: WorkloadFetch = ready ? app.workloadFetch : createWorkloadFetch(calling)
  const response: Response = await workloadFetch(new URL('https://inventory.example.com/stock/42'))
  app.log.info({ status: response.status })
  return app
}

export function codeOf(error: unknown): string {
  if (!(error instanceof AuthenticationError)) return 'another error'
  return error.code === 'WIMSE_WPT_REPLAYED' ? error.diagnostics.reason : error.code
}

export async function withoutFastify(): Promise<Workload> {
  const now = fixedClock(1_700_000_000)
  const server = createTestIdentityServer({ origin: 'wimse://example.com', now })
  const wit = await issueWit({
    issuerKey: server.issuerKey,
    subject: 'wimse://example.com/a',
    confirmationKey: {},
  })
  const credential = await importCredential({ wit, key: '-----BEGIN PRIVATE KEY-----' })
  const headers: Record<string, string> = signRequest(credential, { url: 'https://inventory.example.com/' })
  const { trustDomains } = server
  const authenticator = createAuthenticator({ audience: 'https://inventory.example.com', trustDomains, now })
  return authenticator.authenticate({ wit, wpt: headers['Workload-Proof-Token'] ?? '', path: '/' })
}

export async function explained(policy: ExplainPolicy): Promise<readonly Check[]> {
  const { verdict, checks } = await explain({ url: 'https://inventory.example.com/' }, policy, webCrypto())
  // @ts-expect-error: the two verdicts beside it are words, too
  const isAccepted: boolean = verdict
  return isAccepted ? [] : checks.filter(({ outcome }) => outcome === 'failed')
}

export async function underTest(app: FastifyInstance): Promise<readonly number[]> {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  const good = { identityServer, url: 'https://inventory.example.com/stock/42' }
  const credential = await identityServer.issue({ subject: '/checkout' })
  const signed = await signedInject(app, credential, { url: good.url })
  const accepted = await app.inject(await goodRequest(good))
  const refused = await Promise.all(faults.map(async (fault) => app.inject(await fault.request(good))))
  return [signed, accepted, ...refused].map(({ statusCode }) => statusCode)
}
