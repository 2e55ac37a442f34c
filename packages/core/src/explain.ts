/**
 * Why a request is let in or refused: every check that a service makes, in its order, with what was compared.
 *
 * Nothing here needs Node: {@link explain} runs in a browser, and takes from outside the two things that
 * browser and server do differently, {@link ExplainCrypto}. It is for looking at requests, never for letting
 * them in; `createAuthenticator` does that.
 *
 * @module
 */
import type { AuthenticationErrorCode } from './codes.js'
import { REFUSALS } from './codes.js'
import { type Check, createCheckList } from './explain/check-list.js'
import { type ExplainPolicy, readPolicy } from './explain/policy.js'
import { checkFields, type HeaderPairs, pairsOf, readFields } from './explain/presented-fields.js'
import { checkProof } from './explain/proof-checks.js'
import type { ExplainCrypto } from './explain/signature-check.js'
import { checkShape, type ReadToken } from './explain/token-shape.js'
import { checkWit } from './explain/wit-checks.js'
import { challengesFor, type Revision } from './revisions.js'

export type { AuthenticationErrorCode } from './codes.js'
export type { Check, CheckOutcome } from './explain/check-list.js'
export type { CheckId, Rule } from './explain/check-table.js'
export { parsePastedRequest, type PastedRequest } from './explain/pasted-request.js'
export type { ExplainPolicy, ExplainTrustDomain } from './explain/policy.js'
export type { HeaderPairs } from './explain/presented-fields.js'
export type { ExplainCrypto } from './explain/signature-check.js'
export { type SubtleVerifier, webCrypto } from './explain/web-crypto.js'
export type { AlgorithmName } from './jws/algorithms.js'
export type { PublicJwk } from './jws/public-jwk.js'
export type { AudienceOptions } from './proof/audience.js'
export type { Revision } from './revisions.js'

/** The request to explain, as it came. */
export interface ExplainRequest {
  /** Absolute URL that was called; gives `target`, and the audience where the policy names none. */
  readonly url?: string
  /** Request target as the service receives it: path and query. Default that of `url`. */
  readonly target?: string
  /** All header fields, repeated ones included. Default none. */
  readonly headers?: HeaderPairs
  /** As if it stood in `Workload-Identity-Token`. */
  readonly wit?: string
  /** As if it stood in the field of the first revision of the policy. */
  readonly wpt?: string
}

/** A token as it reads. Whether any of it is true is for the checks to say. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** What a service makes of a request. */
export interface Explanation {
  /**
   * `'accepted'`: all passed that can be told without the service; `'refused'`: something failed;
   * `'undecided'`: nothing failed, and something could not be told.
   */
  readonly verdict: 'accepted' | 'refused' | 'undecided'
  /** What the service answers with; null when nothing failed. */
  readonly code: AuthenticationErrorCode | null
  /** HTTP status of that answer; null when nothing failed. */
  readonly status: number | null
  /** Title of that answer; null when nothing failed. */
  readonly title: string | null
  /** Codes that would come before it, were those checks to fail that could not be told. */
  readonly unless: readonly AuthenticationErrorCode[]
  /** By which carriage the proof came, or would have to. */
  readonly revision: Revision
  /** Every check, in order, also those not made. */
  readonly checks: readonly Check[]
  /** Null where there is none, or none that can be read. */
  readonly wit: DecodedToken | null
  readonly wpt: DecodedToken | null
}

/** Only the service knows. */
const ASKED_OF_THE_SERVICE: ReadonlySet<string> = new Set(['revocation', 'replay'])

/**
 * Makes every check of a request that can be made without the service it was sent to, and says for each what
 * it compared. A check goes on where one before it failed, as long as there is something to look at.
 *
 * This does NOT tell whether the workload has been revoked, whether the proof was used before, or whether the
 * route admits the workload: the first two are listed as `'unknown'`. The result holds claims of the tokens;
 * no error does.
 *
 * @throws TypeError naming what is wrong with the policy, or that the request has no `url` or `target`
 */
export async function explain(
  request: ExplainRequest,
  policy: ExplainPolicy,
  crypto: ExplainCrypto,
): Promise<Explanation> {
  const { origin, target } = readAddress(request)
  const settings = readPolicy(policy, origin)
  const list = createCheckList()
  const read = readFields(headersOf(request, settings.revisions))
  const tokens = checkFields(read, target, settings, list)

  const wit = tokens.wit === null ? null : checkShape('wit', tokens.wit, settings.algorithms, list)
  const confirmation = wit === null ? null : await checkWit(wit, settings, crypto, list)
  const wpt = tokens.wpt === null ? null : checkShape('proof', tokens.wpt, settings.algorithms, list)
  if (wpt !== null) {
    const surroundings = { tokens, fields: read.fields, target, confirmation }
    await checkProof(wpt, surroundings, settings, crypto, list)
  }
  list.doubt('revocation', { reason: 'only the service can tell' })
  list.doubt('replay', { reason: 'only the service remembers which proofs it has seen' })

  return {
    ...verdictOf(list.checks(), tokens.revision),
    revision: tokens.revision,
    checks: list.checks(),
    wit: decoded(wit),
    wpt: decoded(wpt),
  }
}

function readAddress({ url, target }: ExplainRequest): { origin: string | null; target: string } {
  // By hand, because the URL Standard would take dot segments out of a path that the service sees as it came.
  const parts = /^(https?:\/\/[^/?#\\]+)([^#]*)/i.exec(url ?? '')
  if (url !== undefined && parts === null) throw new TypeError('url is not an absolute http or https URL')
  const path = target ?? (parts === null ? undefined : parts[2]!.replace(/^(?!\/)/, '/'))
  if (path === undefined) throw new TypeError('the request has neither url nor target')
  return { origin: parts?.[1] ?? null, target: path }
}

function headersOf({ headers = [], wit, wpt }: ExplainRequest, revisions: readonly Revision[]): HeaderPairs {
  const more: (readonly [string, string])[] = []
  if (wit !== undefined) more.push(['Workload-Identity-Token', wit])
  if (wpt !== undefined) {
    more.push(revisions[0] === 'wpt-02' ? ['Authorization', `WPT ${wpt}`] : ['Workload-Proof-Token', wpt])
  }
  return [...pairsOf(headers), ...more]
}

function verdictOf(
  checks: readonly Check[],
  revision: Revision,
): Pick<Explanation, 'verdict' | 'code' | 'status' | 'title' | 'unless'> {
  const failedAt = checks.findIndex(({ outcome }) => outcome === 'failed')
  const open = checks
    .slice(0, failedAt === -1 ? undefined : failedAt)
    .filter(({ id, outcome }) => outcome === 'unknown' && !ASKED_OF_THE_SERVICE.has(id))
  const unless = [...new Set(open.map(({ code }) => code))]
  if (failedAt === -1) {
    const verdict = open.length === 0 ? 'accepted' : 'undecided'
    return { verdict, code: null, status: null, title: null, unless }
  }
  const { code } = checks[failedAt]!
  const { status, title } = REFUSALS[code]
  const isChallenge = status === 400 && challengesFor(code, revision).length > 0
  return { verdict: 'refused', code, status: isChallenge ? 401 : status, title, unless }
}

function decoded(token: ReadToken | null): DecodedToken | null {
  return token === null ? null : { header: token.parts.header, claims: token.claims }
}
