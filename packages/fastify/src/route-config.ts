import type { FastifyRequest } from 'fastify'
import { type AllowPredicate, type AllowRule, compileAllowRule, refuseUnknownOptions } from 'wimse'

/** What a route asks of its callers: a proof, or nothing. */
export type WimseMode = 'required' | 'off'

/** Who may, decided with the request in hand. */
export type WimseAllowRule = AllowRule<FastifyRequest>

/** `config.wimse` of one route. What it does not say, the registration says. */
export interface WimseRouteOptions {
  readonly mode?: WimseMode
  /** An empty list throws; a rule that throws admits nobody. */
  readonly allow?: WimseAllowRule
}

/** What is asked of the callers of one route. */
export interface RoutePolicy {
  readonly mode: WimseMode
  readonly allow: AllowPredicate<FastifyRequest> | null
}

/** Reads the rule for routes that say nothing. @throws TypeError naming the option */
export function readScopePolicy(mode: unknown, allow: WimseAllowRule | undefined): RoutePolicy {
  return {
    mode: mode === undefined ? 'required' : readMode('mode', mode),
    allow: allow === undefined ? null : compileAllowRule(allow),
  }
}

/**
 * Reads `config.wimse` of a route.
 *
 * @throws TypeError naming what is wrong, so that a service with a mistake in a route does not start
 */
export function readRoutePolicy(config: unknown, scope: RoutePolicy): RoutePolicy {
  if (config === undefined) return scope
  if (config === false) return { ...scope, mode: 'off' }
  refuseUnknownOptions('config.wimse', config, ['mode', 'allow'])
  const { mode, allow } = config as WimseRouteOptions
  return {
    mode: mode === undefined ? scope.mode : readMode('config.wimse.mode', mode),
    allow: allow === undefined ? scope.allow : compileAllowRule(allow),
  }
}

/** Both of two policies: what either asks is asked, who either refuses is refused. */
export function stricterPolicy(a: RoutePolicy, b: RoutePolicy): RoutePolicy {
  const rules = [a.allow, b.allow].filter((rule) => rule !== null)
  return {
    mode: a.mode === 'off' && b.mode === 'off' ? 'off' : 'required',
    allow: async (workload, request) => {
      for (const rule of rules) if ((await rule(workload, request)) !== true) return false
      return true
    },
  }
}

function readMode(name: string, mode: unknown): WimseMode {
  if (mode === 'required' || mode === 'off') return mode
  throw new TypeError(`option ${name} must be 'required' or 'off'`)
}
