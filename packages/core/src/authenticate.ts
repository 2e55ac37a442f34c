import {
  type AuthenticatorOptions,
  LONGEST_STORE_CALL_MS,
  readAuthenticatorOptions,
} from './authenticator-options.js'
import { verifySignature } from './crypto/signature.js'
import type { SignatureCheck } from './crypto/signature-turns.js'
import { beforeDeadline, createStoreBudget, isPromise, type StoreBudget } from './deadline.js'
import { AuthenticationError, UnavailableError } from './errors.js'
import type { Workload } from './identity/workload.js'
import { claimAndTell } from './observation/replay.js'
import {
  beginVerification,
  noteProof,
  noteWit,
  toldVerification,
  type VerificationNotes,
} from './observation/verification.js'
import { isRequestTarget } from './proof/audience.js'
import { type VerifiedProof, verifyProof } from './proof/wpt.js'
import { proofFingerprint, takesClaims } from './replay/replay-store.js'
import { createStoreFailureJudge, type StoreEvent, warnOfStoreEvent } from './replay/store-failure.js'
import { challengesFor, type Revision } from './revisions.js'
import { createTrustedDomains } from './trust/trusted-domains.js'
import type { TrustedWit } from './trust/wit.js'

/** What came with one request, as received: strings nobody has looked into. */
export interface PresentedTokens {
  readonly wit: string
  readonly wpt: string
  /** Request target as received, in origin form; a query is allowed. */
  readonly path: string
  /** By which carriage the proof came. Default `'wpt-01'`. */
  readonly revision?: Revision | undefined
  /** The access token of an `Authorization: Bearer` or `DPoP` field. */
  readonly accessToken?: string | undefined
  /** The value of a `Txn-Token` field. */
  readonly txnToken?: string | undefined
  /** Every value of a field, whose name is in lower case; for `oth`. Default: no further fields came. */
  readonly header?: ((name: string) => readonly string[]) | undefined
}

/** Tells which workload sent a request. */
export interface Authenticator {
  /**
   * Establishes which workload sent this request: its identity token is signed by its own trust domain
   * and valid now, and the proof was made with the token's key, for this target, and never used before.
   *
   * This does NOT decide whether the workload may do what it asks for. Nothing covers method, query, body
   * or response.
   *
   * @param stores time that store calls of the request may take together; default `storeTimeoutMs`
   * @param notes for whoever tells how it ended, which this then does not; null where nobody listens
   * @throws AuthenticationError when the request does not show who sent it
   * @throws UnavailableError when that cannot be told right now
   */
  authenticate(
    presented: PresentedTokens,
    stores?: StoreBudget,
    notes?: VerificationNotes | null,
  ): Promise<Workload>
  /** Epoch seconds, by the clock that tokens are checked by. @throws UnavailableError when it gives no time */
  now(): number
  /** Bytes a token may have. */
  readonly maxTokenBytes: number
  /** Seconds clocks may differ. */
  readonly clockTolerance: number
  /** Milliseconds that stores may take. */
  readonly storeTimeoutMs: number
  /** Revisions of the proof accepted, in the order configured. */
  readonly revisions: readonly Revision[]
  /**
   * Loads the keys of every trust domain. Rejects when some are not there within five seconds; sources go
   * on trying, and until they succeed requests of that domain are answered with 503.
   */
  ready(): Promise<void>
  /**
   * Whether the keys of every trust domain are there and the replay store takes claims: for a readiness
   * probe, which leaves one claim a time behind, for a second. Never rejects.
   */
  isReady(): Promise<boolean>
  /** Lets go of what the trust sources hold. */
  close(): Promise<void>
}

type IsRevoked = NonNullable<AuthenticatorOptions['isRevoked']>

/** From when the clock is read until a proof is claimed. */
const LONGEST_REQUEST_SECONDS = 30
/** A replay entry outlives its proof by as much as a claim of the same proof may come late. */
const REPLAY_MARGIN_SECONDS = LONGEST_REQUEST_SECONDS + LONGEST_STORE_CALL_MS / 1000

/**
 * Makes an authenticator. Every option is checked now, so that nothing about a request can be the first
 * to find a mistake in the configuration.
 *
 * @param onStoreEvent hears, at most once a minute, of requests that `onStoreFailure: 'allow'` let in
 *   without a claim; without it the process emits a warning
 * @param verify checks the signatures of proofs. Default at once; a server that takes many requests at a time
 *   gains by `createSignatureTurns()`
 * @throws TypeError naming the option that is wrong or missing
 */
export function createAuthenticator(
  options: AuthenticatorOptions,
  onStoreEvent: (event: StoreEvent) => void = warnOfStoreEvent,
  verify: SignatureCheck = verifySignature,
): Authenticator {
  const settings = readAuthenticatorOptions(options)
  const judgeStoreFailure = createStoreFailureJudge(settings.onStoreFailure, onStoreEvent)
  const { domains, algorithms, witCacheSize } = settings
  const trusted = createTrustedDomains(domains, algorithms, witCacheSize)

  async function authenticate(
    presented: PresentedTokens,
    stores: StoreBudget = createStoreBudget(settings.storeTimeoutMs),
    notes: VerificationNotes | null = null,
  ): Promise<Workload> {
    const now = readTime()
    const start = performance.now()
    const { revision = 'wpt-01', path: target, accessToken, txnToken, header = () => [] } = presented
    if (notes !== null) noteProof(notes, revision)
    refuseUnfit(presented, revision)

    const trustedNow = trusted.trust(presented.wit, now)
    const known = isPromise(trustedNow) ? await trustedNow : trustedNow
    const { wit } = known
    if (notes !== null) noteWit(notes, wit, trusted.remembers(known))
    const context = { revision, target, accessToken, txnToken, header }
    const proved = verifyProof(presented.wpt, wit, context, settings, now, verify)
    const proof = isPromise(proved) ? await proved : proved
    trusted.remember(known)
    const workload = nameWorkload(wit, proof, revision)
    if (settings.isRevoked !== null) await refuseRevoked(workload, settings.isRevoked)

    // Last, so that only a proof nothing else is wrong with takes a place in the store.
    if (performance.now() - start > LONGEST_REQUEST_SECONDS * 1000) {
      throw new AuthenticationError('WIMSE_WPT_EXPIRED', {
        reason: 'the request took too long to check',
        challenges: challengesFor('WIMSE_WPT_EXPIRED', revision),
      })
    }
    if (settings.replay !== false) {
      try {
        const claim = {
          fingerprint: proofFingerprint(wit.subject, proof.jti),
          forSeconds: Math.ceil(proof.expiresAt + settings.clockTolerance - now) + REPLAY_MARGIN_SECONDS,
          caller: workload.id,
          revision,
          stores,
        }
        const claimed = claimAndTell(settings.replay, claim, workload.trustDomain)
        if (claimed !== undefined) await claimed
      } catch (error) {
        judgeStoreFailure(error)
      }
    }
    return workload
  }

  function readTime(): number {
    const now = settings.clock()
    if (now !== null) return now
    throw new UnavailableError('WIMSE_TRUST_UNAVAILABLE', { reason: 'the clock gives no time' })
  }

  function refuseUnfit({ wit, wpt, path }: PresentedTokens, revision: Revision): void {
    if (!isRequestTarget(path)) {
      throw new AuthenticationError('WIMSE_TARGET_INVALID', {
        reason: 'the request target is not an origin-form path that every reader reads alike',
        received: path,
      })
    }
    if (!settings.revisions.includes(revision)) {
      throw new AuthenticationError('WIMSE_WPT_MISSING', {
        reason: 'the proof came by a carriage not accepted here',
        challenges: challengesFor('WIMSE_WPT_MISSING', settings.revisions[0]!),
      })
    }
    const longest = Math.max(wit.length, wpt.length)
    if (longest > settings.maxTokenBytes) {
      throw new AuthenticationError('WIMSE_TOKEN_TOO_LARGE', {
        reason: 'a token is longer than maxTokenBytes',
        expected: settings.maxTokenBytes,
        received: longest,
      })
    }
  }

  async function refuseRevoked(workload: Workload, isRevoked: IsRevoked): Promise<void> {
    let revoked: unknown
    let cause: unknown
    try {
      revoked = await beforeDeadline(isRevoked(workload), LONGEST_REQUEST_SECONDS * 1000)
    } catch (error) {
      cause = error
    }
    if (revoked === false) return
    const reason = cause === undefined ? 'isRevoked says so' : 'isRevoked failed, which counts as revoked'
    throw new AuthenticationError('WIMSE_WIT_REVOKED', { reason, received: workload.id, cause })
  }

  async function isReady(): Promise<boolean> {
    const { replay, storeTimeoutMs } = settings
    return (await trusted.haveKeys()) && (replay === false || takesClaims(replay, storeTimeoutMs))
  }

  return {
    authenticate: (presented, stores, notes) => {
      const own = notes === undefined ? beginVerification() : null
      const verification = authenticate(presented, stores, notes ?? own)
      return own === null ? verification : toldVerification(own, verification)
    },
    now: readTime,
    maxTokenBytes: settings.maxTokenBytes,
    clockTolerance: settings.clockTolerance,
    storeTimeoutMs: settings.storeTimeoutMs,
    revisions: settings.revisions,
    ready: trusted.ready,
    isReady,
    close: trusted.close,
  }
}

function nameWorkload(
  { subject, claims, confirmation, expiresAt }: TrustedWit,
  proof: VerifiedProof,
  revision: Revision,
): Workload {
  return Object.freeze({
    id: subject.id,
    trustDomain: subject.trustDomain,
    path: subject.path,
    via: 'wit',
    revision,
    claims,
    keyThumbprint: confirmation.thumbprint,
    expiresAt,
    boundTokens: proof.boundTokens,
  })
}
