/** How many live claims each caller has made through this process. */
export interface ClaimCounts {
  /** Counts one more claim. @returns what was counted; null when caller or trust domain have their fill */
  count(caller: string, forSeconds: number, at: number): CountedClaim | null
  /** Takes one back, once. */
  takeBack(claim: CountedClaim): void
}

/** A claim that was counted. */
export interface CountedClaim {
  readonly holder: Holder
  readonly slice: Slice
}

interface Holder {
  readonly name: string
  readonly domain: Holder | null
  held: number
}

/** Claims that end in the same slice of time, by who made them. */
interface Slice {
  readonly end: number
  readonly claims: Map<Holder, number>
}

/** A trust domain may hold as much as this many callers, so that callers made for the purpose do not count. */
const CALLERS_IN_A_DOMAIN = 4

/** Seconds; claims are forgotten by the slice of time in which they end, so that little is kept of each. */
const SLICE = 10

/** Counts claims by caller and trust domain, for as long as they live. */
export function createClaimCounts(maxEntriesPerCaller: number): ClaimCounts {
  const holders = new Map<string, Holder>()
  const slices = new Map<number, Slice>()
  let reached = Number.NEGATIVE_INFINITY

  function forgetUpTo(time: number): void {
    if (time <= reached) return
    reached = time
    for (const slice of slices.values()) {
      if (slice.end > time) continue
      slices.delete(slice.end)
      for (const [holder, claims] of slice.claims) add(holder, -claims)
    }
  }

  function enter(name: string, domain: Holder | null): Holder {
    const holder = { name, domain, held: 0 }
    holders.set(name, holder)
    return holder
  }

  /** Who has no claims is not kept; a later claim of the same name makes a new holder. */
  function add(holder: Holder, claims: number): void {
    for (const one of [holder, holder.domain]) {
      if (one === null) continue
      one.held += claims
      if (one.held === 0 && holders.get(one.name) === one) holders.delete(one.name)
    }
  }

  function sliceAt(end: number): Slice {
    const slice = slices.get(end) ?? { end, claims: new Map<Holder, number>() }
    slices.set(end, slice)
    return slice
  }

  return {
    count(caller, forSeconds, at) {
      forgetUpTo(Math.floor(at / SLICE))
      const domainName = trustDomainOf(caller)
      const known = holders.get(caller)
      const domain = known?.domain ?? holders.get(domainName)
      if (known !== undefined && known.held >= maxEntriesPerCaller) return null
      if (domain !== undefined && domain.held >= maxEntriesPerCaller * CALLERS_IN_A_DOMAIN) return null
      // Only now, so that nothing is kept of a name that is refused.
      const holder = known ?? enter(caller, domain ?? enter(domainName, null))
      const slice = sliceAt(Math.ceil((at + forSeconds) / SLICE))
      slice.claims.set(holder, (slice.claims.get(holder) ?? 0) + 1)
      add(holder, 1)
      return { holder, slice }
    },
    takeBack({ holder, slice }) {
      if (slices.get(slice.end) !== slice) return
      const left = slice.claims.get(holder)! - 1
      if (left > 0) slice.claims.set(holder, left)
      else slice.claims.delete(holder)
      add(holder, -1)
    },
  }
}

/** Scheme and authority with a slash, which no identifier ends with: a domain and a caller are never one name. */
function trustDomainOf(caller: string): string {
  const authority = caller.indexOf('://')
  const path = authority < 0 ? -1 : caller.indexOf('/', authority + 3)
  return path < 0 ? `${caller}/` : caller.slice(0, path + 1)
}
