import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { beforeDeadline, type CallerMemory, parseWorkloadIdentifier, type Workload } from 'wimse'
import type { Adoption } from './adoption.js'
import { existingScopes } from './encapsulation.js'
import { createGuard, type Guard, guardOf, setGuard, type WimseOptions } from './guard.js'
import { admitNotFound, admitOrDeny, admitOrRaise, askedOf, decorateRequests } from './request-state.js'
import type { WimseRouteOptions } from './route-config.js'
import { attachPolicy } from './route-policy.js'

/** What the plugin tells about itself, as `app.wimse`. */
export interface WimseControl {
  /** True while the keys of every trust domain are there and stores answer. For a probe; never rejects. */
  ready(): Promise<boolean>
  /** Who uses which credential on which route, since this process started: for the way to `'required'`. */
  adoption(): Adoption
  /** Forgets that a caller has shown a WIT, so that its bearer tokens are taken again: the way back. */
  forget(caller: string): Promise<void>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling; null on routes that are not protected. */
    readonly workload: Workload | null
  }
  interface FastifyContextConfig {
    /** What this route asks of its callers; `false` asks nothing. */
    wimse?: false | (WimseRouteOptions & object)
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

const register: FastifyPluginAsync<WimseOptions> = async (app, options) => {
  if (Object.hasOwn(app, 'wimse')) throw new Error('fastify-wimse is already registered in this scope')
  const guard = createGuard(app, options)
  const unprotected: string[] = guard.scope.mode === 'off' ? ['every route that does not say otherwise'] : []

  app.decorate('wimse', createControl(guard))
  app.decorate('verifyWorkload', async (request: FastifyRequest, reply: FastifyReply) => {
    await admitOrRaise(request, reply, guardOf(request.server) ?? guard)
  })

  const replaced = guardOf(app)
  const older = existingScopes(app).filter((scope) => guardOf(scope) === replaced)
  for (const scope of [app, ...older]) govern(scope, guard, unprotected)

  app.addHook('onReady', async () => {
    if (unprotected.length > 0) {
      app.log.warn({ unprotectedRoutes: unprotected }, 'routes without workload authentication')
    }
    // Not a reason to stay down: requests are answered with 503 until the keys are there.
    await Promise.all([guard.authenticator.ready(), guard.bearer?.ready()]).catch((err: unknown) => {
      app.log.error({ err }, 'fastify-wimse: the keys of a trust domain are not there yet')
    })
  })
  app.addHook('onClose', async () => {
    await guard.authenticator.close()
    await guard.bearer?.close()
  })
  logDangerousOptions(app, options)
}

/** Puts the routes of a scope, and of scopes made in it from now on, under a registration. */
function govern(scope: FastifyInstance, guard: Guard, unprotected: string[]): void {
  const governs = (other: FastifyInstance): boolean => guardOf(other) === guard
  decorateRequests(scope)
  setGuard(scope, guard)
  scope.addHook('onRegister', (child) => setGuard(child, guard))
  scope.addHook('onRoute', function (this: FastifyInstance, route) {
    if (!governs(this)) return
    const { mode } = attachPolicy(route, guard)
    const methods = [route.method].flat()
    if (mode === 'off') unprotected.push(`${methods.join(',')} ${route.url}`)
    // HEAD is counted as the GET it stands for.
    else
      for (const method of methods)
        if (method !== 'HEAD') guard.adoption.watch(`${method} ${route.url}`, mode)
  })
  scope.addHook('onRequest', (request, reply, done) => {
    if (governs(request.server)) void goOnOnceAdmitted(admitOrDeny(request, reply, guard), reply, done)
    else done()
  })
  // reply.callNotFound() comes to the not-found handler past onRequest, by the policy of the route it was
  // called from; the handler stands under that of the scope.
  scope.addHook('preHandler', (request, reply, done) => {
    if (request.is404 && governs(request.server) && guard.scope.mode !== 'off') {
      void goOnOnceAdmitted(admitNotFound(request, reply, guard), reply, done)
    } else done()
  })
  scope.addHook('onSend', (request, reply, payload, done) => {
    if (governs(request.server) && askedOf(request, guard).mode !== 'off') addVary(reply)
    done(null, payload)
  })
}

/**
 * Goes on with a request that was admitted, and never with one that was refused and answered. Not left to a hook
 * that returns a promise: Fastify goes on with the reply that such a hook gives as soon as the caller hangs up, also
 * while the refusal is still on its way through onSend. Nor is `done` given anything but an error: it goes on with
 * whatever is not true.
 */
async function goOnOnceAdmitted(
  admission: Promise<boolean>,
  reply: FastifyReply,
  done: (error?: Error) => void,
): Promise<void> {
  let outcome: unknown
  try {
    outcome = await admission
  } catch (error) {
    outcome = error instanceof Error ? error : new Error('not an error was thrown', { cause: error })
  }
  try {
    if (outcome === true) done()
    else if (outcome instanceof Error) done(outcome)
  } catch (err) {
    // Fastify throws where another answer is on its way, such as that of a timeout. Nobody else would hear of it.
    reply.log.error({ err }, 'fastify-wimse: a request could not be answered')
    if (!reply.raw.headersSent) reply.raw.destroy()
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
  const workload = request.workload as Workload | null | undefined
  if (workload !== null && workload !== undefined) return workload
  throw new Error('this route is not protected by fastify-wimse, so no workload is known')
}

function createControl({ authenticator, bearer, adoption, scope }: Guard): WimseControl {
  return {
    ready: async () => {
      const answers = await Promise.all([
        authenticator.isReady(),
        bearer === null ? Promise.resolve(true) : bearer.haveKeys(),
        remembers(scope.transition?.memory ?? null),
      ])
      return answers.every(Boolean)
    },
    adoption: () => adoption.report(authenticator.now()),
    forget: async (caller) => {
      const { id } = parseWorkloadIdentifier(caller)
      await scope.transition?.memory?.forget(id)
    },
  }
}

async function remembers(memory: CallerMemory | null): Promise<boolean> {
  if (memory === null) return true
  try {
    return (await beforeDeadline(memory.since('wimse://readiness.invalid'), 1000)) !== undefined
  } catch {
    return false
  }
}

const CREDENTIAL_FIELDS = 'Authorization, Workload-Identity-Token, Workload-Proof-Token'

/** Says that the answer depends on who asked, beside whatever the handler says it depends on. */
function addVary(reply: FastifyReply): void {
  const vary = reply.getHeader('vary')
  reply.header('vary', vary === undefined ? CREDENTIAL_FIELDS : `${String(vary)}, ${CREDENTIAL_FIELDS}`)
}

function logDangerousOptions(app: FastifyInstance, { replay, now }: WimseOptions): void {
  if (replay === false) {
    app.log.warn('fastify-wimse: replay is false, so a captured request can be sent again')
  }
  if (now !== undefined) app.log.warn('fastify-wimse: now is set, so expiry follows that clock')
}
