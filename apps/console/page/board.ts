import type { Board, BoardCaller, BoardRoute } from '../src/board.js'
import { byId, element } from './element.js'
import { badge } from './outcome.js'
import { asUtc, fromNow, lengthOf } from './relative-time.js'
import { ask } from './server.js'

const EVERY_MS = 2000

/** Keeps the board up to date while `isShown`. @returns a function that looks at once */
export function startBoard(isShown: () => boolean): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let before: Board | null = null
  let looking = false

  async function look(): Promise<void> {
    clearTimeout(timer)
    if (looking || !isShown() || document.hidden) return
    looking = true
    try {
      const board = await ask<Board>('/api/board')
      announce(before, board)
      before = board
      render(board)
    } catch {
      byId('board-state').replaceChildren(
        badge('unknown', 'no answer'),
        ' The console’s server does not answer; trying again.',
      )
    }
    looking = false
    timer = setTimeout(() => void look(), EVERY_MS)
  }

  document.addEventListener('visibilitychange', () => void look())
  return () => void look()
}

function render(board: Board): void {
  const now = Date.now() / 1000
  const { replicas, since, window } = board
  const silent = replicas.filter(({ answers }) => !answers)
  byId('board-state').replaceChildren(
    silent.length === 0 ? badge('passed', 'live') : badge('failed', `${silent.length} silent`),
    ` ${replicas.length - silent.length} of ${replicas.length} ${replicas.length === 1 ? 'replica answers' : 'replicas answer'}`,
    ...(since === null
      ? []
      : [` · watched for ${lengthOf(now - since)} of the ${lengthOf(window ?? 0)} window`]),
  )
  byId('board').replaceChildren(...board.routes.map((route) => routeView(route, board, now)))
}

/** What stands between a route and being ready; null when nothing does. */
function obstacleOf({ ready, callers, dropped }: BoardRoute, board: Board, now: number): string | null {
  if (ready) return null
  const { since, window, replicas } = board
  if (replicas.some(({ answers }) => !answers)) return 'a replica is silent'
  const lastBearer = Math.max(...callers.map(({ bearer }) => bearer.lastSeen ?? -Infinity))
  if (lastBearer > now - (window ?? 0)) return `bearer token ${fromNow(lastBearer, now)}`
  if (since !== null && since > now - (window ?? 0)) {
    return `watched for ${lengthOf(now - since)} of ${lengthOf(window ?? 0)}`
  }
  return dropped > 0 ? 'not every caller was listed' : null
}

/** The roles are spelled out because a table laid out as a block is none to a screen reader. */
function routeView(shown: BoardRoute, board: Board, now: number): HTMLElement {
  const { route, modes, ready, callers, dropped, refusals } = shown
  const obstacle = obstacleOf(shown, board, now)
  const refused = Object.entries(refusals)
  const rows = callers.map((caller) => callerView(caller, now))
  return element(
    'section',
    { class: 'route', 'data-route': route, 'data-ready': String(ready) },
    element(
      'div',
      { class: 'route-head' },
      element('h2', {}, element('code', {}, route)),
      element('span', { class: 'mode' }, `mode ${modes.join(' / ')}`),
      element(
        'span',
        { class: 'readiness' },
        ready ? badge('passed', 'ready') : badge('skipped', 'not ready'),
        obstacle === null ? null : element('span', { class: 'obstacle' }, obstacle),
      ),
    ),
    rows.length === 0
      ? element('p', { class: 'empty' }, 'Nobody has called yet.')
      : element(
          'table',
          { role: 'table' },
          element('caption', { class: 'visually-hidden' }, `Callers of ${route}`),
          element(
            'thead',
            { role: 'rowgroup' },
            element(
              'tr',
              { role: 'row' },
              ...['Caller', 'Uses', 'Since', 'With WIT', 'With bearer', 'Refused'].map((title) =>
                element('th', { role: 'columnheader', scope: 'col' }, title),
              ),
            ),
          ),
          element('tbody', { role: 'rowgroup' }, ...rows),
        ),
    refused.length === 0
      ? null
      : element(
          'p',
          { class: 'refusals' },
          'Refused so far: ',
          ...refused.map(([code, count]) => element('span', {}, element('code', {}, code), ` × ${count}`)),
        ),
    dropped === 0
      ? null
      : element('p', { class: 'reason' }, `${dropped} requests of callers there was no room to list.`),
  )
}

function callerView({ caller, uses, since, wit, bearer, refusals }: BoardCaller, now: number): HTMLElement {
  const state = {
    wit: () => badge('passed', 'WIT'),
    bearer: () => badge('unknown', 'bearer', '!'),
    both: () => badge('unknown', 'both', '!'),
    none: () => badge('skipped', 'nothing yet'),
  }[uses]()
  const sinceText = since === null ? '–' : fromNow(since, now)
  return element(
    'tr',
    { role: 'row', 'data-caller': caller, 'data-uses': uses },
    element('th', { role: 'rowheader', scope: 'row' }, element('code', {}, caller)),
    cell('Uses', state),
    cell('Since', element('span', since === null ? {} : { title: asUtc(since) }, sinceText)),
    cell('With WIT', count(wit.requests)),
    cell('With bearer', count(bearer.requests)),
    cell('Refused', count(refusals)),
  )
}

function cell(label: string, content: Node): HTMLElement {
  return element('td', { role: 'cell', 'data-label': label }, content)
}

function count(requests: number): HTMLElement {
  return element('span', { class: requests === 0 ? 'zero' : '' }, String(requests))
}

/** Says who changed what, and nothing while nobody does. */
function announce(before: Board | null, board: Board): void {
  if (before === null) return
  const stateOf = ({ routes }: Board): Map<string, string> =>
    new Map(
      routes.flatMap(({ route, callers }) =>
        callers.map(({ caller, uses }) => [`${caller} on ${route}`, uses] as const),
      ),
    )
  const earlier = stateOf(before)
  const news = [...stateOf(board)].filter(([who, uses]) => earlier.get(who) !== uses)
  if (news.length === 0) return
  const words = {
    wit: 'a WIT',
    bearer: 'a bearer token',
    both: 'a bearer token beside its WIT',
    none: 'nothing that was let in',
  }
  byId('board-news').textContent = news
    .map(([who, uses]) => `${who} uses ${words[uses as keyof typeof words]}`)
    .join('. ')
}
