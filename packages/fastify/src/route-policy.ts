import type { FastifyContextConfig, FastifyRequest, RouteOptions } from 'fastify'
import type { Guard } from './guard.js'
import { type RoutePolicy, readRoutePolicy, stricterPolicy } from './route-config.js'

interface AttachedPolicy {
  readonly guard: Guard
  /** `config.wimse` as it was read. */
  readonly config: unknown
  readonly policy: RoutePolicy
}

const kPolicy = Symbol('fastify-wimse.policy')

/**
 * Reads what a route asks of its callers while it is being added.
 *
 * @throws TypeError naming what is wrong, so that a service with a mistake in a route does not start
 */
export function attachPolicy(route: RouteOptions, guard: Guard): RoutePolicy {
  const config = route.config?.wimse
  const policy = readRoutePolicy(config, guard.scope)
  const attached: AttachedPolicy = { guard, config, policy }
  route.config = Object.assign({}, route.config, { [kPolicy]: attached })
  return policy
}

const latePolicies = new WeakMap<Guard, WeakMap<object, RoutePolicy>>()

/**
 * What is asked of the callers of a route: what was read when it was added. A route that is older than the
 * registration, or whose configuration was changed since, stays at the scope's rule, and its own
 * configuration can only make that stricter.
 */
export function policyOf(
  request: FastifyRequest,
  { config: given }: FastifyRequest['routeOptions'],
  guard: Guard,
): RoutePolicy {
  const config = given as FastifyContextConfig & { [kPolicy]?: AttachedPolicy }
  const attached = config[kPolicy]
  if (attached?.guard === guard && attached.config === config.wimse) return attached.policy
  return config.wimse === undefined ? guard.scope : latePolicyOf(request, config, guard)
}

function latePolicyOf(request: FastifyRequest, config: FastifyContextConfig, guard: Guard): RoutePolicy {
  const known = latePolicies.get(guard) ?? new WeakMap<object, RoutePolicy>()
  latePolicies.set(guard, known)
  const policy = known.get(config) ?? readLatePolicy(request, config, guard)
  known.set(config, policy)
  return policy
}

function readLatePolicy(request: FastifyRequest, config: FastifyContextConfig, guard: Guard): RoutePolicy {
  request.log.error(
    { route: request.routeOptions.url },
    'config.wimse of a route came too late, so it can only make the rule of the registration stricter: ' +
      'await app.register(wimse) before adding routes',
  )
  try {
    return stricterPolicy(guard.scope, readRoutePolicy(config.wimse, guard.scope))
  } catch (error) {
    return {
      ...guard.scope,
      mode: 'required',
      allow: () => {
        throw error
      },
    }
  }
}
