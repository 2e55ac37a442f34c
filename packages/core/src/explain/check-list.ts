import { type CheckId, RULES, type Rule } from './check-table.js'

/** How a check came out. `'skipped'` could not be made after another had failed, or was not asked for. */
export type CheckOutcome = 'passed' | 'failed' | 'skipped' | 'unknown'

/** One check of a request, with what it compared. */
export interface Check extends Rule {
  readonly id: CheckId
  /** `'unknown'` is not `'passed'`: nobody can tell from what is here. */
  readonly outcome: CheckOutcome
  /** What passes; null where there is nothing to name. */
  readonly expected: string | null
  /** What came; null where nothing did. It may hold claims, though never a whole token. */
  readonly received: string | null
  /** The time that was compared with now, in epoch seconds; null for checks of anything else. */
  readonly instant: number | null
  /** Why it came out so, unless it passed. */
  readonly reason: string | null
}

/** What a check found. */
export interface Finding {
  readonly expected?: unknown
  readonly received?: unknown
  readonly instant?: unknown
  readonly reason?: string
}

/** Collects the findings, each under the name of its check. */
export interface CheckList {
  /** Notes whether a check passed. @returns the same, so that the next step can depend on it */
  judge(id: CheckId, passed: boolean, finding?: Finding): boolean
  /** Notes that nobody can tell. */
  doubt(id: CheckId, finding: Finding): void
  /** Says why checks were not made. */
  skip(ids: readonly CheckId[], reason: string): void
  /** All checks in the order of the road; those nobody noted were not reached. */
  readonly checks: () => readonly Check[]
}

const NOT_REACHED = 'a check before it has to pass first'

/** Makes an empty list. */
export function createCheckList(): CheckList {
  const noted = new Map<CheckId, Pick<Check, 'outcome'> & Finding>()
  return {
    judge(id, passed, finding = {}) {
      noted.set(id, { outcome: passed ? 'passed' : 'failed', ...finding })
      return passed
    },
    doubt: (id, finding) => void noted.set(id, { outcome: 'unknown', ...finding }),
    skip(ids, reason) {
      for (const id of ids) noted.set(id, { outcome: 'skipped', reason })
    },
    checks: () =>
      (Object.keys(RULES) as CheckId[]).map((id) => {
        const found = noted.get(id) ?? { outcome: 'skipped', reason: NOT_REACHED }
        return {
          id,
          ...RULES[id],
          outcome: found.outcome,
          expected: shown(found.expected),
          received: shown(found.received),
          instant: typeof found.instant === 'number' ? found.instant : null,
          reason: found.outcome === 'passed' ? null : (found.reason ?? null),
        }
      }),
  }
}

const LONGEST_SHOWN = 2048

function shown(value: unknown): string | null {
  if (value === undefined) return null
  const text = typeof value === 'string' ? value : spelled(value)
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text
}

function spelled(value: unknown): string {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
    ? value.join(', ')
    : JSON.stringify(value)
}
