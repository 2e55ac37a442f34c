import type { Authenticator, PresentedTokens } from '../authenticate.js'
import type { Workload } from '../identity/workload.js'
import { type AllowPredicate, allow } from './allow.js'

/** What one route asks of its callers. */
export interface AdmissionPolicy<Context> {
  readonly authenticator: Pick<Authenticator, 'authenticate'>
  /** Who may; null for every workload of a configured trust domain. */
  readonly allow: AllowPredicate<Context> | null
  /** Handed to the rule, such as the request. */
  readonly context: Context
}

/**
 * Establishes who sent a request and that this workload may.
 *
 * @throws AuthenticationError when the request does not show who sent it
 * @throws AuthorizationError `WIMSE_WORKLOAD_FORBIDDEN` when the workload may not
 * @throws UnavailableError when that cannot be told right now
 */
export async function admit<Context>(
  presented: PresentedTokens,
  policy: AdmissionPolicy<Context>,
): Promise<Workload> {
  const workload = await policy.authenticator.authenticate(presented)
  if (policy.allow !== null) await allow(workload, policy.allow, policy.context)
  return workload
}
