import { AuthorizationError } from '../errors.js'
import { isTrustDomain, parseWorkloadIdentifier } from '../identity/workload-identifier.js'
import type { Workload } from '../identity/workload.js'

/** Decides about one workload. Only `true` lets it in. */
export type AllowPredicate<Context> = (workload: Workload, context: Context) => boolean | Promise<boolean>

/**
 * Who may: a workload identifier (exact), a function, or a list of which one has to hold. The functions
 * {@link memberOf} and {@link under} make the usual ones.
 */
export type AllowRule<Context = unknown> =
  | string
  | AllowPredicate<Context>
  | readonly (string | AllowPredicate<Context>)[]

/**
 * Lets in every workload of a trust domain.
 *
 * @param trustDomain scheme and trust domain, `wimse://example.com`; its subdomains are other domains
 * @throws TypeError when it is not one
 */
export function memberOf(trustDomain: string): (workload: Workload) => boolean {
  if (!isTrustDomain(trustDomain))
    throw new TypeError('memberOf: give scheme and trust domain, wimse://example.com')
  return (workload) => workload.trustDomain === trustDomain
}

/**
 * Lets in the workload of this identifier and those below it, by whole segments: `…/ns/shop` covers
 * `…/ns/shop/cart` and not `…/ns/shopping`. A trust domain alone is refused, because everyone is below it:
 * {@link memberOf} says so when that is meant.
 *
 * @throws TypeError when it is not a workload identifier with a path
 */
export function under(identifier: string): (workload: Workload) => boolean {
  const { id, trustDomain, path } = parseWorkloadIdentifier(identifier)
  if (path === '') {
    throw new TypeError('under: give an identifier with a path; memberOf lets in a whole trust domain')
  }
  return (workload) =>
    workload.trustDomain === trustDomain && (workload.id === id || workload.id.startsWith(`${id}/`))
}

/**
 * Makes one function of a rule.
 *
 * @throws TypeError for an empty list, a malformed identifier, or anything else that is not a rule
 */
export function compileAllowRule<Context>(rule: AllowRule<Context>): AllowPredicate<Context> {
  const rules = Array.isArray(rule) ? (rule as readonly (string | AllowPredicate<Context>)[]) : [rule]
  if (rules.length === 0) throw new TypeError('option allow must not be an empty list')
  const identifiers = new Set<string>()
  const predicates: AllowPredicate<Context>[] = []
  for (const one of rules) {
    if (typeof one === 'string') identifiers.add(readIdentifier(one))
    else if (typeof one === 'function') predicates.push(one)
    else throw new TypeError('option allow must be workload identifiers or functions')
  }
  return async (workload, context) => {
    if (identifiers.has(workload.id)) return true
    for (const predicate of predicates) if ((await predicate(workload, context)) === true) return true
    return false
  }
}

function readIdentifier(text: string): string {
  if (text.endsWith('*')) {
    throw new TypeError(
      'option allow: identifiers are compared as they stand; use memberOf() or under() for many',
    )
  }
  try {
    return parseWorkloadIdentifier(text).id
  } catch (cause) {
    throw new TypeError('option allow: not a workload identifier in canonical form', { cause })
  }
}

/**
 * Asks a rule. A rule that throws admits nobody.
 *
 * @throws AuthorizationError `WIMSE_WORKLOAD_FORBIDDEN`; its `cause` is what the rule threw
 */
export async function allow<Context>(
  workload: Workload,
  rule: AllowPredicate<Context>,
  context: Context,
): Promise<void> {
  let allowed: unknown
  try {
    allowed = await rule(workload, context)
  } catch (cause) {
    throw new AuthorizationError('WIMSE_WORKLOAD_FORBIDDEN', {
      reason: 'the allow rule failed, which admits nobody',
      received: workload.id,
      cause: cause ?? new Error('the rule threw nothing'),
    })
  }
  if (allowed === true) return
  throw new AuthorizationError('WIMSE_WORKLOAD_FORBIDDEN', {
    reason: 'no allow rule admits the workload',
    received: workload.id,
  })
}
