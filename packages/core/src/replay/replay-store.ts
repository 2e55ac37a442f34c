import { hash, randomBytes } from 'node:crypto'
import { beforeDeadline, isPromise, type StoreBudget } from '../deadline.js'
import { AuthenticationError, UnavailableError } from '../errors.js'
import type { WorkloadIdentifier } from '../identity/workload-identifier.js'
import { challengesFor, type Revision } from '../revisions.js'

/** `'first'` the first time a proof is claimed, `'seen'` for a replay, `'full'` when there is no room. */
export type ReplayAnswer = 'first' | 'seen' | 'full'

/** Remembers proofs that have been used. Shared by all processes that one proof could reach. */
export interface ReplayStore {
  /** `'process'` says that other processes do not see the entries, so that a service of several is warned. */
  readonly scope?: 'process'
  /**
   * Claims a proof for `forSeconds`; one atomic step.
   *
   * @param fingerprint fixed-length hash of sender and `jti`; never of the revision or of the token's text
   * @param forSeconds how long the entry must outlive this moment; a replay does not extend it
   * @param caller workload identifier, for a store that shares its room out fairly
   * @returns `'first'` the first time, `'seen'` for a replay, `'full'` when it has no room. Rejects when it
   *   cannot tell.
   */
  claim(fingerprint: string, forSeconds: number, caller: string): ReplayAnswer | Promise<ReplayAnswer>
}

/**
 * Names a proof by who sent it and its `jti`, so that one sender cannot use up another's. An identifier
 * cannot contain a line break, so the boundary is not in doubt.
 */
export function proofFingerprint(sender: WorkloadIdentifier, jti: string): string {
  return hash('sha256', `${sender.id}\n${jti}`, 'base64url')
}

/** A claim as the authenticator makes it. */
export interface ProofClaim {
  readonly fingerprint: string
  readonly forSeconds: number
  readonly caller: string
  readonly revision: Revision
  /** Time after which no answer counts as unavailable. */
  readonly stores: StoreBudget
}

/**
 * Spends a proof.
 *
 * @throws AuthenticationError `WIMSE_WPT_REPLAYED`
 * @throws UnavailableError `WIMSE_REPLAY_STORE_FULL`; `WIMSE_REPLAY_STORE_UNAVAILABLE` when the store
 *   rejects, takes too long, or gives an answer it may not give
 */
export function claimProof(store: ReplayStore, claim: ProofClaim): void | Promise<void> {
  const { fingerprint, forSeconds, caller } = claim
  let answer: ReplayAnswer | Promise<ReplayAnswer>
  try {
    answer = store.claim(fingerprint, forSeconds, caller)
  } catch (cause) {
    throw unanswered(cause)
  }
  return isPromise(answer) ? judgeInTime(answer, claim) : judge(answer, claim)
}

async function judgeInTime(asked: PromiseLike<ReplayAnswer>, claim: ProofClaim): Promise<void> {
  const { stores } = claim
  const start = performance.now()
  let answer: ReplayAnswer
  try {
    answer = await beforeDeadline(asked, stores.left())
  } catch (cause) {
    throw unanswered(cause)
  } finally {
    stores.spend(performance.now() - start)
  }
  judge(answer, claim)
}

function judge(answer: ReplayAnswer, { revision }: ProofClaim): void {
  switch (answer) {
    case 'first':
      return
    case 'seen':
      throw new AuthenticationError('WIMSE_WPT_REPLAYED', {
        reason: 'the proof has been claimed before',
        challenges: challengesFor('WIMSE_WPT_REPLAYED', revision),
      })
    case 'full':
      throw new UnavailableError('WIMSE_REPLAY_STORE_FULL', { reason: 'the replay store is full' })
    default:
      throw new UnavailableError('WIMSE_REPLAY_STORE_UNAVAILABLE', {
        reason: 'the replay store gave an answer outside its interface',
        received: answer satisfies never,
      })
  }
}

function unanswered(cause: unknown): UnavailableError {
  return new UnavailableError('WIMSE_REPLAY_STORE_UNAVAILABLE', {
    reason: 'the replay store did not answer',
    received: cause instanceof Error ? cause.message : undefined,
    cause,
  })
}

/** Whether a store takes claims: it is given one that means nothing, for a second. Never rejects. */
export async function takesClaims(store: ReplayStore, timeoutMs: number): Promise<boolean> {
  try {
    const fingerprint = randomBytes(32).toString('base64url')
    const answer = store.claim(fingerprint, 1, 'wimse://readiness.invalid')
    return (await beforeDeadline(answer, timeoutMs)) === 'first'
  } catch {
    return false
  }
}
