import type { Attempt, ConsoleSettings } from '../src/console.js'
import type { Exchange } from '../src/exchange.js'
import type { Sample } from '../src/sample.js'
import { bringIntoView, byId, element } from './element.js'
import { inspectRequest } from './inspector.js'
import { banner } from './outcome.js'
import { ask } from './server.js'
import { decodeToken, shortened, tokenView } from './token-view.js'

/** Lists the calls as buttons. */
export async function startTryIt(): Promise<void> {
  let settings: ConsoleSettings
  try {
    settings = await ask<ConsoleSettings>('/api/settings')
  } catch {
    byId('attempt-status').replaceChildren(
      banner('unknown', 'There are no calls.', 'The console’s server does not answer: load the page again.'),
    )
    return
  }
  byId('calls').replaceChildren(
    ...settings.calls.map(({ tried, expected }, position) => {
      const button = element(
        'button',
        { type: 'button', onclick: () => void makeCall(position, button) },
        element('span', { class: 'what' }, tried),
        element('span', { class: 'expected' }, outcomeText(expected)),
      )
      return element('li', {}, button)
    }),
  )
}

async function makeCall(position: number, button: HTMLButtonElement): Promise<void> {
  for (const one of byId('calls').querySelectorAll('button')) one.removeAttribute('aria-current')
  button.setAttribute('aria-current', 'true')
  let attempt: Attempt
  try {
    attempt = await ask<Attempt>(`/api/calls/${position}`, 'POST')
  } catch {
    byId('attempt').replaceChildren()
    showNoAnswer()
    return
  }
  const { tried, expected, outcome, asExpected, exchanges } = attempt
  byId('attempt-status').replaceChildren(
    outcome === null
      ? banner('unknown', `Nothing came back of ${tried}.`)
      : banner(
          asExpected ? 'passed' : 'failed',
          `${outcomeText(outcome)} ${asExpected ? '– as expected' : `– expected ${outcomeText(expected)}`}`,
          outcome.code === null ? `Let in: ${tried}.` : `Refused: ${tried}.`,
        ),
  )
  byId('attempt').replaceChildren(
    ...exchanges.map((exchange, index) => exchangeView(exchange, index, exchanges.length)),
  )
  bringIntoView(byId('attempt-status'))
}

function showNoAnswer(): void {
  byId('attempt-status').replaceChildren(
    banner('unknown', 'No answer.', 'The services of the demo do not answer.'),
  )
}

function outcomeText({ status, code }: { status: number; code: string | null }): string {
  return code === null ? String(status) : `${status} ${code}`
}

function exchangeView(exchange: Exchange, index: number, count: number): HTMLElement {
  const { request, response } = exchange
  const of = count === 1 ? '' : ` ${index + 1} of ${count}`
  const tokens = tokensOf(request.headers)
  return element(
    'section',
    { class: 'exchange' },
    element(
      'div',
      { class: 'sides' },
      element(
        'section',
        { class: 'side', 'aria-label': `Request${of}` },
        element('h2', {}, `Request${of}`),
        element('p', { class: 'line' }, element('code', {}, `${request.method} ${request.url}`)),
        headersView(request.headers),
        request.body === null ? null : bodyView(request.body),
        ...tokens,
        // Nothing of a request without tokens is for the inspector.
        tokens.length === 0
          ? null
          : element(
              'button',
              { type: 'button', onclick: () => void lookInto(exchange) },
              'Look into this request',
            ),
      ),
      element(
        'section',
        { class: 'side', 'aria-label': `Response${of}` },
        element('h2', {}, `Response${of}`),
        element('p', { class: 'line' }, element('code', {}, `HTTP ${response.status}`)),
        headersView(response.headers.filter(([name]) => TELLING.has(name))),
        isProblem(response.headers) ? element('h3', {}, 'Problem document') : null,
        bodyView(response.body),
      ),
    ),
  )
}

/** Fields of a response that say something here. */
const TELLING: ReadonlySet<string> = new Set([
  'content-type',
  'cache-control',
  'www-authenticate',
  'deprecation',
  'sunset',
  'retry-after',
  'vary',
])

function isProblem(headers: Exchange['response']['headers']): boolean {
  return headers.some(
    ([name, value]) => name === 'content-type' && value.startsWith('application/problem+json'),
  )
}

function headersView(headers: Exchange['request']['headers']): HTMLElement {
  const rows = headers.map(([name, value]) =>
    element('div', {}, element('dt', {}, name), element('dd', {}, element('code', {}, withoutMiddle(value)))),
  )
  return element('dl', { class: 'members' }, ...rows)
}

function withoutMiddle(value: string): string {
  return value.replace(/[\w-]{8,}\.[\w-]+\.[\w-]*/g, shortened)
}

function bodyView(text: string): HTMLElement {
  return element('pre', { class: 'body' }, element('code', {}, pretty(text)))
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text === '' ? '(empty)' : text
  }
}

function tokensOf(headers: Exchange['request']['headers']): readonly HTMLElement[] {
  return headers.flatMap(([name, value]) => {
    const token = decodeToken(value.replace(/^\S+ /, ''))
    return token === null ? [] : [tokenView(`${name}, as it reads`, token, Date.now() / 1000, false)]
  })
}

async function lookInto({ request }: Exchange): Promise<void> {
  let sample: Sample
  try {
    sample = await ask<Sample>('/api/sample', 'POST')
  } catch {
    showNoAnswer()
    bringIntoView(byId('attempt-status'))
    return
  }
  const lines = [
    `curl '${request.url}'`,
    ...request.headers.map(([name, value]) => `  -H '${name}: ${value}'`),
  ]
  const shown = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }))
  location.hash = '#inspector'
  await shown
  await inspectRequest(lines.join(' \\\n'), sample)
}
