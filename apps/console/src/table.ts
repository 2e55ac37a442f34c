import type { Outcome, TourLine } from './tour.js'

const HEAD: readonly string[] = ['what was tried', 'status', 'code', 'as expected']

/** Lays the tour out, one line a call, and says in the last line how many came out as expected. */
export function formatTable(lines: readonly TourLine[]): string {
  const rows = [HEAD, ...lines.map(rowOf)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const rule = widths.map((width) => '-'.repeat(width))
  const table = [HEAD, rule, ...rows.slice(1)].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  const good = lines.filter(({ asExpected }) => asExpected).length
  return [...table, '', `${good} of ${lines.length} as expected`, ''].join('\n')
}

function rowOf({ tried, expected, outcome, asExpected }: TourLine): readonly string[] {
  const [status, code] = outcome === null ? ['none', '-'] : cellsOf(outcome)
  return [tried, status, code, asExpected ? 'yes' : `NO, expected ${cellsOf(expected).join(' ')}`]
}

function cellsOf({ status, code }: Outcome): readonly [string, string] {
  return [String(status), code ?? '-']
}
