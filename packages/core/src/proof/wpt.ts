import type { SignatureCheck } from '../crypto/signature-turns.js'
import { tokenHash } from '../crypto/token-hash.js'
import { isPromise } from '../deadline.js'
import { AuthenticationError } from '../errors.js'
import { trimmed } from '../field-value.js'
import type { BoundTokens } from '../identity/workload.js'
import { JwsRefused, parseCompactJws, type UnverifiedJws } from '../jws/compact-jws.js'
import type { JsonObject } from '../jws/strict-json.js'
import { challengesFor, REVISIONS, type Revision } from '../revisions.js'
import type { TrustedWit } from '../trust/wit.js'
import type { AudienceMatcher } from './audience.js'
import { readExpiry, readIdentifier, type Refuse } from './proof-claims.js'

/** A proof that was made by the holder of the confirmation key, for this WIT and this request. */
export interface VerifiedProof {
  readonly jti: string
  /** Epoch seconds. */
  readonly expiresAt: number
  readonly boundTokens: BoundTokens
}

/** The request a proof came with. */
export interface ProofContext {
  readonly revision: Revision
  /** Request target as received. */
  readonly target: string
  readonly accessToken: string | undefined
  readonly txnToken: string | undefined
  /** Every value of a field of the request; the name is in lower case. */
  readonly header: (name: string) => readonly string[]
}

/** What a proof has to keep to. */
export interface ProofRules {
  /** Algorithms accepted, by name. */
  readonly algorithms: ReadonlySet<string>
  readonly audience: AudienceMatcher
  /** Seconds. */
  readonly clockTolerance: number
  /** Seconds; an expiry further ahead is refused. */
  readonly maxProofLifetime: number
  /** Lower-case names of the fields that carry tokens here, and so have to be covered. */
  readonly otherTokens: readonly string[]
}

const LONGEST_AUDIENCE = 8192

/**
 * Checks that the caller holds the key its WIT names, and meant this request: the algorithm of the
 * confirmation key, a short life, an identifier, the audience, the hashes of the WIT and of the tokens
 * beside it, and last the signature.
 *
 * This does NOT check for replay; claiming the proof does, once nothing else can fail. It does NOT cover
 * method, query, body or response: a proof does not contain them.
 *
 * @param now epoch seconds
 * @param verify checks the signature; what it promises is waited for
 * @throws AuthenticationError any `WIMSE_WPT_*` but `_MISSING`, `_REPEATED` and `_REPLAYED`
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html#section-2}
 */
export function verifyProof(
  token: string,
  wit: TrustedWit,
  context: ProofContext,
  rules: ProofRules,
  now: number,
  verify: SignatureCheck,
): VerifiedProof | Promise<VerifiedProof> {
  const refuse: Refuse = (code, reason, expected, received) =>
    new AuthenticationError(code, {
      reason,
      expected,
      received,
      challenges: challengesFor(code, context.revision),
    })
  const { key, algorithm, names } = wit.confirmation
  const jws = parseProof(token, rules.algorithms, refuse)
  const { claims } = jws
  if (!names.includes(jws.algorithm.name)) {
    throw refuse('WIMSE_WPT_ALGORITHM', 'alg is not that of cnf.jwk', names, jws.algorithm.name)
  }
  const expiresAt = readExpiry(claims, rules, now, refuse)
  const jti = readIdentifier(claims, refuse)
  checkAudience(claims['aud'], context.target, rules.audience, refuse)
  if (claims['wth'] !== wit.hash) {
    throw refuse('WIMSE_WPT_WIT_HASH', 'wth is not the hash of the WIT', wit.hash, claims['wth'])
  }
  const boundTokens = checkBoundTokens(claims, context, rules.otherTokens, refuse)
  const judge = (isSigned: boolean): VerifiedProof => {
    if (isSigned) return { jti, expiresAt, boundTokens }
    throw refuse('WIMSE_WPT_SIGNATURE', 'the signature does not verify under cnf.jwk')
  }
  const verdict = verify(algorithm, key, jws.signingInput, jws.signature, wit.subject.id)
  return isPromise(verdict) ? verdict.then(judge) : judge(verdict)
}

function parseProof(token: string, algorithms: ReadonlySet<string>, refuse: Refuse): UnverifiedJws {
  try {
    return parseCompactJws(token, { typ: 'wpt+jwt', algorithms })
  } catch (error) {
    if (!(error instanceof JwsRefused)) throw error
    throw refuse(`WIMSE_WPT_${error.fault}`, error.message, undefined, error.received)
  }
}

function checkAudience(aud: unknown, target: string, audience: AudienceMatcher, refuse: Refuse): void {
  // One recipient a proof: one meant for several could be used by each against the others.
  const single: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (typeof single === 'string' && single.length <= LONGEST_AUDIENCE && audience.matches(single, target))
    return
  throw refuse(
    'WIMSE_WPT_AUDIENCE',
    'aud is not the target of this request',
    audience.expectedFor(target),
    Array.isArray(aud) ? aud.slice(0, 4) : aud,
  )
}

function checkBoundTokens(
  claims: JsonObject,
  { revision, accessToken, txnToken, header }: ProofContext,
  required: readonly string[],
  refuse: Refuse,
): BoundTokens {
  if (REVISIONS[revision].accessToken && !coversExactly(claims['ath'], accessToken)) {
    throw refuse('WIMSE_WPT_ACCESS_TOKEN_HASH', missing('ath', accessToken))
  }
  if (!coversExactly(claims['tth'], txnToken)) {
    throw refuse('WIMSE_WPT_TXN_TOKEN_HASH', missing('tth', txnToken))
  }
  return Object.freeze({
    accessToken: REVISIONS[revision].accessToken && accessToken !== undefined,
    txnToken: txnToken !== undefined,
    otherTokens: checkOtherTokens(claims['oth'], header, required, refuse),
  })
}

/** A hash without its token means that the token was taken away on the road. */
function coversExactly(hash: unknown, token: string | undefined): boolean {
  return token === undefined ? hash === undefined : hash === tokenHash(token)
}

function missing(claim: string, token: string | undefined): string {
  return token === undefined
    ? `${claim} is there and the token it covers is not`
    : `${claim} is not the hash of the token in the request`
}

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

function checkOtherTokens(
  oth: unknown,
  header: ProofContext['header'],
  required: readonly string[],
  refuse: Refuse,
): readonly string[] {
  if (oth !== undefined && (typeof oth !== 'object' || oth === null || Array.isArray(oth))) {
    throw refuse('WIMSE_WPT_OTHER_TOKEN_HASH', 'oth is not an object')
  }
  const hashes = Object.entries((oth ?? {}) as JsonObject)
  for (const [name, hash] of hashes) {
    const values = FIELD_NAME.test(name) ? header(name) : []
    if (values.length !== 1) {
      throw refuse(
        'WIMSE_WPT_OTHER_TOKEN_HASH',
        'oth names a field that is not there exactly once',
        1,
        values.length,
      )
    }
    if (hash !== tokenHash(trimmed(values[0]!))) {
      throw refuse('WIMSE_WPT_OTHER_TOKEN_HASH', 'a hash in oth is not that of the field', undefined, name)
    }
  }
  const covered = hashes.map(([name]) => name)
  const uncovered = required.find((name) => header(name).length > 0 && !covered.includes(name))
  if (uncovered !== undefined) {
    throw refuse('WIMSE_WPT_OTHER_TOKEN_HASH', 'oth does not cover a field that carries a token', uncovered)
  }
  return Object.freeze(covered)
}
