import type { AuthenticationErrorCode, Check, DecodedToken } from 'wimse/explain'
import { cureOf } from './cures.js'
import { EXIT, type ExitCode } from './failure.js'
import { printable } from './printable.js'
import { instantAndDistance } from './relative-time.js'

/** What came out, over some or all checks of a request. */
export interface Verdict {
  readonly verdict: 'accepted' | 'refused' | 'undecided'
  readonly code: AuthenticationErrorCode | null
  /** Codes that would come before it, were open checks to fail. */
  readonly unless: readonly AuthenticationErrorCode[]
}

/** Checks that only a service can make, and that no verdict here waits for. */
const ASKED_OF_THE_SERVICE: ReadonlySet<string> = new Set(['revocation', 'replay'])

/** Judges a selection of the checks as `explain()` judges all of them. */
export function verdictOf(checks: readonly Check[]): Verdict {
  const failedAt = checks.findIndex(({ outcome }) => outcome === 'failed')
  const open = checks
    .slice(0, failedAt === -1 ? undefined : failedAt)
    .filter(({ id, outcome }) => outcome === 'unknown' && !ASKED_OF_THE_SERVICE.has(id))
  const unless = [...new Set(open.map(({ code }) => code))]
  if (failedAt !== -1) return { verdict: 'refused', code: checks[failedAt]!.code, unless }
  return { verdict: open.length === 0 ? 'accepted' : 'undecided', code: null, unless }
}

/** The checks that are about the WIT alone. */
export function checksOfWit(checks: readonly Check[]): readonly Check[] {
  return checks.filter(
    ({ id }) =>
      id === 'tokens.size' || (id.startsWith('wit.') && id !== 'wit.single' && id !== 'wit.present'),
  )
}

/** How a command that judges ends. */
export function exitCodeOf({ verdict }: Verdict): ExitCode {
  return { accepted: EXIT.done, refused: EXIT.refused, undecided: EXIT.undecided }[verdict]
}

const MARKS = { passed: 'ok', failed: 'FAIL', skipped: '-', unknown: '?' } as const

/** Every check in a line, those that did not pass with what they compared. Times are relative to `now`. */
export function checkLines(checks: readonly Check[], now: number): string {
  const width = Math.max(...checks.map(({ id }) => id.length)) + 2
  return checks.map((check) => checkLine(check, width, now)).join('')
}

function checkLine(check: Check, width: number, now: number): string {
  const { id, title, outcome, expected, received, instant, reason, code, section } = check
  const head = `${MARKS[outcome].padEnd(6)}${id.padEnd(width)}${title}`
  if (outcome === 'skipped') return `${head}: not made, ${printable(reason ?? '')}\n`
  if (outcome === 'passed')
    return `${head}${instant === null ? '' : ` (${instantAndDistance(instant, now)})`}\n`
  const details: readonly (readonly [string, string | null])[] = [
    ['why', reason],
    ['expected', expected],
    ['received', received],
    ['time', instant === null ? null : instantAndDistance(instant, now)],
    ['answer', outcome === 'failed' ? `${code} (${section})` : null],
    ['cure', outcome === 'failed' ? cureOf(code) : null],
  ]
  const lines = details
    .filter(([, text]) => text !== null)
    .map(([name, text]) => `${' '.repeat(8)}${name.padEnd(10)}${printable(text!)}\n`)
  return `${head}\n${lines.join('')}`
}

/** The last line of a report. */
export function verdictLine({ verdict, code, unless }: Verdict, status: number | null = null): string {
  const before = unless.length === 0 ? '' : `, unless it is ${unless.join(' or ')}`
  if (verdict === 'refused') return `refused: ${status === null ? '' : `${status} `}${code ?? ''}${before}\n`
  if (verdict === 'accepted') return 'accepted\n'
  return `undecided: nothing is wrong so far, and these could not be told: ${unless.join(', ')}\n`
}

/** Who a WIT is for and until when, as far as it can be read; none of it need be true. */
export function tokenLines(wit: DecodedToken | null, wpt: DecodedToken | null, now: number): string {
  const lines = [
    wit === null ? null : `WIT    ${described(wit, 'sub', now)}\n`,
    wpt === null ? null : `proof  ${described(wpt, 'aud', now)}\n`,
  ].filter((line) => line !== null)
  return lines.length === 0 ? '' : `${lines.join('')}\n`
}

function described({ header, claims }: DecodedToken, about: string, now: number): string {
  const { exp } = claims
  const parts = [
    `says ${about} is ${shown(claims[about])}`,
    `alg ${shown(header['alg'])}`,
    ...(typeof exp === 'number' ? [`exp ${instantAndDistance(exp, now)}`] : ['no exp']),
  ]
  return printable(parts.join('; '))
}

const LONGEST_SHOWN = 256

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'missing')
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text
}
