import type { RefusalError, Revision, Workload } from 'wimse'
import type { WimseMode } from './route-config.js'

/** How often one caller used one kind of credential, and when, in epoch seconds. */
export interface CredentialUse {
  readonly requests: number
  readonly firstSeen: number | null
  readonly lastSeen: number | null
}

/** What one caller does on one route. */
export interface CallerAdoption {
  /** Workload identifier. */
  readonly caller: string
  /** With a WIT and a proof; in how many requests by revision. */
  readonly wit: CredentialUse & { readonly revisions: Readonly<Partial<Record<Revision, number>>> }
  readonly bearer: CredentialUse
  /** Requests of this caller that were refused once it was known who it is. */
  readonly refusals: number
}

/** How far one route is. */
export interface RouteAdoption {
  /** `GET /stock/:sku` */
  readonly route: string
  readonly mode: WimseMode
  /** Whether it was watched for the whole window and no bearer token was seen in it. */
  readonly ready: boolean
  readonly callers: readonly CallerAdoption[]
  /** Requests of callers there was no room to list; while there are any in the window, the route is not ready. */
  readonly dropped: number
  /** Refusals by code, of known and unknown callers. */
  readonly refusals: Readonly<Record<string, number>>
  /** WITs that came along where a bearer token decides: how they would have fared. */
  readonly dryRun: { readonly accepted: number; readonly refusals: Readonly<Record<string, number>> }
}

/** How far the routes of one registration are on the way from bearer tokens to WITs, as this process saw it. */
export interface Adoption {
  /** Since when, in epoch seconds. */
  readonly since: number
  /** Seconds without a bearer token after which a route is ready. */
  readonly window: number
  readonly routes: readonly RouteAdoption[]
}

/** Watches which credentials callers use. */
export interface AdoptionWatch {
  /** Lists a route before anybody has asked for it. */
  watch(route: string, mode: WimseMode): void
  admitted(route: string, mode: WimseMode, workload: Workload, now: number): void
  refused(route: string, mode: WimseMode, error: RefusalError, caller: Workload | null, now: number): void
  dryRun(route: string, mode: WimseMode, outcome: Workload | RefusalError, now: number): void
  /** Whether the caller has been seen with a WIT here. */
  hasWit(caller: string): boolean
  report(now: number): Adoption
}

interface Use {
  requests: number
  firstSeen: number | null
  lastSeen: number | null
}

interface CallerRecord {
  readonly wit: Use & { revisions: Partial<Record<Revision, number>> }
  readonly bearer: Use
  refusals: number
}

interface RouteRecord {
  mode: WimseMode
  readonly callers: Map<string, CallerRecord>
  dropped: number
  lastDropped: number
  readonly refusals: Map<string, number>
  readonly dryRun: { accepted: number; readonly refusals: Map<string, number> }
}

const MOST_CALLERS = 1000

/**
 * Makes a watch. Only callers that are known by a credential are listed, a thousand a route: nobody can fill
 * it with names of his own making.
 *
 * @param since epoch seconds
 * @param window seconds without a bearer token after which a route is ready
 */
export function createAdoptionWatch(since: number, window: number): AdoptionWatch {
  const routes = new Map<string, RouteRecord>()
  const callersWithWit = new Set<string>()

  function recordOf(route: string, mode: WimseMode): RouteRecord {
    const known = routes.get(route)
    const record = known ?? newRoute(mode)
    if (known === undefined) routes.set(route, record)
    record.mode = mode
    return record
  }

  function callerOf(record: RouteRecord, caller: string, now: number): CallerRecord | null {
    const known = record.callers.get(caller)
    if (known !== undefined) return known
    if (record.callers.size >= MOST_CALLERS) {
      record.dropped++
      record.lastDropped = now
      return null
    }
    const fresh = newCaller()
    record.callers.set(caller, fresh)
    return fresh
  }

  function isReady(record: RouteRecord, now: number): boolean {
    const from = now - window
    const usesBearer = [...record.callers.values()].some(
      ({ bearer }) => (bearer.lastSeen ?? -Infinity) > from,
    )
    return since <= from && !usesBearer && record.lastDropped <= from
  }

  return {
    watch: (route, mode) => void recordOf(route, mode),
    admitted(route, mode, workload, now) {
      const caller = callerOf(recordOf(route, mode), workload.id, now)
      if (caller === null) return
      const use = workload.via === 'wit' ? caller.wit : caller.bearer
      count(use, now)
      if (workload.via === 'wit') callersWithWit.add(workload.id)
      const { revision } = workload
      if (revision !== null) caller.wit.revisions[revision] = (caller.wit.revisions[revision] ?? 0) + 1
    },
    refused(route, mode, { code }, workload, now) {
      const record = recordOf(route, mode)
      increment(record.refusals, code)
      const caller = workload === null ? null : callerOf(record, workload.id, now)
      if (caller === null) return
      caller.refusals++
      // A known caller that tried a bearer token still has one, whether or not it was let in.
      if (workload!.via === 'bearer') count(caller.bearer, now)
    },
    dryRun(route, mode, outcome, now) {
      const { dryRun, callers } = recordOf(route, mode)
      if (outcome instanceof Error) {
        increment(dryRun.refusals, outcome.code)
        return
      }
      dryRun.accepted++
      const caller = callers.get(outcome.id)
      if (caller !== undefined) count(caller.wit, now)
    },
    hasWit: (caller) => callersWithWit.has(caller),
    report: (now) => ({
      since,
      window,
      routes: [...routes].map(([route, record]) => ({
        route,
        mode: record.mode,
        ready: isReady(record, now),
        callers: [...record.callers].map(([caller, { wit, bearer, refusals }]) => ({
          caller,
          wit: { ...wit, revisions: { ...wit.revisions } },
          bearer: { ...bearer },
          refusals,
        })),
        dropped: record.dropped,
        refusals: Object.fromEntries(record.refusals),
        dryRun: { accepted: record.dryRun.accepted, refusals: Object.fromEntries(record.dryRun.refusals) },
      })),
    }),
  }
}

function newRoute(mode: WimseMode): RouteRecord {
  return {
    mode,
    callers: new Map(),
    dropped: 0,
    lastDropped: Number.NEGATIVE_INFINITY,
    refusals: new Map(),
    dryRun: { accepted: 0, refusals: new Map() },
  }
}

function newCaller(): CallerRecord {
  const unused = { requests: 0, firstSeen: null, lastSeen: null }
  return { wit: { ...unused, revisions: {} }, bearer: { ...unused }, refusals: 0 }
}

function count(use: Use, now: number): void {
  use.requests++
  use.firstSeen ??= now
  use.lastSeen = now
}

function increment(counts: Map<string, number>, code: string): void {
  counts.set(code, (counts.get(code) ?? 0) + 1)
}
