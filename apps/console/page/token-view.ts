import { element } from './element.js'
import { fromNow } from './relative-time.js'
import { timeView } from './time-view.js'

const TIMES: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf'])

interface Decoded {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** Shows header and claims of a token; times also as they lie from now. */
export function tokenView(title: string, token: Decoded, now: number, open = true): HTMLElement {
  return element(
    'details',
    { class: 'token', open },
    element('summary', {}, title),
    element('h3', {}, 'Header'),
    membersView(token.header, now),
    element('h3', {}, 'Claims'),
    membersView(token.claims, now),
  )
}

function membersView(members: Readonly<Record<string, unknown>>, now: number): HTMLElement {
  const rows = Object.entries(members).map(([name, value]) =>
    element(
      'div',
      {},
      element('dt', {}, name),
      element('dd', {}, element('code', {}, spelled(value)), timeOf(name, value, now)),
    ),
  )
  return element('dl', { class: 'members' }, ...rows)
}

function spelled(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

function timeOf(name: string, value: unknown, now: number): HTMLElement | null {
  if (!TIMES.has(name) || typeof value !== 'number') return null
  return timeView(fromNow(value, now), value)
}

/** Takes a token apart for showing, without checking anything; null when it does not look like one. */
export function decodeToken(token: string): Decoded | null {
  const [header, claims] = token.split('.').slice(0, 2).map(readPart)
  return header === undefined || claims === undefined || header === null || claims === null
    ? null
    : { header, claims }
}

function readPart(part: string): Readonly<Record<string, unknown>> | null {
  try {
    const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** A token with its middle left out. */
export function shortened(token: string): string {
  return token.length <= 40 ? token : `${token.slice(0, 18)}…${token.slice(-8)}`
}
