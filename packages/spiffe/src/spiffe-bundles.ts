import {
  type Clock,
  parseJsonObject,
  parseWorkloadIdentifier,
  readFunction,
  readNumber,
  readTrustBundle,
  refuseUnknownOptions,
  tell,
  tellTrustEvent,
  type TrustBundle,
  type TrustBundleSource,
  type TrustEvent,
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
import { MessageRefused, readWitBundles, WIT_BUNDLES_REQUEST } from './messages.js'

/** Options of {@link spiffeBundles}. */
export interface SpiffeBundlesOptions extends ConnectionOptions {
  /** Seconds that the last good keys serve on while the stream is lost or refused. Default 3600. */
  readonly maxStale?: number
  /** Told of keys that come and go, with their trust domain, and of all that goes wrong. Default nobody. */
  readonly onEvent?: (event: Omit<TrustEvent, 'trustDomain'> & { readonly trustDomain?: string }) => void
  /** Seconds from any fixed point, never set back, for `maxStale`. Default a clock that nobody can set. */
  readonly now?: Clock
}

/** Names of {@link SpiffeBundlesOptions}. */
export const SPIFFE_BUNDLES_OPTIONS: readonly (keyof SpiffeBundlesOptions)[] = [
  ...CONNECTION_OPTIONS,
  'maxStale',
  'onEvent',
  'now',
]

interface Domain {
  readonly text: string
  readonly bundle: TrustBundle
}

/**
 * The keys of trust domains as the SPIFFE Workload API pushes them, for one or many of `trustDomains`. The
 * stream is opened when keys are first asked for.
 *
 * A message from the server replaces the one before it, for all trust domains at once: keys and trust domains
 * that are no longer in it count no more. A trust domain that is not in it is answered with 503, and nothing
 * of it verifies. A message that cannot be used, or of which one key has no `kid`, is refused whole. While
 * the stream is lost, or its last message was refused, the last good keys serve on for `maxStale`. When the
 * server grants nothing they serve no more.
 *
 * There is no `refreshedFor`: the server pushes what is new, so a look for an unknown key would find nothing.
 * `spiffe_sequence` is not compared, since a stream keeps its order.
 *
 * An open stream does not keep the process running. `close()` ends it.
 *
 * @throws TypeError naming the option that is wrong
 */
export function spiffeBundles(options: SpiffeBundlesOptions = {}): TrustBundleSource {
  refuseUnknownOptions('spiffeBundles', options, SPIFFE_BUNDLES_OPTIONS)
  const connecting = readConnectionOptions(options)
  const { endpoint, timeoutMs } = connecting
  const maxStale = readNumber('maxStale', options.maxStale, { default: 3600, min: 0, max: 31_536_000 })
  const onOwnEvent = readFunction('onEvent', options.onEvent, () => undefined)
  const onEvent: typeof onOwnEvent = (event) => {
    // What is about the stream is about no trust domain alone.
    tellTrustEvent({ trustDomain: 'spiffe', ...event })
    return onOwnEvent(event)
  }
  const now = readClock('now', options.now, () => performance.now() / 1000)

  const first = createFirstAnswer(timeoutMs)
  let domains: ReadonlyMap<string, Domain> | null = null
  /** Since when it is not known whether these are still the keys; null while it is. */
  let staleSince: number | null = null
  let lastFailure: Error | null = null
  let isOver = false
  let stop: (() => void) | null = null
  let closed = false

  function start(): void {
    if (stop !== null || closed) return
    const connection = openConnection(connecting)
    const unfollow = followStream(connection, '/SpiffeWorkloadAPI/FetchWITBundles', WIT_BUNDLES_REQUEST, {
      message: accept,
      denied(error) {
        replace(new Map())
        domains = null
        fail(error)
      },
      lost: fail,
      ended(error) {
        isOver = true
        fail(error)
        first.settle()
        connection.close()
      },
    })
    stop = () => {
      unfollow()
      connection.close()
    }
  }

  function accept(bytes: Buffer): void {
    try {
      replace(readDomains(readWitBundles(bytes), domains))
      staleSince = null
      lastFailure = null
      first.settle()
    } catch (error) {
      const reason = error instanceof MessageRefused ? error.message : 'it cannot be read'
      fail(new Error(`a message was refused: ${reason}`, { cause: error }))
    }
  }

  function fail(error: Error): void {
    lastFailure = error
    staleSince ??= now()
    report({ type: 'failed', reason: error.message })
  }

  function replace(after: ReadonlyMap<string, Domain>): void {
    const before = domains
    domains = after
    for (const trustDomain of new Set([...(before?.keys() ?? []), ...after.keys()])) {
      const [old, fresh] = [before?.get(trustDomain)?.bundle, after.get(trustDomain)?.bundle]
      if (old !== fresh) reportChanges(trustDomain, old, fresh)
    }
  }

  function reportChanges(
    trustDomain: string,
    before: TrustBundle | undefined,
    after: TrustBundle | undefined,
  ): void {
    const skipped = after?.skipped.join('; ') ?? 'the trust domain was withdrawn'
    report({ type: 'refreshed', trustDomain, ...(skipped === '' ? {} : { reason: skipped }) })
    const known = new Set(before?.keys.map(({ thumbprint }) => thumbprint))
    const kept = new Set(after?.keys.map(({ thumbprint }) => thumbprint))
    for (const { thumbprint, kid } of after?.keys ?? []) {
      if (!known.has(thumbprint))
        report({ type: 'key-added', trustDomain, keyThumbprint: thumbprint, kid: kid! })
    }
    for (const { thumbprint, kid } of before?.keys ?? []) {
      if (!kept.has(thumbprint))
        report({ type: 'key-removed', trustDomain, keyThumbprint: thumbprint, kid: kid! })
    }
  }

  function report(event: Parameters<NonNullable<SpiffeBundlesOptions['onEvent']>>[0]): void {
    tell(onEvent, event)
  }

  /** @throws Error when there are no keys, or only ones that are too old */
  function bundleOf(trustDomain: string): TrustBundle {
    const from = `the Workload API at ${endpoint.name}`
    if (closed) throw new Error('the trust bundle source is closed')
    if (domains === null) throw unavailable(`${from} has given no keys`)
    // Written so that a clock which gives no number makes them too old.
    if (staleSince !== null && !(now() - staleSince <= maxStale)) {
      throw unavailable(`the keys of ${from} are older than maxStale allows`)
    }
    const domain = domains.get(trustDomain)
    if (domain === undefined) throw unavailable(`${from} has no keys of this trust domain`)
    return domain.bundle
  }

  function unavailable(what: string): Error {
    if (lastFailure === null) return new Error(what)
    return new Error(`${what}: ${lastFailure.message}`, { cause: lastFailure })
  }

  return {
    bundleFor(trustDomain) {
      start()
      const waiting = domains === null && !closed ? first.wait() : null
      return waiting === null ? bundleOf(trustDomain) : waiting.then(() => bundleOf(trustDomain))
    },
    async ready() {
      start()
      await first.settled
      if (closed) throw new Error('the trust bundle source is closed')
      if (isOver && domains === null)
        throw unavailable(`the Workload API at ${endpoint.name} has given no keys`)
    },
    close() {
      closed = true
      domains = null
      stop?.()
      first.settle()
    },
  }
}

/**
 * Reads a whole message of key sets. A set that has not changed stays the same bundle, so that what was
 * verified with it stays verified.
 *
 * @throws MessageRefused when one of them cannot be used
 */
function readDomains(
  bundles: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, Domain> | null,
): ReadonlyMap<string, Domain> {
  return new Map(
    [...bundles].map(([trustDomain, text]) => {
      if (!isTrustDomain(trustDomain))
        throw new MessageRefused('a bundle is not that of a SPIFFE trust domain')
      const known = before?.get(trustDomain)
      return [trustDomain, known?.text === text ? known : { text, bundle: readBundle(trustDomain, text) }]
    }),
  )
}

function isTrustDomain(text: string): boolean {
  try {
    return parseWorkloadIdentifier(text).trustDomain === text && text.startsWith('spiffe://')
  } catch {
    return false
  }
}

function readBundle(trustDomain: string, text: string): TrustBundle {
  const set = parseJsonObject(Buffer.from(text))
  if (set === null) throw new MessageRefused(`the bundle of ${trustDomain} is not one strict JSON object`)
  try {
    const bundle = readTrustBundle(set)
    if ((set['keys'] as readonly unknown[]).every(hasKid)) return bundle
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'not readable'
    throw new MessageRefused(`the bundle of ${trustDomain} is refused: ${reason}`, { cause })
  }
  throw new MessageRefused(`a key in the bundle of ${trustDomain} has no kid`)
}

function hasKid(entry: unknown): boolean {
  const kid = (entry as { readonly kid?: unknown } | null)?.kid
  return typeof kid === 'string' && kid !== ''
}
