import { openChannel } from '../channels.js'
import type {
  AuthenticationErrorCode,
  AuthorizationErrorCode,
  Stage,
  UnavailableErrorCode,
} from '../codes.js'
import { AuthenticationError, AuthorizationError, UnavailableError } from '../errors.js'
import type { Workload } from '../identity/workload.js'
import { REVISIONS, type Revision } from '../revisions.js'
import type { TrustedWit } from '../trust/wit.js'

/**
 * What became of one verification, as published on the channel `wimse.verify`. It has no part of a token, no
 * identifier of a workload, no thumbprint and no path of a request.
 */
export interface VerifyMessage {
  /** `'unavailable'`: nothing is known to be wrong with the request, and it was not let in. */
  readonly outcome: 'admitted' | 'refused' | 'unavailable'
  /** Null when admitted, and when something failed that is none of our refusals. */
  readonly code: AuthenticationErrorCode | AuthorizationErrorCode | UnavailableErrorCode | null
  /** Where on the road it was refused; null as `code` is. */
  readonly stage: Stage | null
  /** The credential that decides; null when it was refused before one was chosen. */
  readonly via: 'wit' | 'bearer' | null
  /** By which carriage the proof came; null for a bearer token, and when it was refused before that was told. */
  readonly revision: Revision | null
  /** One of those configured, once the WIT or the bearer token is verified. Null before: anyone can claim one. */
  readonly trustDomain: string | null
  /** Of the proof, once the WIT is verified; else null. */
  readonly algorithm: string | null
  /** Whether the WIT was known, and so not verified again; null until it is trusted. */
  readonly known: boolean | null
  /** Milliseconds from the first look at the request until the decision. */
  readonly durationMs: number
  /** The route as it was declared, such as `GET /stock/:sku`; null outside a framework. */
  readonly route: string | null
  /** A WIT that came along where a bearer token decides, and was tried: it let nobody in and kept nobody out. */
  readonly dryRun: boolean
}

/** What is found out about one verification while it runs, for whoever tells of it. */
export interface VerificationNotes {
  readonly startedAt: number
  readonly route: string | null
  readonly dryRun: boolean
  via: VerifyMessage['via']
  revision: Revision | null
  algorithm: string | null
  known: boolean | null
  trustDomain: string | null
  /** Once the caller has shown who it is; a WIT alone does not. */
  callerId: string | null
}

const verifications = openChannel<VerifyMessage>('wimse.verify')

/** Who a message is about. Beside the message and not in it, so that whoever writes messages down names nobody. */
const callers = new WeakMap<VerifyMessage, string>()

/**
 * Begins to take notes of a verification, if anybody listens. Whoever begins tells, and hands the notes on so
 * that nobody else does.
 *
 * @param route as it was declared, never the path of a request
 * @returns null when nobody listens
 */
export function beginVerification(route: string | null = null, dryRun = false): VerificationNotes | null {
  if (!verifications.hasSubscribers) return null
  return {
    startedAt: performance.now(),
    route,
    dryRun,
    via: null,
    revision: null,
    trustDomain: null,
    algorithm: null,
    known: null,
    callerId: null,
  }
}

/** Notes that a WIT and a proof decide, and by which carriage they came. */
export function noteProof(notes: VerificationNotes, revision: Revision): void {
  notes.via = 'wit'
  // Whatever somebody may hand over: what is told is one of those we know.
  notes.revision = Object.hasOwn(REVISIONS, revision) ? revision : null
}

/** Notes the WIT that was found to be trusted. It does not show that its owner sent it. */
export function noteWit(
  notes: VerificationNotes,
  { subject, confirmation }: TrustedWit,
  known: boolean,
): void {
  notes.trustDomain = subject.trustDomain
  notes.algorithm = confirmation.algorithm.name
  notes.known = known
}

/** Notes who it is. */
export function noteCaller(notes: VerificationNotes, { id, trustDomain, via }: Workload): void {
  notes.via = via
  notes.trustDomain = trustDomain
  notes.callerId = id
}

/** Tells that the request was let in. */
export function tellAdmission(notes: VerificationNotes): void {
  tell(notes, { outcome: 'admitted', code: null, stage: null })
}

/** Tells that the request was not let in, whatever was thrown. */
export function tellRefusal(notes: VerificationNotes, error: unknown): void {
  if (error instanceof AuthenticationError || error instanceof AuthorizationError) {
    tell(notes, { outcome: 'refused', code: error.code, stage: error.diagnostics.stage })
  } else if (error instanceof UnavailableError) {
    tell(notes, { outcome: 'unavailable', code: error.code, stage: error.diagnostics.stage })
  } else {
    // A defect, ours or of a function of the operator's.
    tell(notes, { outcome: 'unavailable', code: null, stage: null })
  }
}

/** Tells how a verification ends, once it does. */
export async function toldVerification(
  notes: VerificationNotes,
  verification: Promise<Workload>,
): Promise<Workload> {
  try {
    const workload = await verification
    noteCaller(notes, workload)
    tellAdmission(notes)
    return workload
  } catch (error) {
    tellRefusal(notes, error)
    throw error
  }
}

/**
 * The workload identifier a message of `wimse.verify` is about, if it was known by then; else null. For traces,
 * where the operator wants it there. Only for the message itself, as the channel gave it.
 */
export function callerOf(message: VerifyMessage): string | null {
  return callers.get(message) ?? null
}

function tell(
  { startedAt, callerId, ...found }: VerificationNotes,
  verdict: Pick<VerifyMessage, 'outcome' | 'code' | 'stage'>,
): void {
  const message: VerifyMessage = { ...verdict, ...found, durationMs: performance.now() - startedAt }
  if (callerId !== null) callers.set(message, callerId)
  verifications.publish(message)
}
