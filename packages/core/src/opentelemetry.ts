/**
 * Metrics and span attributes of OpenTelemetry, from the channels that this package publishes on.
 *
 * @module
 */
import {
  type Attributes,
  type Counter,
  diag,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  trace,
} from '@opentelemetry/api'
import { listenTo } from './channels.js'
import type { ReplayMessage } from './observation/replay.js'
import type { SignMessage } from './observation/signing.js'
import type { TrustMessage } from './observation/trust.js'
import { callerOf, type VerifyMessage } from './observation/verification.js'

/** Options of {@link instrument}. */
export interface InstrumentOptions {
  /** Where metrics go. Default the provider that is registered globally by the time of the call. */
  readonly meterProvider?: MeterProvider
  /** Whether spans name the caller, as `wimse.caller.id`. Metrics never do. Default false. */
  readonly identifiers?: boolean
}

/**
 * Records what the channels of this package tell: metrics, and attributes of the span that is active while a
 * request is verified, from whatever instrumentation made it. It makes no spans.
 *
 * Every value of a metric's attributes is one of a configured or a fixed set, so that no caller can make up
 * series; but for the origins of what is signed with `signRequest` itself, which are those it was called with.
 *
 * Call it once, after the SDK was started; calling it twice counts twice. What goes wrong in it is told to
 * OpenTelemetry's `diag` and changes no answer.
 *
 * @returns a function that stops it
 * @throws TypeError naming the option that is wrong
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const { meterProvider = metrics, identifiers = false } = options
  if (typeof meterProvider?.getMeter !== 'function') {
    throw new TypeError('option meterProvider must be a meter provider')
  }
  if (typeof identifiers !== 'boolean') throw new TypeError('option identifiers must be a boolean')
  const meter = meterProvider.getMeter('wimse')
  const recordVerification = verificationRecorder(meter)
  const stops = [
    hear('wimse.verify', (message: VerifyMessage) => {
      recordVerification(message)
      if (!message.dryRun) describeOnSpan(message, identifiers)
    }),
    hear('wimse.replay', replayRecorder(meter)),
    hear('wimse.trust', trustRecorder(meter)),
    hear('wimse.sign', signatureRecorder(meter)),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

function verificationRecorder(meter: Meter): (message: VerifyMessage) => void {
  const verifications = count(meter, 'wimse.verifications', '{verification}', 'Requests that were verified')
  const dryRuns = count(
    meter,
    'wimse.dry_runs',
    '{verification}',
    'WITs tried beside a deciding bearer token',
  )
  const durations = time(meter, 'wimse.verification.duration', 'Time until a request was let in or not')
  return ({ outcome, code, stage, via, revision, trustDomain, known, durationMs, dryRun }) => {
    const counted = present({ outcome, code, stage, via, revision, trust_domain: trustDomain })
    if (dryRun) {
      dryRuns.add(1, counted)
      return
    }
    verifications.add(1, counted)
    durations.record(durationMs / 1000, present({ outcome, via, known }))
  }
}

function replayRecorder(meter: Meter): (message: ReplayMessage) => void {
  const claims = count(meter, 'wimse.replay.claims', '{claim}', 'Proofs claimed at the replay store')
  const durations = time(meter, 'wimse.replay.claim.duration', 'Time the replay store took')
  return ({ answer, durationMs, trustDomain }) => {
    claims.add(1, { answer, trust_domain: trustDomain })
    durations.record(durationMs / 1000, { answer })
  }
}

function trustRecorder(meter: Meter): (message: TrustMessage) => void {
  const refreshes = count(meter, 'wimse.trust.refreshes', '{refresh}', 'Refreshes of trust domain keys')
  const changes = count(meter, 'wimse.trust.key_changes', '{key}', 'Trust domain keys added and removed')
  return ({ type, trustDomain, leftOut }) => {
    if (type === 'key-added' || type === 'key-removed') {
      changes.add(1, { change: type === 'key-added' ? 'added' : 'removed', trust_domain: trustDomain })
    } else {
      refreshes.add(1, { outcome: leftOut ? 'left-out' : type, trust_domain: trustDomain })
    }
  }
}

function signatureRecorder(meter: Meter): (message: SignMessage) => void {
  const signatures = count(meter, 'wimse.signatures', '{signature}', 'Requests signed')
  const durations = time(meter, 'wimse.signature.duration', 'Time the signing took')
  return ({ outcome, code, target, revision, durationMs }) => {
    signatures.add(1, present({ outcome, code, target, revision }))
    if (outcome === 'signed') durations.record(durationMs / 1000, present({ revision }))
  }
}

function describeOnSpan(message: VerifyMessage, identifiers: boolean): void {
  const { outcome, code, stage, via, revision, algorithm, trustDomain } = message
  trace.getActiveSpan()?.setAttributes(
    present({
      'wimse.outcome': outcome,
      'wimse.code': code,
      'wimse.stage': stage,
      'wimse.via': via,
      'wimse.revision': revision,
      'wimse.algorithm': algorithm,
      'wimse.caller.trust_domain': trustDomain,
      'wimse.caller.id': identifiers ? callerOf(message) : null,
    }),
  )
}

/** Hears a channel. What a subscriber throws would end the process. */
function hear(name: string, record: (message: never) => void): () => void {
  return listenTo(name, (message) => {
    try {
      record(message as never)
    } catch (error) {
      diag.error('wimse: a message could not be recorded', error instanceof Error ? error.name : typeof error)
    }
  })
}

/** Without what is not known: an attribute that is not there, and not one that is empty. */
function present(attributes: Readonly<Record<string, string | boolean | null>>): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).filter((entry): entry is [string, string | boolean] => entry[1] !== null),
  )
}

function count(meter: Meter, name: string, unit: string, description: string): Counter {
  return meter.createCounter(name, { unit, description })
}

function time(meter: Meter, name: string, description: string): Histogram {
  return meter.createHistogram(name, {
    unit: 's',
    description,
    advice: { explicitBucketBoundaries: SECONDS },
  })
}

/** From a known identity token up to the longest a request may take. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
