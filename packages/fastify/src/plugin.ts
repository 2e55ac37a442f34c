import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
} from 'fastify'
import fp from 'fastify-plugin'
import {
  AUTHENTICATOR_OPTIONS,
  admit,
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  refuseUnknownOptions,
  type Workload,
} from 'wimse'
import { type DenyOptions, deny, isRefusal } from './deny.js'
import { existingScopes } from './encapsulation.js'
import { readPresentedTokens, stripTokens } from './presented-tokens.js'
import {
  type RoutePolicy,
  readRoutePolicy,
  readScopePolicy,
  type WimseAllowRule,
  type WimseMode,
  type WimseRouteOptions,
} from './route-config.js'

/** Options of the plugin: those of `createAuthenticator`, and how routes and refusals are treated. */
export interface WimseOptions extends AuthenticatorOptions {
  /** For routes that say nothing. Default `'required'`. */
  readonly mode?: WimseMode
  /** For routes that say nothing. Default any workload of a configured trust domain. */
  readonly allow?: WimseAllowRule
  /** Removes WIT and proof from the request's headers once they are verified. Default true. */
  readonly stripTokens?: boolean
  /** Base of the problem `type`. Default `urn:wimse:problem:`. */
  readonly problemTypeBase?: string
  /** `'reply'` answers in the hook, `'throw'` hands the error to the application. Default `'reply'`. */
  readonly onDenied?: 'reply' | 'throw'
}

/** What the plugin tells about itself, as `app.wimse`. */
export interface WimseControl {
  /** True once the keys of every trust domain are there. For a readiness probe; never rejects. */
  ready(): Promise<boolean>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling; null on routes that are not protected. */
    workload: Workload | null
  }
  interface FastifyContextConfig {
    /** What this route asks of its callers; `false` asks nothing. */
    wimse?: false | WimseRouteOptions
  }
  interface FastifyInstance {
    wimse: WimseControl
    /**
     * Does what the hook does, as a function that throws, and reuses its result within a request. Never
     * combine it with a bearer check by OR: whoever fails here could then come in there.
     */
    verifyWorkload(request: FastifyRequest, reply: FastifyReply): Promise<void>
  }
}

/** One registration: it governs the routes of its scope, unless a nested registration does. */
interface Guard {
  readonly authenticator: Authenticator
  readonly scope: RoutePolicy
  readonly strip: boolean
  readonly deny: DenyOptions
  /** Configurations of routes that have been reported as not in force. */
  readonly reported: WeakSet<object>
}

const kGuard = Symbol('fastify-wimse.guard')
const kPolicy = Symbol('fastify-wimse.policy')
const kVerified = Symbol('fastify-wimse.verified')

const PLUGIN_OPTIONS: readonly (keyof WimseOptions)[] = [
  'mode',
  'allow',
  'stripTokens',
  'problemTypeBase',
  'onDenied',
]

const register: FastifyPluginAsync<WimseOptions> = async (app, options) => {
  if (Object.hasOwn(app, 'wimse')) throw new Error('fastify-wimse is already registered in this scope')
  const guard = createGuard(options)
  const unprotected: string[] = []

  if (!app.hasRequestDecorator('workload')) {
    app.decorateRequest('workload', null)
    app.decorateRequest(kVerified, null)
  }
  app.decorate('wimse', createControl(guard))
  app.decorate('verifyWorkload', async (request: FastifyRequest, reply: FastifyReply) => {
    const governing = guardOf(request.server) ?? guard
    await admitOrDeny(request, reply, governing, { ...governing.deny, onDenied: 'throw' })
  })

  const replaced = guardOf(app)
  const older = existingScopes(app).filter((scope) => guardOf(scope) === replaced)
  for (const scope of [app, ...older]) govern(scope)

  app.addHook('onReady', async () => {
    if (unprotected.length > 0)
      app.log.warn({ unprotectedRoutes: unprotected }, 'routes without workload authentication')
    // Not a reason to stay down: requests are answered with 503 until the keys are there.
    await guard.authenticator.ready().catch((err: unknown) => {
      app.log.error({ err }, 'fastify-wimse: the keys of a trust domain are not there yet')
    })
  })
  app.addHook('onClose', async () => guard.authenticator.close())
  logDangerousOptions(app, options)

  function govern(scope: FastifyInstance): void {
    setGuard(scope, guard)
    scope.addHook('onRegister', (child) => setGuard(child, guard))
    scope.addHook('onRoute', function (this: FastifyInstance, route) {
      if (guardOf(this) !== guard) return
      const policy = readRoutePolicy(route.config?.wimse, guard.scope)
      route.config = Object.assign({}, route.config, { [kPolicy]: { guard, policy } })
      if (policy.mode === 'off') unprotected.push(`${[route.method].flat().join(',')} ${route.url}`)
    })
    scope.addHook('onRequest', async (request, reply) => {
      if (guardOf(request.server) !== guard || policyOf(request, guard).mode === 'off') return undefined
      return admitOrDeny(request, reply, guard, guard.deny)
    })
    scope.addHook('onSend', (request, reply, payload, done) => {
      if (guardOf(request.server) === guard && policyOf(request, guard).mode !== 'off') addVary(reply)
      done(null, payload)
    })
  }
}

/**
 * Protects every route of the scope it is registered in: a request reaches its handler only when the
 * workload that sent it has shown who it is, before a byte of its body is read. The handler finds it in
 * `request.workload`.
 *
 * Method, query, body and response are not covered by a proof. `Host` plays no part.
 *
 * @throws TypeError at registration, naming the option that is wrong or missing
 */
export const wimse: FastifyPluginAsync<WimseOptions> = fp(register, { fastify: '5.x', name: 'fastify-wimse' })

/**
 * Gives the workload that sent this request, for handlers of protected routes.
 *
 * @throws Error on a route that is not protected
 */
export function workloadOf(request: FastifyRequest): Workload {
  if (request.workload !== null) return request.workload
  throw new Error('this route is not protected by fastify-wimse, so no workload is known')
}

function createGuard(options: WimseOptions): Guard {
  refuseUnknownOptions('fastify-wimse', options, [...PLUGIN_OPTIONS, ...AUTHENTICATOR_OPTIONS])
  const {
    mode,
    allow,
    stripTokens: strip = true,
    problemTypeBase = 'urn:wimse:problem:',
    onDenied = 'reply',
  } = options
  if (typeof strip !== 'boolean') throw new TypeError('option stripTokens must be a boolean')
  if (typeof problemTypeBase !== 'string' || !/^[a-z][a-z0-9+.-]*:[\x21-\x7e]*$/i.test(problemTypeBase)) {
    throw new TypeError('option problemTypeBase must be an absolute URI')
  }
  if (onDenied !== 'reply' && onDenied !== 'throw')
    throw new TypeError("option onDenied must be 'reply' or 'throw'")
  const forCore = Object.entries(options).filter(
    ([name]) => !(PLUGIN_OPTIONS as readonly string[]).includes(name),
  )
  return {
    authenticator: createAuthenticator(Object.fromEntries(forCore) as unknown as AuthenticatorOptions),
    scope: readScopePolicy(mode, allow),
    strip,
    deny: { problemTypeBase, onDenied },
    reported: new WeakSet(),
  }
}

function createControl({ authenticator }: Guard): WimseControl {
  return {
    ready: async () =>
      authenticator.ready().then(
        () => true,
        () => false,
      ),
  }
}

/** @returns the reply when the request was refused and answered */
async function admitOrDeny(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
  options: DenyOptions,
): Promise<FastifyReply | undefined> {
  try {
    await verified(request, guard)
    return undefined
  } catch (error) {
    if (!isRefusal(error)) throw error
    return deny(request, reply, error, options)
  }
}

/** Verifies a request once, however often it is asked for: a second look at its proof would be a replay. */
async function verified(request: FastifyRequest, guard: Guard): Promise<void> {
  const slot = request as FastifyRequest & { [kVerified]: Promise<void> | null }
  slot[kVerified] ??= verify(request, guard)
  await slot[kVerified]
}

async function verify(request: FastifyRequest, guard: Guard): Promise<void> {
  const { authenticator, strip } = guard
  const presented = readPresentedTokens(request, authenticator.revisions)
  const { allow } = policyOf(request, guard)
  const workload = await admit(presented, { authenticator, allow, context: request })
  if (strip) stripTokens(request, workload.revision)
  request.workload = workload
}

function setGuard(scope: FastifyInstance, guard: Guard): void {
  Object.defineProperty(scope, kGuard, { value: guard, configurable: true })
}

function guardOf(scope: FastifyInstance): Guard | undefined {
  return (scope as { [kGuard]?: Guard })[kGuard]
}

interface AttachedPolicy {
  readonly guard: Guard
  readonly policy: RoutePolicy
}

/**
 * The policy attached when the route was added. A route that is older than the registration has none, and
 * stays at the scope's rule whatever its configuration says.
 */
function policyOf(request: FastifyRequest, guard: Guard): RoutePolicy {
  const config = request.routeOptions.config as
    | (FastifyContextConfig & { [kPolicy]?: AttachedPolicy })
    | undefined
  const attached = config?.[kPolicy]
  if (attached?.guard === guard) return attached.policy
  if (config?.wimse !== undefined && !guard.reported.has(config)) {
    guard.reported.add(config)
    request.log.error(
      { route: request.routeOptions.url },
      'config.wimse of a route is not in force: the route was added before fastify-wimse was registered',
    )
  }
  return guard.scope
}

const CREDENTIAL_FIELDS = 'Authorization, Workload-Identity-Token, Workload-Proof-Token'

/** Says that the answer depends on who asked, beside whatever the handler says it depends on. */
function addVary(reply: FastifyReply): void {
  const vary = reply.getHeader('vary')
  reply.header('vary', vary === undefined ? CREDENTIAL_FIELDS : `${String(vary)}, ${CREDENTIAL_FIELDS}`)
}

function logDangerousOptions(app: FastifyInstance, { replay, now }: WimseOptions): void {
  if (replay === false)
    app.log.warn('fastify-wimse: replay is false, so a captured request can be sent again')
  if (now !== undefined) app.log.warn('fastify-wimse: now is set, so expiry follows that clock')
}
