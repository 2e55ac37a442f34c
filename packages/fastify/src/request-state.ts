import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { admit } from 'wimse'
import { deny, isRefusal, raise } from './deny.js'
import type { Guard } from './guard.js'
import { readPresentedTokens, stripTokens } from './presented-tokens.js'
import type { RoutePolicy } from './route-config.js'
import { policyOf } from './route-policy.js'

/** What one registration has found out about one request. */
interface RequestState {
  readonly guard: Guard
  readonly policy: RoutePolicy
  /** Null until somebody asks. */
  verified: Promise<void> | null
}

const kState = Symbol('fastify-wimse.state')

type Stateful = FastifyRequest & { [kState]: RequestState | null }

/** Gives the requests of a scope their place for the workload; scopes that exist already have none. */
export function decorateRequests(scope: FastifyInstance): void {
  if (scope.hasRequestDecorator('workload')) return
  scope.decorateRequest('workload', null)
  scope.decorateRequest(kState, null)
}

/** What is asked of the caller of this request. */
export function askedOf(request: FastifyRequest, guard: Guard): RoutePolicy {
  return stateOf(request, guard).policy
}

/** @returns the reply when the request was refused and answered */
export async function admitOrDeny(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
): Promise<FastifyReply | undefined> {
  try {
    await verified(request, guard)
    return undefined
  } catch (error) {
    if (!isRefusal(error)) throw error
    return deny(request, reply, error, guard.deny)
  }
}

/** @throws RefusalError when the request is refused */
export async function admitOrRaise(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
): Promise<void> {
  try {
    await verified(request, guard)
  } catch (error) {
    if (!isRefusal(error)) throw error
    raise(request, reply, error, guard.deny)
  }
}

/** Verifies a request once, however often it is asked for: a second look at its proof would be a replay. */
async function verified(request: FastifyRequest, guard: Guard): Promise<void> {
  const state = stateOf(request, guard)
  state.verified ??= verify(request, state)
  await state.verified
}

async function verify(request: FastifyRequest, { guard, policy }: RequestState): Promise<void> {
  const presented = readPresentedTokens(request, guard.authenticator.revisions)
  const workload = await admit(presented, {
    authenticator: guard.authenticator,
    allow: policy.allow,
    context: request,
  })
  if (guard.strip) stripTokens(request, workload.revision)
  Object.assign(request, { workload })
}

function stateOf(request: FastifyRequest, guard: Guard): RequestState {
  const slot = request as Stateful
  const state = slot[kState]
  if (state?.guard === guard) return state
  return (slot[kState] = { guard, policy: policyOf(request, guard), verified: null })
}
