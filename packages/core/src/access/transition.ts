import { beforeDeadline } from '../deadline.js'
import { AuthenticationError, UnavailableError } from '../errors.js'
import { parseWorkloadIdentifier } from '../identity/workload-identifier.js'
import type { Workload } from '../identity/workload.js'
import { readNumber, readStrings, refuseUnknownOptions } from '../options.js'
import { REALM } from './bearer.js'
import type { CallerMemory } from './caller-memory.js'
import { memoryCallerMemory } from './memory-caller-memory.js'

/** How callers move from bearer tokens to WITs. */
export interface TransitionOptions {
  /**
   * Who has shown a valid WIT, and so may not come back with a bearer token; `false` remembers nobody.
   * Default {@link memoryCallerMemory}.
   */
  readonly remember?: CallerMemory | false
  /** Callers that the operator knows to have moved: identifiers, or a function. Default none. */
  readonly upgraded?: readonly string[] | ((workload: Workload) => boolean | Promise<boolean>)
  /** Seconds a caller may still use both, from its first WIT on: for a rolling deployment. Default 0. */
  readonly grace?: number
  /** Since when bearer tokens are deprecated: sent to whoever uses one. */
  readonly deprecation?: Date
  /** When bearer tokens stop: sent to whoever uses one, who is refused from then on. */
  readonly sunset?: Date
  /** URL of a page about it, sent along. */
  readonly link?: string
}

/** Transition options that have been checked. */
export interface Transition {
  readonly memory: CallerMemory | null
  readonly upgraded: (workload: Workload) => boolean | Promise<boolean>
  readonly grace: number
  readonly deprecation: Date | null
  readonly sunset: Date | null
  readonly link: string | null
}

const OPTIONS: readonly (keyof TransitionOptions)[] = [
  'remember',
  'upgraded',
  'grace',
  'deprecation',
  'sunset',
  'link',
]

/** Checks transition options. @throws TypeError naming the one that is wrong */
export function readTransitionOptions(options: TransitionOptions = {}): Transition {
  refuseUnknownOptions('option transition', options, OPTIONS)
  const { remember = memoryCallerMemory(), upgraded = [], link } = options
  if (remember !== false && !isCallerMemory(remember)) {
    throw new TypeError('option transition.remember must be a caller memory or false')
  }
  if (remember === false && options.grace !== undefined) {
    throw new TypeError('option transition.grace means nothing where nobody is remembered')
  }
  return {
    memory: remember === false ? null : remember,
    upgraded: readUpgraded(upgraded),
    grace: readNumber('transition.grace', options.grace, { default: 0, min: 0 }),
    ...readDates('transition', options),
    link: readLink('transition.link', link),
  }
}

/** The dates and the link of one route, over those of its registration. @throws TypeError */
export function withRouteDates(
  transition: Transition,
  options: Pick<TransitionOptions, 'deprecation' | 'sunset' | 'link'>,
): Transition {
  refuseUnknownOptions('config.wimse.transition', options, ['deprecation', 'sunset', 'link'])
  const { deprecation = transition.deprecation ?? undefined, sunset = transition.sunset ?? undefined } =
    options
  const dates = {
    ...(deprecation === undefined ? {} : { deprecation }),
    ...(sunset === undefined ? {} : { sunset }),
  }
  return {
    ...transition,
    ...readDates('config.wimse.transition', dates),
    link:
      options.link === undefined ? transition.link : readLink('config.wimse.transition.link', options.link),
  }
}

/**
 * Looks at the choice of credential again, now that it is known who made it: a caller that has a WIT may
 * not come back with a bearer token, which someone may have taken from it.
 *
 * @param now epoch seconds
 * @throws AuthenticationError `WIMSE_BEARER_SUNSET`, `WIMSE_BEARER_REFUSED`
 * @throws UnavailableError `WIMSE_CALLER_MEMORY_UNAVAILABLE` when that cannot be told
 */
export async function revalidateBearer(
  workload: Workload,
  transition: Transition,
  now: number,
  timeoutMs: number,
): Promise<void> {
  const { sunset, memory, grace, upgraded } = transition
  if (sunset !== null && now >= sunset.getTime() / 1000) {
    throw refuse('WIMSE_BEARER_SUNSET', 'bearer tokens have stopped here', sunset.toISOString())
  }
  let isUpgraded: unknown
  let since: unknown
  try {
    isUpgraded = await beforeDeadline(upgraded(workload), timeoutMs)
    since = memory === null ? null : await beforeDeadline(memory.since(workload.id), timeoutMs)
    if (since !== null && !Number.isFinite(since)) throw new TypeError('an answer outside the interface')
  } catch (cause) {
    throw unavailable('nobody can tell whether the caller has a WIT', cause)
  }
  if (isUpgraded !== false)
    throw refuse('WIMSE_BEARER_REFUSED', 'the operator says that the caller has a WIT')
  // Without grace not even a clock that is ahead elsewhere makes it the future.
  if (since !== null && (grace === 0 || now >= (since as number) + grace)) {
    throw refuse('WIMSE_BEARER_REFUSED', 'the caller has shown a WIT before', `WIT since ${since as number}`)
  }
}

/**
 * Remembers that a caller has shown a WIT. Only for one that was let in: what is remembered is used against
 * bearer tokens of the same name.
 *
 * @throws UnavailableError `WIMSE_CALLER_MEMORY_UNAVAILABLE`
 */
export async function rememberCaller(
  workload: Workload,
  { memory }: Transition,
  now: number,
  timeoutMs: number,
): Promise<void> {
  try {
    if (memory !== null) await beforeDeadline(memory.remember(workload.id, now), timeoutMs)
  } catch (cause) {
    throw unavailable('it cannot be remembered that the caller has a WIT', cause)
  }
}

/**
 * Response fields for a caller that used a bearer token: since when that is deprecated, and until when it
 * works.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9745#section-2}
 * @see {@link https://www.rfc-editor.org/rfc/rfc8594#section-3}
 */
export function deprecationFields({
  deprecation,
  sunset,
  link,
}: Transition): Readonly<Record<string, string>> {
  return {
    ...(deprecation === null ? {} : { deprecation: `@${Math.floor(deprecation.getTime() / 1000)}` }),
    ...(sunset === null ? {} : { sunset: sunset.toUTCString() }),
    ...(link === null ? {} : { link: `<${link}>; rel="deprecation"; type="text/html"` }),
  }
}

function isCallerMemory(value: unknown): value is CallerMemory {
  const memory = value as Record<string, unknown> | null
  return ['remember', 'since', 'forget'].every((method) => typeof memory?.[method] === 'function')
}

function readUpgraded(upgraded: TransitionOptions['upgraded'] & {}): Transition['upgraded'] {
  if (typeof upgraded === 'function') return upgraded
  const names = readStrings('transition.upgraded', upgraded)
  try {
    const identifiers = new Set(names.map((name) => parseWorkloadIdentifier(name).id))
    return ({ id }) => identifiers.has(id)
  } catch (cause) {
    throw new TypeError('option transition.upgraded must be workload identifiers', { cause })
  }
}

function readDates(
  name: string,
  { deprecation, sunset }: Pick<TransitionOptions, 'deprecation' | 'sunset'>,
): Pick<Transition, 'deprecation' | 'sunset'> {
  for (const [member, date] of Object.entries({ deprecation, sunset })) {
    if (date !== undefined && !(date instanceof Date && Number.isFinite(date.getTime()))) {
      throw new TypeError(`option ${name}.${member} must be a date`)
    }
  }
  if (deprecation !== undefined && sunset !== undefined && sunset < deprecation) {
    throw new TypeError(`option ${name}.sunset must not be before deprecation`)
  }
  return { deprecation: deprecation ?? null, sunset: sunset ?? null }
}

function readLink(name: string, link: unknown): string | null {
  if (link === undefined) return null
  if (
    typeof link === 'string' &&
    /^https?:\/\/[\x21\x23-\x3b\x3d\x3f-\x7e]+$/.test(link) &&
    URL.canParse(link)
  )
    return link
  throw new TypeError(`option ${name} must be an http or https URL`)
}

function refuse(
  code: 'WIMSE_BEARER_REFUSED' | 'WIMSE_BEARER_SUNSET',
  reason: string,
  expected?: string,
): AuthenticationError {
  const challenges = [`Bearer realm="${REALM}", error="insufficient_scope"`]
  return new AuthenticationError(code, { reason, expected, challenges })
}

function unavailable(reason: string, cause: unknown): UnavailableError {
  return new UnavailableError('WIMSE_CALLER_MEMORY_UNAVAILABLE', { reason, cause })
}
