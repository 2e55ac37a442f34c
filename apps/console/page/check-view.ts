import type { Check } from 'wimse/explain'
import { element, isNarrow } from './element.js'
import { badge } from './outcome.js'
import { fromNow } from './relative-time.js'
import { timeView } from './time-view.js'

const GROUPS: readonly (readonly [title: string, holds: (id: string) => boolean])[] = [
  ['Identity token', (id) => /^wit\.(?!single|present)/.test(id)],
  ['Proof', (id) => /^proof\.(?!single|present)/.test(id)],
  ['Only the service can tell', (id) => id === 'revocation' || id === 'replay'],
]
const HEADER_GROUP = 'Header fields'

/** Lists all checks in their order, grouped by what they look at. */
export function checksView(checks: readonly Check[], now: number): readonly HTMLElement[] {
  const titles = [HEADER_GROUP, ...GROUPS.map(([title]) => title)]
  const first = checks.find(({ outcome }) => outcome === 'failed')
  return titles.map((title) => {
    const own = checks.filter(({ id }) => titleOf(id) === title)
    const isOpen = !isNarrow() || own.some(({ outcome }) => outcome === 'failed' || outcome === 'unknown')
    return element(
      'details',
      { class: 'group', open: isOpen },
      element('summary', {}, element('h2', {}, title), element('span', { class: 'count' }, countsOf(own))),
      element('ol', { class: 'checks' }, ...own.map((check) => checkView(check, now, check === first))),
    )
  })
}

/** How many came out how: `15 passed, 1 failed`. */
function countsOf(checks: readonly Check[]): string {
  return (['failed', 'passed', 'unknown', 'skipped'] as const)
    .map((outcome) => [checks.filter((check) => check.outcome === outcome).length, outcome] as const)
    .filter(([count]) => count > 0)
    .map(([count, outcome]) => `${count} ${outcome}`)
    .join(', ')
}

function titleOf(id: string): string {
  return GROUPS.find(([, holds]) => holds(id))?.[0] ?? HEADER_GROUP
}

function checkView(check: Check, now: number, isFirst: boolean): HTMLElement {
  const { id, outcome, title, code, section, expected, received, reason, instant } = check
  const isCompared = outcome !== 'skipped'
  return element(
    'li',
    {
      class: `check ${outcome}`,
      id: `check-${id}`,
      tabindex: '-1',
      'data-check': id,
      'data-outcome': outcome,
    },
    badge(outcome),
    element(
      'div',
      { class: 'about' },
      element(
        'p',
        { class: 'title' },
        title,
        isFirst ? element('strong', { class: 'first' }, 'answered with this') : null,
      ),
      reason === null ? null : element('p', { class: 'reason' }, reason),
      isCompared && (expected !== null || received !== null)
        ? element(
            'dl',
            { class: 'compared' },
            ...pair('expected', expected),
            ...pair(
              'received',
              received,
              instant === null ? null : timeView(whenOf(id, instant, now), instant),
            ),
          )
        : null,
      outcome === 'failed' || outcome === 'unknown'
        ? element('p', { class: 'source' }, element('code', {}, code), ` · ${section}`)
        : null,
    ),
  )
}

function pair(name: string, value: string | null, time: Node | null = null): readonly HTMLElement[] {
  if (value === null && name === 'expected') return []
  const shown = value === null ? element('span', { class: 'when' }, 'nothing') : element('code', {}, value)
  return [element('div', {}, element('dt', {}, name), element('dd', {}, shown, time))]
}

function whenOf(id: string, instant: number, now: number): string {
  const isPast = instant <= now
  const [past, future] = id.includes('not-before') ? ['valid since', 'valid'] : ['expired', 'expires']
  return `${isPast ? past : future} ${fromNow(instant, now)}`
}
