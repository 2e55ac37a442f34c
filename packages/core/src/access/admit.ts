import type { Authenticator, PresentedTokens } from '../authenticate.js'
import { createStoreBudget } from '../deadline.js'
import { AuthenticationError } from '../errors.js'
import type { Workload } from '../identity/workload.js'
import {
  beginVerification,
  noteCaller,
  toldVerification,
  type VerificationNotes,
} from '../observation/verification.js'
import { type AllowPredicate, allow } from './allow.js'
import type { BearerVerifier } from './bearer.js'
import { rememberCaller, revalidateBearer, type Transition } from './transition.js'

/**
 * The credential of a request, chosen by which header fields came, before anyone is authenticated. What was
 * chosen stays chosen: a WIT that is refused is not made good by a bearer token beside it.
 */
export type PresentedCredential =
  | { readonly via: 'wit'; readonly tokens: PresentedTokens }
  | { readonly via: 'bearer'; readonly token: string }

/** What one route asks of its callers. */
export interface AdmissionPolicy<Context> {
  readonly authenticator: Pick<Authenticator, 'authenticate' | 'now' | 'storeTimeoutMs' | 'maxTokenBytes'>
  /** Who may; null for every workload of a configured trust domain. */
  readonly allow: AllowPredicate<Context> | null
  /** Handed to the rule, such as the request. */
  readonly context: Context
  /** Reads bearer tokens; null where none are taken. */
  readonly bearer?: BearerVerifier | null
  /** What a caller with a WIT may no longer do; null where nobody moves. */
  readonly transition?: Transition | null
  /** Hears who it is as soon as that is known, and before it is decided whether the workload may. */
  readonly onAuthenticated?: (workload: Workload) => void
  /** For whoever tells how it ended, which `admit` then does not; null where nobody listens. */
  readonly notes?: VerificationNotes | null
}

/**
 * Establishes who sent a request and that this workload may, by this credential.
 *
 * Who has shown a WIT, and was let in, is remembered last.
 *
 * @throws AuthenticationError when the request does not show who sent it, or not any more by this credential
 * @throws AuthorizationError `WIMSE_WORKLOAD_FORBIDDEN` when the workload may not
 * @throws UnavailableError when that cannot be told right now
 */
export function admit<Context>(
  presented: PresentedCredential,
  policy: AdmissionPolicy<Context>,
): Promise<Workload> {
  const own = policy.notes === undefined ? beginVerification() : null
  const verification = decide(presented, policy, policy.notes ?? own)
  return own === null ? verification : toldVerification(own, verification)
}

async function decide<Context>(
  presented: PresentedCredential,
  policy: AdmissionPolicy<Context>,
  notes: VerificationNotes | null,
): Promise<Workload> {
  const {
    authenticator,
    bearer = null,
    transition = null,
    context,
    onAuthenticated = () => undefined,
  } = policy
  if (notes !== null) notes.via = presented.via
  if (presented.via === 'wit') {
    const budget = createStoreBudget(authenticator.storeTimeoutMs)
    const workload = await authenticator.authenticate(presented.tokens, budget, notes)
    if (notes !== null) noteCaller(notes, workload)
    onAuthenticated(workload)
    if (policy.allow !== null) await allow(workload, policy.allow, context)
    if (transition !== null) await rememberCaller(workload, transition, authenticator.now(), budget.left())
    return workload
  }
  if (bearer === null) {
    throw new AuthenticationError('WIMSE_WIT_MISSING', { reason: 'bearer tokens are not taken here' })
  }
  if (presented.token.length > authenticator.maxTokenBytes) {
    throw new AuthenticationError('WIMSE_TOKEN_TOO_LARGE', {
      reason: 'the bearer token is longer than maxTokenBytes',
      expected: authenticator.maxTokenBytes,
      received: presented.token.length,
    })
  }
  const now = authenticator.now()
  const workload = await bearer.verify(presented.token, now)
  if (notes !== null) noteCaller(notes, workload)
  onAuthenticated(workload)
  if (transition !== null) await revalidateBearer(workload, transition, now, authenticator.storeTimeoutMs)
  if (policy.allow !== null) await allow(workload, policy.allow, context)
  return workload
}
