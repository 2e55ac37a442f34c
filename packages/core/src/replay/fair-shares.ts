/** Who holds how much of a store, and whether a caller may hold more. */
export interface FairShares {
  /** Tells whether there is room for one more entry of this caller. */
  admits(caller: string): boolean
  /** Counts one more entry. @returns the owner to write into the entry */
  take(caller: string): number
  /** Counts one entry less of an owner. */
  giveBack(owner: number): void
}

interface TrustDomain {
  readonly name: string
  held: number
}

interface Caller {
  readonly name: string
  readonly domain: TrustDomain
  readonly owner: number
  held: number
}

/**
 * A caller may hold as much as is free. So one alone comes to half of the store, n that all want more come to
 * 1/(n + 1) each, and however many flood there is room left for one who has just come.
 *
 * Who was here first has more at that moment, and nothing is taken from it: a later one may come to
 * 1/(n + 1) all the same, as long as an eighth of the store is free.
 */
const FREE_FOR_LATECOMERS = 1 / 8

/** A trust domain may hold this many times what is free, so that all its callers leave 1/17 to other domains. */
const DOMAIN_TO_FREE = 16

/**
 * Shares the room of a store out, first by trust domain, then by caller.
 *
 * @param maxEntriesPerCaller a fixed limit in place of a caller's share; null for the share
 */
export function createFairShares(maxEntries: number, maxEntriesPerCaller: number | null): FairShares {
  const callers = new Map<string, Caller>()
  const domains = new Map<string, TrustDomain>()
  const owners: (Caller | null)[] = []
  const freeOwners: number[] = []
  let total = 0

  function isWithinShare(held: number, activeCallers: number): boolean {
    const after = held + 1
    if (maxEntriesPerCaller !== null) return after <= maxEntriesPerCaller
    const freeAfter = maxEntries - total - 1
    if (held === 0 || after <= freeAfter) return true
    return after * (activeCallers + 1) <= maxEntries && freeAfter >= maxEntries * FREE_FOR_LATECOMERS
  }

  function enter(name: string): Caller {
    const domainName = trustDomainOf(name)
    const domain = domains.get(domainName) ?? { name: domainName, held: 0 }
    domains.set(domainName, domain)
    const caller: Caller = { name, domain, owner: freeOwners.pop() ?? owners.length, held: 0 }
    callers.set(name, caller)
    owners[caller.owner] = caller
    return caller
  }

  return {
    admits(name) {
      const free = maxEntries - total
      if (free <= 0) return false
      const caller = callers.get(name)
      const domain = caller?.domain ?? domains.get(trustDomainOf(name))
      if ((domain?.held ?? 0) >= free * DOMAIN_TO_FREE) return false
      return isWithinShare(caller?.held ?? 0, callers.size + (caller === undefined ? 1 : 0))
    },
    take(name) {
      const caller = callers.get(name) ?? enter(name)
      caller.held++
      caller.domain.held++
      total++
      return caller.owner
    },
    giveBack(owner) {
      const caller = owners[owner]!
      total--
      if (--caller.domain.held === 0) domains.delete(caller.domain.name)
      if (--caller.held > 0) return
      callers.delete(caller.name)
      owners[owner] = null
      freeOwners.push(owner)
    },
  }
}

/** Scheme and authority of a workload identifier, without looking at it any closer. */
function trustDomainOf(caller: string): string {
  const authority = caller.indexOf('://')
  const path = authority < 0 ? -1 : caller.indexOf('/', authority + 3)
  return path < 0 ? caller : caller.slice(0, path)
}
