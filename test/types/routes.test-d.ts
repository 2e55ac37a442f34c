// What a service's compiler tells its author about routes and requests.
import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
} from 'fastify'
import wimseByDefault, {
  memberOf,
  type WimseAllowRule,
  type WimseControl,
  type WimseMode,
  type WimseOptions,
  type WimseRouteOptions,
  wimse,
  type Workload,
  workloadOf,
} from 'fastify-wimse'
import { wimseClient, type WorkloadFetch, type WorkloadFetchOptions } from 'fastify-wimse-client'

export function aHandlerMayHaveNoWorkload(request: FastifyRequest): void {
  request.workload satisfies Workload | null
  request.workload?.id satisfies string | undefined
  workloadOf(request).id satisfies string
  // @ts-expect-error it is null on a route that is not protected
  request.workload satisfies Workload
  // @ts-expect-error it is null on a route that is not protected
  request.workload.id satisfies string
  // @ts-expect-error who is calling is not for a handler to say
  request.workload = null
}

export function aRouteSaysWhatItAsksForOrFalse(): void {
  ;({ wimse: {} }) satisfies FastifyContextConfig
  ;({ wimse: false }) satisfies FastifyContextConfig
  ;({ wimse: { mode: 'required', allow: 'wimse://example.com/a' } }) satisfies FastifyContextConfig
  // @ts-expect-error `true` says nothing: protected is what a route is without it
  ;({ wimse: true }) satisfies FastifyContextConfig
  // @ts-expect-error a mode stands in an object
  ;({ wimse: 'off' }) satisfies FastifyContextConfig
  // @ts-expect-error only false switches off
  ;({ wimse: null }) satisfies FastifyContextConfig
}

export function aRouteRuleHasNoOtherNames(): void {
  ;({ mode: 'off' }) satisfies WimseRouteOptions
  // @ts-expect-error there is no such mode
  ;({ mode: 'optional' }) satisfies WimseRouteOptions
  // @ts-expect-error a misspelt limit would silently be no limit
  ;({ mode: 'required', alow: ['wimse://example.com/a'] }) satisfies WimseRouteOptions
  // @ts-expect-error the audience belongs to the service
  ;({ audience: 'https://inventory.example.com' }) satisfies WimseRouteOptions
  // @ts-expect-error there is no such mode
  'optional' satisfies WimseMode
}

export function aMisspeltModeIsFoundInTheRouteItself(app: FastifyInstance): void {
  app.get('/', { config: { wimse: { mode: 'off' } } }, async () => 'ok')
  // @ts-expect-error there is no such mode
  app.get('/', { config: { wimse: { mode: 'of' } } }, async () => 'ok')
  // @ts-expect-error `true` says nothing: protected is what a route is without it
  app.get('/', { config: { wimse: true } }, async () => 'ok')
  // @ts-expect-error a mode stands in an object
  app.get('/', { config: { wimse: 'off' } }, async () => 'ok')
  app.route({ method: 'GET', url: '/', config: { wimse: { mode: 'off' } }, handler: async () => 'ok' })
  // @ts-expect-error there is no such mode
  app.route({ method: 'GET', url: '/', config: { wimse: { mode: 'of' } }, handler: async () => 'ok' })
}

export function aRuleIsGivenTheWorkloadAndTheRequest(): void {
  'wimse://example.com/a' satisfies WimseAllowRule
  ;['wimse://example.com/a', memberOf('wimse://example.com')] satisfies WimseAllowRule
  ;((workload, request) => workload.path === '/a' && request.method === 'GET') satisfies WimseAllowRule
  ;(async (workload) => workload.via === 'wit') satisfies WimseAllowRule
  // @ts-expect-error only a boolean decides
  ;((workload) => workload.path) satisfies WimseAllowRule
  // @ts-expect-error patterns are not rules: nothing says how much of the identifier they have to match
  ;/example/ satisfies WimseAllowRule
}

export function bothNamesAreThePluginAndTypedByItsOptions(): void {
  wimse satisfies FastifyPluginAsync<WimseOptions>
  wimseByDefault satisfies typeof wimse
  wimseClient satisfies FastifyPluginAsync<WorkloadFetchOptions>
}

export async function aServiceHasWhatThePluginsAddToIt(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  app.wimse satisfies WimseControl
  app.workloadFetch satisfies WorkloadFetch
  ;(await app.wimse.ready()) satisfies boolean
  ;(await app.workloadFetch('https://inventory.example.com/')) satisfies Response
  await app.verifyWorkload(request, reply)
  // @ts-expect-error it throws or it does not; the workload is on the request
  ;(await app.verifyWorkload(request, reply)) satisfies Workload
}
