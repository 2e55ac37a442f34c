import type { Clock } from '../clock.js'
import { parseJsonObject } from '../jws/strict-json.js'
import type { KeySetLoader } from './key-set-loader.js'
import type { TrustBundleSource } from './sources.js'
import { readTrustBundle, type SvidUse, type TrustBundle } from './trust-bundle.js'
import { tell } from '../tell.js'
import type { SourceEvent } from './trust-event.js'

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
  /** Milliseconds one load may take, all told. */
  readonly timeoutMs: number
  readonly onEvent: (event: SourceEvent) => void
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

/** Requests that wait for a load for the sake of a key id; anyone can send one. */
const MOST_WAITING_FOR_UNKNOWN_KEYS = 100

/**
 * Keeps a key set up to date: loads it when it is first asked for and again at its interval, one load at
 * a time, with back-off and jitter after a failure. The last good keys serve on while loading fails, for
 * as long as `maxStale` says. Keys that are gone from the set are gone with the first load without them.
 *
 * Loads for the sake of unknown key ids are apart from those: anyone can bring one about, so they neither
 * put a scheduled load off nor count for its back-off.
 */
export function createRefreshingSource(loader: KeySetLoader, options: RefreshOptions): TrustBundleSource {
  const { cooldown, maxStale, timeoutMs, onEvent, timing = systemTiming } = options
  let loaded: Loaded | null = null
  /** Highest `spiffe_sequence` seen since there were keys without a break. */
  let highestSequence: number | null = null
  /** Tells whether it brought keys. */
  let inFlight: Promise<boolean> | null = null
  let onSchedule: Promise<void> | null = null
  let abort: (reason: Error) => void = () => undefined
  /** Of scheduled loads, one after the other. */
  let failures = 0
  /** Until when keys are not too old, whatever maxStale. */
  let goodUntil = Number.NEGATIVE_INFINITY
  let waitingForUnknownKey = 0
  let nextAt = Number.NEGATIVE_INFINITY
  let lastFailure: unknown = null
  let lastForUnknownKey = Number.NEGATIVE_INFINITY
  let cancelNext: () => void = () => undefined
  let cancelLook: () => void = () => undefined
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

  /** Loads because it is time, or because something has changed. */
  async function refresh(): Promise<void> {
    cancelNext()
    onSchedule ??= (async () => {
      // Nothing has failed as long as a load is under way that began while they were good.
      if (failures === 0 && !isTooOld()) goodUntil = timing.now() + timeoutMs / 1000
      failures = (await load()) ? 0 : failures + 1
      goodUntil = Number.NEGATIVE_INFINITY
      scheduleNext()
    })().finally(() => {
      onSchedule = null
    })
    return onSchedule
  }

  /** Loads because a token names an unknown key. */
  async function refreshForUnknownKey(): Promise<void> {
    if (!(await load())) return
    failures = 0
    // The set may ask to be loaded more often than the one before it.
    if (onSchedule === null && timing.now() + refreshSeconds() < nextAt) scheduleNext()
  }

  function scheduleNext(): void {
    cancelNext()
    if (closed) return
    const seconds = nextSeconds()
    nextAt = timing.now() + seconds
    cancelNext = timing.after(seconds, () => void refresh())
  }

  /** One at a time: whoever comes while one is under way joins it. */
  async function load(): Promise<boolean> {
    inFlight ??= attempt().finally(() => {
      inFlight = null
    })
    return inFlight
  }

  async function attempt(): Promise<boolean> {
    try {
      const bytes = await loadInTime()
      if (closed) return false
      accept(bytes)
      return true
    } catch (error) {
      lastFailure = error
      report({ type: 'failed', reason: error instanceof Error ? error.message : 'loading failed' })
      return false
    }
  }

  /** A load that does not end is not waited for, even where it takes no notice of being aborted. */
  async function loadInTime(): Promise<Buffer> {
    const controller = new AbortController()
    const { signal } = controller
    abort = (reason) => controller.abort(reason)
    const timer = setTimeout(() => controller.abort(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
    timer.unref()
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    try {
      return await Promise.race([aborted, loader.load(signal)])
    } finally {
      clearTimeout(timer)
      abort = () => undefined
    }
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
    // Keys that serve no more are no reason to refuse others: a numbering may have been started anew.
    const highest = isTooOld() ? null : highestSequence
    if (bundle.sequence !== null && highest !== null && bundle.sequence < highest) {
      throw new Error(`spiffe_sequence is ${bundle.sequence}, and has been ${highest} before`)
    }
    highestSequence = bundle.sequence ?? highest
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
    unwatch =
      loader.watch?.(() => {
        cancelLook()
        cancelLook = timing.after(WATCH_SETTLES_SECONDS, () => void refresh())
      }) ?? (() => undefined)
    void refresh()
  }

  /** The keys in use. @throws Error when there are none, or only ones that are too old */
  function current(): TrustBundle {
    if (closed) throw new Error('the trust bundle source is closed')
    if (loaded === null) throw new Error('there are no keys yet', { cause: lastFailure })
    if (isTooOld()) {
      throw new Error('the keys are older than maxStale allows', { cause: lastFailure })
    }
    return loaded.bundle
  }

  function isTooOld(): boolean {
    if (loaded === null) return false
    const now = timing.now()
    return now - loaded.at > refreshSeconds() + maxStale && now > goodUntil
  }

  function report(event: SourceEvent): void {
    if (!closed) tell(onEvent, event)
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
      if (loaded === null && failures === 0 && onSchedule !== null) return onSchedule.then(current)
      return current()
    },
    async refreshedFor() {
      start()
      if (inFlight === null) {
        if (timing.now() - lastForUnknownKey < cooldown) return current()
        lastForUnknownKey = timing.now()
      }
      if (waitingForUnknownKey >= MOST_WAITING_FOR_UNKNOWN_KEYS) return current()
      waitingForUnknownKey++
      try {
        await refreshForUnknownKey()
      } finally {
        waitingForUnknownKey--
      }
      return current()
    },
    async ready() {
      start()
      await first
      if (closed) throw new Error('the trust bundle source is closed')
    },
    close() {
      closed = true
      cancelNext()
      cancelLook()
      unwatch?.()
      abort(new Error('the trust bundle source is closed'))
      settleFirst()
    },
  }
}
