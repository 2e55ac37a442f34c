import type { AuthenticationErrorCode } from './codes.js'
import { readStrings } from './options.js'

/** A revision of the proof specification, named after the draft that first described its carriage. */
export type Revision = 'wpt-01' | 'wpt-02'

interface RevisionRules {
  /** The field that carries the proof, in lower case. */
  readonly proofField: 'workload-proof-token' | 'authorization'
  /** Whether an access token may travel beside the proof and has to be covered by `ath`. */
  readonly accessToken: boolean
  /** Value of `WWW-Authenticate` when the proof is refused; null where a 401 is not used. */
  readonly challenge: string | null
}

/**
 * All that differs between the revisions. The road of a request is the same in each.
 *
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html}
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-02.html}
 */
export const REVISIONS: Readonly<Record<Revision, RevisionRules>> = {
  'wpt-01': { proofField: 'workload-proof-token', accessToken: true, challenge: null },
  'wpt-02': { proofField: 'authorization', accessToken: false, challenge: 'WPT' },
}

/** Reads the option `revisions`, or takes the first revision alone. @throws TypeError naming the option */
export function readRevisions(value: unknown): readonly Revision[] {
  const names = readStrings('revisions', value === undefined ? ['wpt-01'] : value)
  if (names.length > 0 && names.every((name) => Object.hasOwn(REVISIONS, name))) return names as Revision[]
  throw new TypeError(`option revisions must be a list of ${Object.keys(REVISIONS).join(', ')}`)
}

/** Challenges for a refusal in one revision: only what is wrong with the proof asks for another proof. */
export function challengesFor(code: AuthenticationErrorCode, revision: Revision): readonly string[] {
  const { challenge } = REVISIONS[revision]
  return challenge !== null && code.startsWith('WIMSE_WPT_') ? [challenge] : []
}
