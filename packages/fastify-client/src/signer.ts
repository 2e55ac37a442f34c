import {
  type Clock,
  type Credential,
  type CredentialSource,
  DEFAULT_PROOF_LIFETIME,
  type HeaderFields,
  isPromise,
  readFieldNames,
  readNumber,
  refuseUnknownOptions,
  type Revision,
  REVISIONS,
  SigningError,
  signRequest,
  tellUnsigned,
} from 'wimse'
import { findTarget, readTargets, type Target, type TargetOptions, targetOf } from './targets.js'

/** What to sign with, and for whom. */
export interface SignerOptions {
  /** Whose identity requests carry; asked for every request. */
  readonly credentials: CredentialSource
  /** Where the identity may go. Nothing is sent anywhere else. */
  readonly targets: readonly (string | TargetOptions)[]
  /** How the proof travels. Default `'wpt-01'`. */
  readonly revision?: Revision
  /** Seconds a proof lives. Default 60; never past the identity token. */
  readonly lifetime?: number
  /** Names of header fields that carry tokens; covered by `oth` when they are there. Default none. */
  readonly otherTokens?: readonly string[]
  /** Allows http beyond loopback, where something else secures the channel. Default false. */
  readonly allowInsecure?: boolean
  /** Epoch seconds. Default the system clock. */
  readonly now?: Clock
}

/** Signs requests for the configured targets. */
export interface Signer {
  readonly targets: readonly Target[]
  /** Lower-case names of the fields that carry tokens of others. */
  readonly otherTokens: readonly string[]
  /** The target of a URL, null when it belongs to none. */
  readonly findTarget: (url: URL) => Target | null
  /** The target of a URL. @throws SigningError `WIMSE_TARGET_NOT_ALLOWED`, `WIMSE_URL_INSECURE` */
  readonly targetOf: (url: URL) => Target
  /** Signs one attempt to send a request to a target; at once when a credential is at hand. */
  readonly sign: (
    url: URL,
    target: Target,
    headers: HeaderFields,
    signal?: AbortSignal,
  ) => Signed | Promise<Signed>
  /** Whether another credential is to be had once one was refused. */
  readonly canRenew: boolean
  /** Another credential than one that was refused; null when there is none. */
  readonly renewed: (refused: Credential, signal?: AbortSignal) => Promise<Credential | null>
}

/** What one attempt is signed with. */
export interface Signed {
  /** The fields to add to exactly this attempt. */
  readonly fields: Readonly<Record<string, string>>
  readonly credential: Credential
}

const OPTIONS: readonly (keyof SignerOptions)[] = [
  'credentials',
  'targets',
  'revision',
  'lifetime',
  'otherTokens',
  'allowInsecure',
  'now',
]

/** Makes a signer. @throws TypeError naming the option that is wrong */
export function createSigner(options: SignerOptions): Signer {
  refuseUnknownOptions('fastify-wimse-client', options, OPTIONS)
  const { credentials, revision = 'wpt-01', allowInsecure = false, now } = options
  const lifetime = readNumber('lifetime', options.lifetime, {
    default: DEFAULT_PROOF_LIFETIME,
    min: 1,
    max: 300,
  })
  const otherTokens = readFieldNames('otherTokens', options.otherTokens)
  if (typeof credentials?.current !== 'function' || !/undefined|function/.test(typeof credentials.renewed)) {
    throw new TypeError('option credentials must be a credential source')
  }
  if (!Object.hasOwn(REVISIONS, revision)) {
    throw new TypeError(`option revision must be one of ${Object.keys(REVISIONS).join(', ')}`)
  }
  if (now !== undefined && typeof now !== 'function') throw new TypeError('option now must be a function')
  if (typeof allowInsecure !== 'boolean') throw new TypeError('option allowInsecure must be a boolean')
  const targets = readTargets(options.targets, allowInsecure)

  function currentCredential(
    target: string,
    signal: AbortSignal | undefined,
  ): Credential | Promise<Credential> {
    const failed = (error: unknown): never => {
      // A call that was given up is nobody's failure.
      if (signal?.aborted !== true) tellUnsigned(error, target, revision)
      throw error
    }
    try {
      const credential = unlessAborted(() => credentials.current(), signal)
      // A thenable of another library's may have no catch(), or a then() that gives nothing.
      return isPromise(credential) ? Promise.resolve(credential).then(undefined, failed) : credential
    } catch (error) {
      return failed(error)
    }
  }

  return {
    targets,
    otherTokens,
    findTarget: (url) => findTarget(url, targets),
    targetOf: (url) => {
      try {
        return targetOf(url, targets, allowInsecure)
      } catch (error) {
        tellUnsigned(error, null, revision)
        throw error
      }
    },
    sign: (url, { origin, audience }, headers, signal) => {
      const request = { url, headers, revision, audience, otherTokens, lifetime, now }
      const signWith = (credential: Credential): Signed => ({
        fields: signRequest(credential, request),
        credential,
      })
      const credential = currentCredential(origin, signal)
      return isPromise(credential) ? credential.then(signWith) : signWith(credential)
    },
    canRenew: credentials.renewed !== undefined,
    renewed: async (refused, signal) => {
      try {
        const credential = await unlessAborted(() => credentials.renewed?.(refused) ?? refused, signal)
        return credential.wit === refused.wit ? null : credential
      } catch (error) {
        // The refusal says more than that there is nothing to answer it with.
        if (error instanceof SigningError) return null
        throw error
      }
    },
  }
}

/** `Host` would lead the called side's log astray; the others are the signer's alone. */
export function refuseReserved(names: Iterable<string>): void {
  for (const name of names) {
    const lower = name.toLowerCase()
    if (lower !== 'host' && !lower.startsWith('workload-')) continue
    const error = new SigningError('WIMSE_HEADER_RESERVED', {
      reason: 'only the client sets this field',
      received: name,
    })
    tellUnsigned(error, null, null)
    throw error
  }
}

/** Asks nobody once the caller has given up: an answer that nobody waits for would be nobody's failure. */
function unlessAborted<T>(ask: () => T | Promise<T>, signal: AbortSignal | undefined): T | Promise<T> {
  signal?.throwIfAborted()
  const answer = ask()
  return signal === undefined || !isPromise(answer) ? answer : orAborted(answer, signal)
}

async function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
