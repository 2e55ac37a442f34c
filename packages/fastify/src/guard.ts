import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import {
  AUTHENTICATOR_OPTIONS,
  type Authenticator,
  type AuthenticatorOptions,
  type BearerOptions,
  type BearerVerifier,
  type CallerMemory,
  createAuthenticator,
  createBearerVerifier,
  createSignatureTurns,
  memoryCallerMemory,
  memoryReplayStore,
  readNumber,
  readTransitionOptions,
  refuseUnknownOptions,
  type ReplayStore,
  type TransitionOptions,
} from 'wimse'
import { type AdoptionWatch, createAdoptionWatch } from './adoption.js'
import type { DenyOptions } from './deny.js'
import { warnOfHeaderLimit } from './header-limit.js'
import { logStoreEvents, warnOfSeparateStores } from './store-log.js'
import { logTrustEvents } from './trust-log.js'
import { type RoutePolicy, readScopePolicy, type WimseAllowRule, type WimseMode } from './route-config.js'

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
  /** How bearer tokens are read; required once a route is in mode `'transition'` or `'bearer'`. Default none. */
  readonly bearer?: BearerOptions | readonly BearerOptions[]
  /** How callers move from bearer tokens to WITs. */
  readonly transition?: TransitionOptions
  /** Seconds without a bearer token after which a route is ready, see `app.wimse.adoption()`. Default 86400. */
  readonly adoptionWindow?: number
  /** Processes this service runs in. Above 1 a replay store in memory is warned of. Default 1. */
  readonly replicas?: number
}

/** One registration: it governs the routes of its scope, unless a nested registration does. */
export interface Guard {
  readonly authenticator: Authenticator
  /** For routes that say nothing. */
  readonly scope: RoutePolicy
  readonly strip: boolean
  readonly deny: DenyOptions
  /** Null where no bearer tokens are taken. */
  readonly bearer: BearerVerifier | null
  readonly adoption: AdoptionWatch
}

const PLUGIN_OPTIONS: readonly (keyof WimseOptions)[] = [
  'mode',
  'allow',
  'stripTokens',
  'problemTypeBase',
  'onDenied',
  'bearer',
  'transition',
  'adoptionWindow',
  'replicas',
]

/** Checks the options of a registration. @throws TypeError naming the one that is wrong or missing */
export function createGuard(app: FastifyInstance, options: WimseOptions): Guard {
  refuseUnknownOptions('fastify-wimse', options, [...PLUGIN_OPTIONS, ...AUTHENTICATOR_OPTIONS])
  const {
    mode,
    allow,
    stripTokens: strip = true,
    problemTypeBase = 'urn:wimse:problem:',
    onDenied = 'reply',
    bearer,
    transition,
    adoptionWindow,
    replicas,
    ...forCore
  } = options
  if (typeof strip !== 'boolean') throw new TypeError('option stripTokens must be a boolean')
  if (typeof problemTypeBase !== 'string' || !/^[a-z][a-z0-9+.-]*:[\x21-\x7e]*$/i.test(problemTypeBase)) {
    throw new TypeError('option problemTypeBase must be an absolute URI')
  }
  if (onDenied !== 'reply' && onDenied !== 'throw') {
    throw new TypeError("option onDenied must be 'reply' or 'throw'")
  }
  if (transition !== undefined && bearer === undefined)
    throw new TypeError('option transition needs the option bearer')
  const moves =
    bearer === undefined ? null : readTransitionOptions({ remember: sharedCallerMemory(app), ...transition })
  const scope = readScopePolicy(mode, allow, moves)
  const replay = forCore.replay === undefined ? sharedReplayStore(app) : forCore.replay
  if (forCore.onTrustEvent !== undefined && typeof forCore.onTrustEvent !== 'function') {
    throw new TypeError('option onTrustEvent must be a function')
  }
  const onTrustEvent = logTrustEvents(app.log, forCore.onTrustEvent)
  const processes = readNumber('replicas', replicas, { default: 1, min: 1, integer: true })
  const authenticator = createAuthenticator(
    { ...forCore, replay, onTrustEvent },
    logStoreEvents(app.log),
    createSignatureTurns(),
  )
  warnOfHeaderLimit(app, forCore)
  warnOfSeparateStores(app.log, replay, processes)
  return {
    authenticator,
    scope,
    strip,
    deny: { problemTypeBase, onDenied },
    bearer:
      bearer === undefined
        ? null
        : createBearerVerifier(bearer, {
            trustDomains: Object.keys(forCore.trustDomains),
            clockTolerance: authenticator.clockTolerance,
            onEvent: (event) => onTrustEvent({ ...event, trustDomain: 'bearer' }),
          }),
    adoption: createAdoptionWatch(
      startOf(authenticator),
      readNumber('adoptionWindow', adoptionWindow, { default: 86_400, min: 1 }),
    ),
  }
}

/** Since when there is something to watch: never, while the clock gives no time. */
function startOf(authenticator: Authenticator): number {
  try {
    return authenticator.now()
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

const replayStores = new WeakMap<Server, ReplayStore>()

/** One for all registrations of a server: with one each, a proof that fits two would be good for both. */
function sharedReplayStore({ server }: FastifyInstance): ReplayStore {
  const store = replayStores.get(server) ?? memoryReplayStore()
  replayStores.set(server, store)
  return store
}

const callerMemories = new WeakMap<Server, CallerMemory>()

/** One for all registrations of a server: a caller that has moved in one of them has moved. */
function sharedCallerMemory({ server }: FastifyInstance): CallerMemory {
  const memory = callerMemories.get(server) ?? memoryCallerMemory()
  callerMemories.set(server, memory)
  return memory
}

const kGuard = Symbol('fastify-wimse.guard')

/** Puts a scope under a registration. */
export function setGuard(scope: FastifyInstance, guard: Guard): void {
  Object.defineProperty(scope, kGuard, { value: guard, configurable: true })
}

/** The registration that governs a scope. */
export function guardOf(scope: FastifyInstance): Guard | undefined {
  return (scope as { [kGuard]?: Guard })[kGuard]
}
