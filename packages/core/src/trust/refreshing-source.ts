import type { Clock } from '../clock.js'
import { parseJsonObject } from '../jws/strict-json.js'
import type { KeySetLoader } from './key-set-loader.js'
import type { TrustBundleSource } from './sources.js'
import { readTrustBundle, type SvidUse, type TrustBundle } from './trust-bundle.js'
import type { TrustEvent } from './trust-event.js'

/** Time and chance, as a refreshing source sees them. */
export interface Timing {
  /** Seconds from any fixed point, never set back. */
  readonly now: Clock
  /** Calls back after so many seconds. @returns a function that calls it off */
  readonly after: (seconds: number, callback: () => void) => () => void
  /** From 0 up to 1. */
  readonly random: () => number
}

/** How a key set is kept up to date. */
export interface RefreshOptions {
  /** Seconds between two loads for the sake of unknown key ids, whatever ids and however many. */
  readonly cooldown: number
  /** Seconds that keys serve on past the time of their next load, when that fails. */
  readonly maxStale: number
  readonly onEvent: (event: Omit<TrustEvent, 'trustDomain'>) => void
  readonly timing?: Timing
  readonly use?: SvidUse
}

interface Loaded {
  readonly bytes: Buffer
  readonly bundle: TrustBundle
  readonly at: number
}

const systemTiming: Timing = {
  now: () => performance.now() / 1000,
  after: (seconds, callback) => {
    const timer = setTimeout(callback, seconds * 1000)
    timer.unref()
    return () => clearTimeout(timer)
  },
  random: Math.random,
}

const FIRST_RETRY_SECONDS = 0.25
const SHORTEST_HINT_SECONDS = 1
const LONGEST_HINT_SECONDS = 3600
const WATCH_SETTLES_SECONDS = 0.05

/**
 * Keeps a key set up to date: loads it when it is first asked for and again at its interval, one load at
 * a time, with back-off and jitter after a failure. The last good keys serve on while loading fails, for
 * as long as `maxStale` says. Keys that are gone from the set are gone with the first load without them.
 */
export function createRefreshingSource(loader: KeySetLoader, options: RefreshOptions): TrustBundleSource {
  const { cooldown, maxStale, onEvent, timing = systemTiming } = options
  let loaded: Loaded | null = null
  let inFlight: Promise<void> | null = null
  let failures = 0
  let lastFailure: unknown = null
  let lastForUnknownKey = Number.NEGATIVE_INFINITY
  let cancelNext: () => void = () => undefined
  let unwatch: (() => void) | null = null
  let closed = false
  let settleFirst: () => void = () => undefined
  const first = new Promise<void>((resolve) => {
    settleFirst = resolve
  })

  const refreshSeconds = (): number => {
    const hint = loaded?.bundle.refreshHint ?? null
    return hint === null
      ? loader.refreshSeconds
      : Math.min(Math.max(hint, SHORTEST_HINT_SECONDS), LONGEST_HINT_SECONDS)
  }

  async function refresh(): Promise<void> {
    inFlight ??= attempt().finally(() => {
      inFlight = null
    })
    return inFlight
  }

  async function attempt(): Promise<void> {
    cancelNext()
    try {
      accept(await loader.load())
      failures = 0
    } catch (error) {
      failures++
      lastFailure = error
      report({ type: 'failed', reason: error instanceof Error ? error.message : 'loading failed' })
    }
    if (!closed) cancelNext = timing.after(nextSeconds(), () => void refresh())
  }

  function accept(bytes: Buffer): void {
    if (loaded?.bytes.equals(bytes)) {
      // The same bundle object, so that what was verified with it stays verified.
      loaded = { ...loaded, at: timing.now() }
      report({ type: 'refreshed' })
      return
    }
    const set = parseJsonObject(bytes)
    if (set === null) throw new Error('the key set is not one strict JSON object')
    const bundle = readTrustBundle(set, options.use)
    const before = loaded?.bundle ?? null
    if (
      before !== null &&
      before.sequence !== null &&
      bundle.sequence !== null &&
      bundle.sequence < before.sequence
    ) {
      throw new Error('spiffe_sequence is lower than that of the bundle in use')
    }
    loaded = { bytes, bundle, at: timing.now() }
    settleFirst()
    reportChanges(before, bundle)
  }

  function nextSeconds(): number {
    const jitter = timing.random()
    if (failures === 0) return refreshSeconds() * (0.9 + 0.1 * jitter)
    const longest = loaded === null ? cooldown : refreshSeconds()
    return Math.min(longest, FIRST_RETRY_SECONDS * 2 ** (failures - 1)) * (0.5 + 0.5 * jitter)
  }

  function start(): void {
    if (unwatch !== null || closed) return
    let settle: () => void = () => undefined
    unwatch =
      loader.watch?.(() => {
        settle()
        settle = timing.after(WATCH_SETTLES_SECONDS, () => void refresh())
      }) ?? (() => undefined)
    void refresh()
  }

  /** The keys in use. @throws Error when there are none, or only ones that are too old */
  function current(): TrustBundle {
    if (closed) throw new Error('the trust bundle source is closed')
    if (loaded === null) throw new Error('there are no keys yet', { cause: lastFailure })
    if (timing.now() - loaded.at > refreshSeconds() + maxStale) {
      throw new Error('the keys are older than maxStale allows', { cause: lastFailure })
    }
    return loaded.bundle
  }

  function report(event: Omit<TrustEvent, 'trustDomain'>): void {
    try {
      onEvent(event)
    } catch {
      // A listener that fails must not keep keys from being refreshed.
    }
  }

  function reportChanges(before: TrustBundle | null, after: TrustBundle): void {
    report({ type: 'refreshed', ...(after.skipped.length === 0 ? {} : { reason: after.skipped.join('; ') }) })
    const known = new Set(before?.keys.map(({ thumbprint }) => thumbprint))
    const kept = new Set(after.keys.map(({ thumbprint }) => thumbprint))
    for (const { thumbprint, kid } of after.keys) {
      if (!known.has(thumbprint))
        report({ type: 'key-added', keyThumbprint: thumbprint, ...(kid === undefined ? {} : { kid }) })
    }
    for (const { thumbprint, kid } of before?.keys ?? []) {
      if (!kept.has(thumbprint))
        report({ type: 'key-removed', keyThumbprint: thumbprint, ...(kid === undefined ? {} : { kid }) })
    }
  }

  return {
    bundleFor() {
      start()
      // Only the very first load is waited for: while the issuer is down nobody has to wait to be told.
      if (loaded === null && failures === 0 && inFlight !== null) return inFlight.then(current)
      return current()
    },
    async refreshedFor() {
      start()
      if (inFlight === null) {
        if (timing.now() - lastForUnknownKey < cooldown) return current()
        lastForUnknownKey = timing.now()
      }
      await refresh()
      return current()
    },
    async ready() {
      start()
      await first
    },
    close() {
      closed = true
      cancelNext()
      unwatch?.()
    },
  }
}
