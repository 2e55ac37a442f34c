import { openChannel } from '../channels.js'
import { AuthenticationError, UnavailableError } from '../errors.js'
import { claimProof, type ProofClaim, type ReplayAnswer, type ReplayStore } from '../replay/replay-store.js'

/** What a replay store answered, as published on the channel `wimse.replay`. It has no fingerprint and no caller. */
export interface ReplayMessage {
  /** `'unavailable'` where it gave no answer in time, or one outside its interface. */
  readonly answer: ReplayAnswer | 'unavailable'
  /** Milliseconds the claim took. */
  readonly durationMs: number
  /** Of the caller. */
  readonly trustDomain: string
}

const claims = openChannel<ReplayMessage>('wimse.replay')

/** As {@link claimProof}, and tells whoever listens. */
export function claimAndTell(
  store: ReplayStore,
  claim: ProofClaim,
  trustDomain: string,
): void | Promise<void> {
  return claims.hasSubscribers ? claimTold(store, claim, trustDomain) : claimProof(store, claim)
}

async function claimTold(store: ReplayStore, claim: ProofClaim, trustDomain: string): Promise<void> {
  const start = performance.now()
  const tell = (answer: ReplayMessage['answer']): void =>
    claims.publish({ answer, durationMs: performance.now() - start, trustDomain })
  try {
    await claimProof(store, claim)
  } catch (error) {
    tell(answerBehind(error))
    throw error
  }
  tell('first')
}

function answerBehind(error: unknown): ReplayMessage['answer'] {
  if (error instanceof AuthenticationError) return 'seen'
  const isFull = error instanceof UnavailableError && error.code === 'WIMSE_REPLAY_STORE_FULL'
  return isFull ? 'full' : 'unavailable'
}
