import type { Check } from 'wimse/explain'
import { element, isNarrow } from './element.js'
import { badge } from './outcome.js'
import { asUtc, fromNow } from './relative-time.js'

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
    const passed = own.filter(({ outcome }) => outcome === 'passed').length
    const isOpen = !isNarrow() || own.some(({ outcome }) => outcome === 'failed' || outcome === 'unknown')
    return element(
      'details',
      { class: 'group', open: isOpen },
      element(
        'summary',
        {},
        element('h2', {}, title),
        element('span', { class: 'count' }, `${passed} of ${own.length} passed`),
      ),
      element('ol', { class: 'checks' }, ...own.map((check) => checkView(check, now, check === first))),
    )
  })
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
            ...pair('received', received, instant === null ? null : whenOf(id, instant, now)),
          )
        : null,
      outcome === 'failed' || outcome === 'unknown'
        ? element('p', { class: 'source' }, element('code', {}, code), ` · ${section}`)
        : null,
    ),
  )
}

function pair(name: string, value: string | null, when: string | null = null): readonly HTMLElement[] {
  if (value === null && name === 'expected') return []
  const shown = value === null ? element('span', { class: 'when' }, 'nothing') : element('code', {}, value)
  const time = when === null ? null : element('span', { class: 'when' }, when)
  return [element('div', {}, element('dt', {}, name), element('dd', {}, shown, time))]
}

function whenOf(id: string, instant: number, now: number): string {
  const isPast = instant <= now
  const verb = id.includes('not-before') ? (isPast ? 'valid since' : 'valid') : isPast ? 'expired' : 'expires'
  return `${verb} ${fromNow(instant, now)} · ${asUtc(instant)}`
}
