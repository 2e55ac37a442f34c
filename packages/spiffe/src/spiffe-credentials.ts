import {
  type Clock,
  type Credential,
  type CredentialEvent,
  type CredentialSource,
  importCredential,
  parseJsonObject,
  parseWorkloadIdentifier,
  readFunction,
  refuseUnknownOptions,
  SigningError,
  tell,
} from 'wimse'
import { openConnection } from './connection.js'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  readClock,
  readConnectionOptions,
} from './connection-options.js'
import { createFirstAnswer } from './first-answer.js'
import { followStream } from './live-stream.js'
import { MessageRefused, readWitSvids, type WitSvid, writeWitSvidRequest } from './messages.js'
import { whatIsWrongWithSvid } from './svid-profile.js'

/** Options of {@link spiffeCredentials}. */
export interface SpiffeCredentialsOptions extends ConnectionOptions {
  /** The identity wanted, when the workload has several. Default the first. Together with `hint` both must fit. */
  readonly spiffeId?: string
  /** Hint of the identity wanted; of two with the same the first counts. Default the first identity. */
  readonly hint?: string
  /** Told when a new credential is in use, and of all that goes wrong. Default nobody. */
  readonly onEvent?: (event: CredentialEvent) => void
  /** Epoch seconds, to tell whether a credential has expired. Default the system clock. */
  readonly now?: Clock
}

/** Names of {@link SpiffeCredentialsOptions}. */
export const SPIFFE_CREDENTIALS_OPTIONS: readonly (keyof SpiffeCredentialsOptions)[] = [
  ...CONNECTION_OPTIONS,
  'spiffeId',
  'hint',
  'onEvent',
  'now',
]

/**
 * The credential that the SPIFFE Workload API grants this process: a WIT-SVID with its private key, renewed
 * as the server pushes it. The stream is opened when a credential is first asked for.
 *
 * A message from the server replaces the one before it: an identity that is no longer in it is not used
 * again. A message that cannot be used is refused whole, and the credential from before serves on until its
 * token expires; so it does while the server cannot be reached. Checked here are that the key is the one the
 * token names, that the token is for the message's `spiffe_id`, and what the WIT-SVID profile says of `kid`,
 * `alg`, `cnf.jwk.alg`, `aud` and `sub`; of identities that are not selected, only that no field is missing.
 * Who signed the token is checked by whoever is called.
 *
 * An open stream does not keep the process running. `close()` ends it.
 *
 * @returns a source whose `current()` rejects with `SigningError` `WIMSE_CREDENTIAL_MISSING` while nothing is
 *   granted, and `WIMSE_CREDENTIAL_EXPIRED` rather than with a credential whose token has expired
 * @throws TypeError naming the option that is wrong
 */
export function spiffeCredentials(options: SpiffeCredentialsOptions = {}): CredentialSource {
  refuseUnknownOptions('spiffeCredentials', options, SPIFFE_CREDENTIALS_OPTIONS)
  const connecting = readConnectionOptions(options)
  const { endpoint, timeoutMs } = connecting
  const wanted = readWanted(options)
  const onEvent = readFunction('onEvent', options.onEvent, () => undefined)
  const now = readClock('now', options.now, () => Date.now() / 1000)

  const first = createFirstAnswer(timeoutMs)
  let credential: Credential | null = null
  let lastFailure: unknown = null
  let inOrder: Promise<void> = Promise.resolve()
  let stop: (() => void) | null = null
  let closed = false

  function start(): void {
    if (stop !== null) return
    const connection = openConnection(connecting)
    const request = writeWitSvidRequest(wanted.spiffeId ?? '')
    const unfollow = followStream(connection, '/SpiffeWorkloadAPI/FetchWITSVID', request, {
      message: (bytes) => next(async () => accept(bytes)),
      denied: (error) => next(() => withdraw(error)),
      lost: (error) => next(() => fail(error)),
      ended: (error) =>
        next(() => {
          fail(error)
          first.settle()
          connection.close()
        }),
    })
    stop = () => {
      unfollow()
      connection.close()
    }
  }

  /** One after the other, since reading a key takes a moment in which more may come. */
  function next(step: () => void | Promise<void>): void {
    inOrder = inOrder.then(async () => (closed ? undefined : step()))
  }

  async function accept(bytes: Buffer): Promise<void> {
    try {
      const svids = readWitSvids(bytes)
      const svid = svids.find((one) => isWanted(one, wanted))
      if (svid === undefined) {
        withdraw(new Error(noneOf(svids, wanted)))
        return
      }
      const granted = await readCredential(svid)
      if (!(now() < granted.expiresAt)) throw new MessageRefused('its WIT has expired')
      lastFailure = null
      if (closed || granted.wit === credential?.wit) return
      credential = granted
      first.settle()
      report({ type: 'refreshed', subject: granted.subject, expiresAt: granted.expiresAt })
    } catch (error) {
      fail(new Error(`a message was refused: ${reasonOf(error)}`, { cause: error }))
    }
  }

  function withdraw(error: Error): void {
    credential = null
    fail(error)
  }

  function fail(error: Error): void {
    lastFailure = error
    report({ type: 'failed', reason: error.message })
  }

  function report(event: CredentialEvent): void {
    tell(onEvent, event)
  }

  function usable(): Credential {
    if (closed) throw missing('the source is closed')
    if (credential === null) {
      const why = lastFailure instanceof Error ? lastFailure.message : `no answer in ${timeoutMs} ms`
      throw missing(`the Workload API at ${endpoint.name} has given no identity: ${why}`, lastFailure)
    }
    if (now() < credential.expiresAt) return credential
    throw new SigningError('WIMSE_CREDENTIAL_EXPIRED', {
      reason: `the Workload API at ${endpoint.name} has given no identity since the last one expired`,
      expected: 'a newer identity',
      received: credential.expiresAt,
      ...(lastFailure === null ? {} : { cause: lastFailure }),
    })
  }

  return {
    async current() {
      if (!closed) {
        start()
        if (credential === null) await first.wait()
      }
      return usable()
    },
    close() {
      closed = true
      credential = null
      stop?.()
      first.settle()
    },
  }
}

interface Wanted {
  readonly spiffeId: string | undefined
  readonly hint: string | undefined
}

function readWanted({ spiffeId, hint }: SpiffeCredentialsOptions): Wanted {
  if (hint !== undefined && (typeof hint !== 'string' || hint === '')) {
    throw new TypeError('option hint must be a text that is not empty')
  }
  if (spiffeId !== undefined && !isSpiffeId(spiffeId)) {
    throw new TypeError(
      'option spiffeId must be a SPIFFE ID with a path, such as spiffe://example.org/checkout',
    )
  }
  return { spiffeId, hint }
}

function isSpiffeId(text: string): boolean {
  try {
    const { id, path } = parseWorkloadIdentifier(text)
    return id.startsWith('spiffe://') && path !== ''
  } catch {
    return false
  }
}

function isWanted(svid: WitSvid, { spiffeId, hint }: Wanted): boolean {
  return (spiffeId === undefined || svid.spiffeId === spiffeId) && (hint === undefined || svid.hint === hint)
}

function noneOf(svids: readonly WitSvid[], { spiffeId, hint }: Wanted): string {
  if (svids.length === 0) return 'the server grants no identity'
  const named = [
    ...(spiffeId === undefined ? [] : [spiffeId]),
    ...(hint === undefined ? [] : [`the hint ${hint}`]),
  ]
  return `none of the ${svids.length} identities granted is that of ${named.join(' and ')}`
}

async function readCredential({ spiffeId, wit, key }: WitSvid): Promise<Credential> {
  const jwk = parseJsonObject(Buffer.from(key))
  if (jwk === null) throw new MessageRefused('a wit_svid_key is not one strict JSON object')
  const credential = await importCredential({ wit, key: jwk })
  if (credential.subject !== spiffeId) throw new MessageRefused('sub of a WIT is not its spiffe_id')
  if (!isSpiffeId(spiffeId)) throw new MessageRefused('a spiffe_id is not a SPIFFE ID of a workload')
  const wrong = whatIsWrongWithSvid(wit)
  if (wrong !== null) throw new MessageRefused(wrong)
  return credential
}

function reasonOf(error: unknown): string {
  if (error instanceof SigningError) return `${error.code}: ${error.diagnostics.reason}`
  return error instanceof MessageRefused ? error.message : 'it cannot be read'
}

function missing(reason: string, cause: unknown = null): SigningError {
  return new SigningError('WIMSE_CREDENTIAL_MISSING', { reason, ...(cause === null ? {} : { cause }) })
}
