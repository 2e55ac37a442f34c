import type { Adoption, CallerAdoption, CredentialUse } from 'fastify-wimse'

/** What one replica said; null when it did not answer. */
export interface ReplicaReport {
  readonly url: string
  readonly adoption: Adoption | null
}

/** What one caller does on one route, at all replicas together. */
export interface BoardCaller {
  readonly caller: string
  /** `'both'`: a bearer token after it has shown a WIT, let in or not; `'none'`: nothing it sent was let in. */
  readonly uses: 'wit' | 'bearer' | 'both' | 'none'
  /** Epoch seconds: since when it has used that; of both, its WIT. */
  readonly since: number | null
  readonly wit: CredentialUse
  readonly bearer: CredentialUse
  readonly refusals: number
}

/** How far one route is, at all replicas together. */
export interface BoardRoute {
  readonly route: string
  /** More than one while replicas differ, as during a roll-out. */
  readonly modes: readonly string[]
  /** Only when every replica answered and says so. */
  readonly ready: boolean
  readonly callers: readonly BoardCaller[]
  readonly dropped: number
  readonly refusals: Readonly<Record<string, number>>
}

/** The transition board. */
export interface Board {
  readonly replicas: readonly { readonly url: string; readonly answers: boolean }[]
  /** Epoch seconds: since when all replicas that answer have watched; null when none does. */
  readonly since: number | null
  /** Seconds without a bearer token after which a route is ready; null when no replica answers. */
  readonly window: number | null
  readonly routes: readonly BoardRoute[]
}

/** Joins what the replicas of one service have seen. A replica that does not answer makes no route ready. */
export function joinReports(reports: readonly ReplicaReport[]): Board {
  const answers = reports.flatMap(({ adoption }) => adoption ?? [])
  const names = [...new Set(answers.flatMap(({ routes }) => routes.map(({ route }) => route)))]
  const complete = answers.length === reports.length
  return {
    replicas: reports.map(({ url, adoption }) => ({ url, answers: adoption !== null })),
    since: answers.length === 0 ? null : Math.max(...answers.map(({ since }) => since)),
    window: answers.length === 0 ? null : Math.max(...answers.map(({ window }) => window)),
    routes: names.map((route) => {
      const seen = answers.flatMap(({ routes }) => routes.filter((one) => one.route === route))
      return {
        route,
        modes: [...new Set(seen.map(({ mode }) => mode))],
        ready: complete && seen.length === reports.length && seen.every(({ ready }) => ready),
        callers: joinCallers(seen.flatMap(({ callers }) => callers)),
        dropped: seen.reduce((sum, { dropped }) => sum + dropped, 0),
        refusals: joinCounts(seen.map(({ refusals }) => refusals)),
      }
    }),
  }
}

function joinCallers(entries: readonly CallerAdoption[]): readonly BoardCaller[] {
  const names = [...new Set(entries.map(({ caller }) => caller))].sort()
  return names.map((caller) => {
    const own = entries.filter((entry) => entry.caller === caller)
    const wit = joinUses(own.map((entry) => entry.wit))
    const bearer = joinUses(own.map((entry) => entry.bearer))
    const uses = usesOf(wit.lastSeen, bearer.lastSeen)
    const since = (uses === 'bearer' ? bearer : wit).firstSeen
    const refusals = own.reduce((sum, entry) => sum + entry.refusals, 0)
    return { caller, uses, since, wit, bearer, refusals }
  })
}

function usesOf(wit: number | null, bearer: number | null): BoardCaller['uses'] {
  if (wit === null) return bearer === null ? 'none' : 'bearer'
  return bearer !== null && bearer >= wit ? 'both' : 'wit'
}

function joinUses(uses: readonly CredentialUse[]): CredentialUse {
  const first = uses.flatMap(({ firstSeen }) => firstSeen ?? [])
  const last = uses.flatMap(({ lastSeen }) => lastSeen ?? [])
  return {
    requests: uses.reduce((sum, { requests }) => sum + requests, 0),
    firstSeen: first.length === 0 ? null : Math.min(...first),
    lastSeen: last.length === 0 ? null : Math.max(...last),
  }
}

function joinCounts(counts: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const joined = new Map<string, number>()
  for (const [code, count] of counts.flatMap((one) => Object.entries(one))) {
    joined.set(code, (joined.get(code) ?? 0) + count)
  }
  return Object.fromEntries(joined)
}
