import type { FastifyRequest } from 'fastify'
import {
  type AllowPredicate,
  type AllowRule,
  compileAllowRule,
  refuseUnknownOptions,
  type Transition,
  type TransitionOptions,
  withRouteDates,
} from 'wimse'

/**
 * What a route asks of its callers: `'required'` a WIT and a proof; `'transition'` either these or a bearer
 * token; `'bearer'` a bearer token, while WITs that come along are tried and decide nothing; `'off'` nothing.
 */
export type WimseMode = 'required' | 'transition' | 'bearer' | 'off'

/** Who may, decided with the request in hand. */
export type WimseAllowRule = AllowRule<FastifyRequest>

/** `config.wimse` of one route. What it does not say, the registration says. */
export interface WimseRouteOptions {
  /** What is asked of callers. */
  readonly mode?: WimseMode
  /** An empty list throws; a rule that throws admits nobody. */
  readonly allow?: WimseAllowRule
  /** When bearer tokens stop on this route, for those who use them. */
  readonly transition?: Pick<TransitionOptions, 'deprecation' | 'sunset' | 'link'>
}

/** What is asked of the callers of one route. */
export interface RoutePolicy {
  readonly mode: WimseMode
  readonly allow: AllowPredicate<FastifyRequest> | null
  /** Null where the registration takes no bearer tokens. */
  readonly transition: Transition | null
}

/** Reads the rule for routes that say nothing. @throws TypeError naming the option */
export function readScopePolicy(
  mode: unknown,
  allow: WimseAllowRule | undefined,
  transition: Transition | null,
): RoutePolicy {
  return {
    mode: readMode('mode', mode === undefined ? 'required' : mode, transition),
    allow: allow === undefined ? null : compileAllowRule(allow),
    transition,
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
  refuseUnknownOptions('config.wimse', config, ['mode', 'allow', 'transition'])
  const { mode, allow, transition } = config as WimseRouteOptions
  return {
    mode: mode === undefined ? scope.mode : readMode('config.wimse.mode', mode, scope.transition),
    allow: allow === undefined ? scope.allow : compileAllowRule(allow),
    transition: transition === undefined ? scope.transition : readDates(transition, scope.transition),
  }
}

/** Both of two policies: what either asks is asked, who either refuses is refused. */
export function stricterPolicy(a: RoutePolicy, b: RoutePolicy): RoutePolicy {
  const rules = [a.allow, b.allow].filter((rule) => rule !== null)
  return {
    mode: MODES.find((mode) => mode === a.mode || mode === b.mode)!,
    allow: async (workload, request) => {
      for (const rule of rules) if ((await rule(workload, request)) !== true) return false
      return true
    },
    transition: a.transition && { ...a.transition, ...stricterDates(a.transition, b.transition) },
  }
}

function stricterDates(a: Transition, b: Transition | null): Pick<Transition, 'sunset'> {
  const [first] = [a.sunset, b?.sunset ?? null]
    .filter((date) => date !== null)
    .toSorted((one, other) => Number(one) - Number(other))
  return { sunset: first ?? null }
}

/** The strictest first. */
const MODES: readonly WimseMode[] = ['required', 'transition', 'bearer', 'off']

function readMode(name: string, mode: unknown, transition: Transition | null): WimseMode {
  const known = MODES.find((one) => one === mode)
  if (known === undefined) throw new TypeError(`option ${name} must be one of ${MODES.join(', ')}`)
  if (transition === null && (known === 'transition' || known === 'bearer')) {
    throw new TypeError(`option ${name} is ${known}, which needs the option bearer`)
  }
  return known
}

function readDates(dates: WimseRouteOptions['transition'] & {}, transition: Transition | null): Transition {
  if (transition === null) throw new TypeError('config.wimse.transition needs the option bearer')
  return withRouteDates(transition, dates)
}
