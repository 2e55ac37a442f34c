/** Who holds how much of a store, and whether a caller may hold more. */
export interface FairShares {
  /** Tells whether there is room for one more entry of this caller. */
  admits(caller: string): boolean
  /** Counts one more entry. @returns the owner to write into the entry */
  take(caller: string): number
  /** Counts one entry less of an owner. */
  giveBack(owner: number): void
  /** Takes all that anybody holds for given back, in one step. */
  clear(): void
}

interface TrustDomain {
  readonly name: string
  /** Whether room is kept for it while it holds little. */
  readonly isExpected: boolean
  held: number
  /** How many callers of it hold something. */
  callers: number
}

interface Caller {
  readonly name: string
  readonly domain: TrustDomain
  readonly owner: number
  held: number
}

/** Past this many trust domains, those that hold nothing are forgotten. */
const MOST_DOMAINS = 256

/** This part of its room a trust domain leaves to one that has not claimed yet. */
const FOR_UNSEEN_DOMAIN = 1 / 64

/** In this part of the room, each that comes may take only so much that later ones find something as well. */
const LAST_PART = 1 / 12

/**
 * Shares the room of a store out, first by trust domain, then by caller. Nothing is taken from who was here
 * first, so what is left for latecomers has to be kept back in time. As long as half of the store is free
 * nobody is refused. After that:
 *
 * Of d trust domains that had all claimed before, each finds room for 1/(d + 1) of the store, at most for
 * 1/(2(d - 1)), whatever the others do. One alone may have all but 1/64. One that claims for the first time
 * after that finds half of this, and each next such one a part of what is left.
 *
 * Of n callers in a domain's room, up to 63, none is refused below 1/(n + 1) of it while none has more; of
 * more of them, each finds 63/64 of 1/n. If they fill it one after another, the first takes 1/2, the second
 * 1/3, the third 1/12. Of the rest, but for the 1/64, the fourth takes 1/3, the k-th 1/(k - 1): there is
 * always some left for one who has just come.
 *
 * @param maxEntriesPerCaller a fixed limit in place of a caller's share; null for the share
 */
export function createFairShares(maxEntries: number, maxEntriesPerCaller: number | null): FairShares {
  const callers = new Map<string, Caller>()
  const domains = new Map<string, TrustDomain>()
  const owners: (Caller | null)[] = []
  const freeOwners: number[] = []
  let total = 0
  /** What each expected trust domain is to find room for. */
  let domainShare = 0
  /** What the expected trust domains hold less than that, together. */
  let missing = 0

  const missingOf = (domain: TrustDomain): number =>
    domain.isExpected ? Math.max(0, domainShare - domain.held) : 0

  function shareAmongDomains(): void {
    let expected = 0
    for (const domain of domains.values()) if (domain.isExpected) expected++
    domainShare = shareOfOne(expected)
    missing = 0
    for (const domain of domains.values()) missing += missingOf(domain)
  }

  /** All shares but one are no more than half: who is alone in using the store may have the other half. */
  function shareOfOne(expected: number): number {
    return expected < 2 ? 0 : Math.floor(maxEntries / Math.max(expected + 1, 2 * (expected - 1)))
  }

  /** Entries a trust domain may still take. */
  function roomOf(domain: TrustDomain): number {
    const free = maxEntries - total
    const own = missingOf(domain)
    const others = missing - own
    const beyondOthers = free - others
    if (domain.isExpected && 2 * beyondOthers >= own) return beyondOthers
    // Some came when there was not enough left for all: it takes as much as it leaves to each of them, and to
    // the next that may come.
    const toOthers = Math.max(1, domainShare) / Math.max(1, others + domainShare)
    return Math.floor((free * toOthers - domain.held) / (1 + toOthers))
  }

  function isWithinShare(
    held: number,
    activeCallers: number,
    size: number,
    room: number,
    kept: number,
  ): boolean {
    const after = held + 1
    const roomAfter = room - 1
    if (after * (activeCallers + 1) <= size && roomAfter >= size / Math.max(6, activeCallers + 1)) return true
    if (roomAfter >= size * LAST_PART) return after <= roomAfter
    const rest = roomAfter - kept
    return after * (2 * (size * LAST_PART - kept) - rest) <= rest * rest
  }

  function enterDomain(name: string): TrustDomain {
    // A probe of one's own store names a domain that can be nobody's.
    const isExpected = domains.size < MOST_DOMAINS && !name.endsWith('.invalid')
    const domain = { name, isExpected, held: 0, callers: 0 }
    domains.set(name, domain)
    if (isExpected) shareAmongDomains()
    return domain
  }

  function enter(name: string): Caller {
    const domainName = trustDomainOf(name)
    const domain = domains.get(domainName) ?? enterDomain(domainName)
    const caller: Caller = { name, domain, owner: freeOwners.pop() ?? owners.length, held: 0 }
    domain.callers++
    callers.set(name, caller)
    owners[caller.owner] = caller
    return caller
  }

  /** Counts the entries of a trust domain, and what it has less than its share. */
  function add(domain: TrustDomain, entries: 1 | -1): void {
    missing -= missingOf(domain)
    domain.held += entries
    missing += missingOf(domain)
    total += entries
  }

  return {
    admits(name) {
      if (total >= maxEntries) return false
      const caller = callers.get(name)
      const held = caller?.held ?? 0
      if (maxEntriesPerCaller !== null && held >= maxEntriesPerCaller) return false
      if (2 * (total + 1) <= maxEntries) return true
      const domain = caller?.domain ?? domains.get(trustDomainOf(name))
      if (domain === undefined) return true
      const room = roomOf(domain)
      const size = domain.held + room
      const kept = domain.isExpected && missingOf(domain) === 0 ? size * FOR_UNSEEN_DOMAIN : 0
      if (room <= kept) return false
      if (held === 0 || maxEntriesPerCaller !== null) return true
      return isWithinShare(held, domain.callers, size, room, kept)
    },
    take(name) {
      const caller = callers.get(name) ?? enter(name)
      caller.held++
      add(caller.domain, 1)
      return caller.owner
    },
    giveBack(owner) {
      const caller = owners[owner]!
      const { domain } = caller
      add(domain, -1)
      if (--caller.held > 0) return
      callers.delete(caller.name)
      owners[owner] = null
      freeOwners.push(owner)
      if (--domain.callers === 0 && !domain.isExpected) domains.delete(domain.name)
    },
    clear() {
      callers.clear()
      owners.length = 0
      freeOwners.length = 0
      total = 0
      for (const domain of domains.values()) {
        if (domain.isExpected) Object.assign(domain, { held: 0, callers: 0 })
        else domains.delete(domain.name)
      }
      shareAmongDomains()
    },
  }
}

/** Scheme and authority of a workload identifier, without looking at it any closer. */
function trustDomainOf(caller: string): string {
  const authority = caller.indexOf('://')
  const path = authority < 0 ? -1 : caller.indexOf('/', authority + 3)
  return path < 0 ? caller : caller.slice(0, path)
}
