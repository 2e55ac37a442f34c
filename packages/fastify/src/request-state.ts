import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  type AdmissionPolicy,
  admit,
  allow,
  AuthorizationError,
  beforeDeadline,
  beginVerification,
  deprecationFields,
  noteCaller,
  type PresentedTokens,
  type RefusalError,
  tellAdmission,
  tellRefusal,
  type VerificationNotes,
  type Workload,
} from 'wimse'
import { deny, isRefusal, raise } from './deny.js'
import type { Guard } from './guard.js'
import { readPresented, stripTokens } from './presented-tokens.js'
import type { RoutePolicy, WimseMode } from './route-config.js'
import { policyOf } from './route-policy.js'

/** What one registration has found out about one request. */
interface RequestState {
  readonly guard: Guard
  readonly policy: RoutePolicy
  /** Its method and pattern, as they are counted and logged. */
  readonly route: string
  /** Null until somebody asks. */
  verified: Promise<void> | null
}

/** Who was let in, by which registration and by which of its rules. */
interface Admission {
  readonly guard: Guard
  readonly policy: RoutePolicy
  readonly workload: Workload
}

const kState = Symbol('fastify-wimse.state')
const kAdmission = Symbol('fastify-wimse.admission')

type Stateful = FastifyRequest & { [kState]: RequestState | null; [kAdmission]: Admission | null }

/**
 * Gives the requests of a scope their place for the workload; scopes that exist already have none.
 *
 * @throws Error when `request.workload` is somebody else's
 */
export function decorateRequests(scope: FastifyInstance): void {
  if (scope.hasRequestDecorator(kState)) return
  if (scope.hasRequestDecorator('workload')) {
    throw new Error('fastify-wimse: request.workload is decorated by somebody else')
  }
  scope.decorateRequest('workload', null)
  scope.decorateRequest(kState, null)
  scope.decorateRequest(kAdmission, null)
}

/** What is asked of the caller of this request. */
export function askedOf(request: FastifyRequest, guard: Guard): RoutePolicy {
  const state = (request as Stateful)[kState]
  return state?.guard === guard ? state.policy : policyOf(request, request.routeOptions, guard)
}

/** @returns whether the request goes on; if not, it was refused and answered */
export async function admitOrDeny(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
): Promise<boolean> {
  const state = stateOf(request, guard)
  if (state.policy.mode === 'off') return true
  try {
    await verified(request, reply, state)
    return true
  } catch (error) {
    if (!isRefusal(error)) throw error
    deny(request, reply, error, guard.deny)
    return false
  }
}

/**
 * Admits a request to the not-found handler, which stands under the rule of the scope: whoever was let in by
 * a route's own rule has to fit that too.
 *
 * @returns whether the request goes on; if not, it was refused and answered
 */
export async function admitNotFound(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
): Promise<boolean> {
  const slot = request as Stateful
  const admission = slot[kAdmission]
  if (admission === null) {
    slot[kState] = { guard, policy: guard.scope, route: NOT_FOUND, verified: null }
    return admitOrDeny(request, reply, guard)
  }
  const { workload } = admission
  const isOurs = admission.guard === guard
  if (isOurs && admission.policy === guard.scope) return true
  const notes = beginVerification(NOT_FOUND)
  try {
    if (!isOurs) {
      // Its proof is spent, so it cannot be looked at again by the rules that hold here.
      throw new AuthorizationError('WIMSE_WORKLOAD_FORBIDDEN', {
        reason: 'the workload was let in by another registration',
        received: workload.id,
      })
    }
    if (workload.via === 'bearer') {
      // Whom the token names is known; whether it may be used here is not.
      const bearer = guard.bearer && { ...guard.bearer, verify: async () => workload }
      const terms = termsOf(request, { ...guard, bearer }, guard.scope, notes)
      await admit({ via: 'bearer', token: '' }, terms)
    } else if (guard.scope.allow !== null) await allow(workload, guard.scope.allow, request)
    return true
  } catch (error) {
    // Told of alone: the admission was told of before.
    if (notes !== null) {
      noteCaller(notes, workload)
      tellRefusal(notes, error)
    }
    if (!isRefusal(error)) throw error
    deny(request, reply, error, guard.deny)
    return false
  }
}

/** @throws RefusalError when the request is refused */
export async function admitOrRaise(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
): Promise<void> {
  try {
    await verified(request, reply, stateOf(request, guard))
  } catch (error) {
    if (!isRefusal(error)) throw error
    raise(request, reply, error, guard.deny)
  }
}

/** Verifies a request once, however often it is asked for: a second look at its proof would be a replay. */
function verified(request: FastifyRequest, reply: FastifyReply, state: RequestState): Promise<void> {
  return (state.verified ??= verify(request, reply, state))
}

async function verify(
  request: FastifyRequest,
  reply: FastifyReply,
  { guard, policy, route }: RequestState,
): Promise<void> {
  const { authenticator, adoption } = guard
  const mode = modeOf(policy)
  const notes = beginVerification(route)
  let caller: Workload | null = null
  try {
    const { credential, dryRun } = readPresented(request, mode, authenticator.revisions)
    if (credential.via === 'bearer') reply.headers(deprecationFields(policy.transition!))
    const terms = termsOf(request, guard, policy, notes, (authenticated) => {
      caller = authenticated
      if (authenticated.via === 'bearer') warnOfBearer(request, guard, route, authenticated)
    })
    const workload = await admit(credential, terms)
    adoption.admitted(route, policy.mode, workload, authenticator.now())
    if (dryRun !== null) await tryTokens(request, dryRun, guard, policy.mode, route)
    if (workload.via === 'wit' && guard.strip) stripTokens(request, workload.revision)
    ;(request as { workload: Workload | null }).workload = workload
    ;(request as Stateful)[kAdmission] = { guard, policy, workload }
    if (notes !== null) tellAdmission(notes)
  } catch (error) {
    if (notes !== null) tellRefusal(notes, error)
    if (isRefusal(error)) countRefusal(guard, route, policy, error, caller)
    throw error
  }
}

/** Asked for by hand on a route that asks for nothing itself: then for all there is. */
function modeOf({ mode }: RoutePolicy): Exclude<WimseMode, 'off'> {
  return mode === 'off' ? 'required' : mode
}

function termsOf(
  request: FastifyRequest,
  { authenticator, bearer }: Guard,
  policy: RoutePolicy,
  notes: VerificationNotes | null,
  onAuthenticated: (workload: Workload) => void = () => undefined,
): AdmissionPolicy<FastifyRequest> {
  const { allow, transition } = policy
  const mode = modeOf(policy)
  return {
    authenticator,
    allow,
    context: request,
    bearer: mode === 'required' ? null : bearer,
    // Where a bearer token decides, a WIT decides nothing; only the dates count.
    transition:
      mode === 'bearer' ? transition && { ...transition, memory: null, upgraded: () => false } : transition,
    notes,
    onAuthenticated,
  }
}

/**
 * Tries a WIT that came along where a bearer token decides: how it would fare is counted, and nothing else.
 * Whatever goes wrong here, and however long it takes, the request goes on.
 */
async function tryTokens(
  request: FastifyRequest,
  readTokens: () => PresentedTokens,
  { authenticator, adoption, strip }: Guard,
  mode: WimseMode,
  route: string,
): Promise<void> {
  const notes = beginVerification(route, true)
  const attempt = async (): Promise<Workload> => authenticator.authenticate(readTokens(), undefined, notes)
  try {
    const workload = await beforeDeadline(attempt(), authenticator.storeTimeoutMs)
    adoption.dryRun(route, mode, workload, authenticator.now())
    if (notes !== null) tellAdmission(notes)
  } catch (error) {
    if (notes !== null) tellRefusal(notes, error)
    if (!isRefusal(error)) {
      request.log.warn('a WIT that came along could not be tried in time')
      return
    }
    adoption.dryRun(route, mode, error, 0)
    request.log.info({ wimse: { code: error.code, ...error.diagnostics } }, 'a WIT would have been refused')
  } finally {
    // Also what was not verified: nobody here has spent such a proof.
    if (strip) stripTokens(request, 'wpt-01')
  }
}

const MOST_WARNINGS = 10_000
const warned = new WeakMap<Guard, Set<string>>()

/** Warns once of a caller that has a WIT and still sends a bearer token: someone else may be sending it. */
function warnOfBearer(request: FastifyRequest, guard: Guard, route: string, { id }: Workload): void {
  if (!guard.adoption.hasWit(id)) return
  const callers = warned.get(guard) ?? new Set()
  warned.set(guard, callers)
  if (callers.has(id) || callers.size >= MOST_WARNINGS) return
  callers.add(id)
  request.log.warn({ caller: id, route }, 'a caller that has a WIT still sends a bearer token')
}

const NOT_FOUND = 'not found'

function nameOf({ is404, method }: FastifyRequest, { url }: FastifyRequest['routeOptions']): string {
  return is404 ? NOT_FOUND : `${method === 'HEAD' ? 'GET' : method} ${url}`
}

/** Counts a refusal, unless it is for want of a clock. */
function countRefusal(
  { adoption, authenticator }: Guard,
  route: string,
  { mode }: RoutePolicy,
  error: RefusalError,
  caller: Workload | null,
): void {
  try {
    adoption.refused(route, mode, error, caller, authenticator.now())
  } catch {
    // The refusal says so already.
  }
}

function stateOf(request: FastifyRequest, guard: Guard): RequestState {
  const slot = request as Stateful
  const state = slot[kState]
  if (state?.guard === guard) return state
  // Fastify makes it anew each time it is asked for.
  const { routeOptions } = request
  const policy = policyOf(request, routeOptions, guard)
  return (slot[kState] = { guard, policy, route: nameOf(request, routeOptions), verified: null })
}
