import { parseWorkloadIdentifier } from '../identity/workload-identifier.js'
import { readNumber, refuseUnknownOptions } from '../options.js'
import type { CallerMemory } from './caller-memory.js'

/** Options of {@link memoryCallerMemory}. */
export interface MemoryCallerMemoryOptions {
  /** Callers remembered of each trust domain. Default 10,000. */
  readonly maxCallers?: number
}

interface DomainMemory {
  readonly since: Map<string, number>
  /** Set once a caller found no room: from then on nobody can say of a stranger that it is one. */
  overflowed: boolean
}

/**
 * Remembers in this process who has shown a valid WIT. It never forgets one to make room: once a trust
 * domain has shown more callers than there is room for, it cannot answer for those it does not know, and
 * bearer tokens of that domain are answered with 503. Callers with WITs are not affected.
 *
 * It does NOT remember past a restart, and other processes do not know: use a shared memory for more than
 * one replica.
 *
 * @throws TypeError naming the option that is wrong
 */
export function memoryCallerMemory(options: MemoryCallerMemoryOptions = {}): CallerMemory {
  refuseUnknownOptions('memoryCallerMemory', options, ['maxCallers'])
  const maxCallers = readNumber('maxCallers', options.maxCallers, { default: 10_000, min: 1, integer: true })
  const domains = new Map<string, DomainMemory>()

  function memoryOf(caller: string): DomainMemory {
    const { trustDomain } = parseWorkloadIdentifier(caller)
    const memory = domains.get(trustDomain) ?? { since: new Map(), overflowed: false }
    domains.set(trustDomain, memory)
    return memory
  }

  return {
    remember(caller, at) {
      const memory = memoryOf(caller)
      if (memory.since.has(caller)) return
      if (memory.since.size < maxCallers) memory.since.set(caller, at)
      else memory.overflowed = true
    },
    since(caller) {
      const { since, overflowed } = memoryOf(caller)
      const at = since.get(caller)
      if (at === undefined && overflowed) throw new Error('the caller memory is full for this trust domain')
      return at ?? null
    },
    forget(caller) {
      memoryOf(caller).since.delete(caller)
    },
  }
}
