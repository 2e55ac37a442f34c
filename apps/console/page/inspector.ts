import type { Explanation, ExplainPolicy, Revision } from 'wimse/explain'
import { explain, parsePastedRequest, webCrypto } from 'wimse/explain'
import type { Sample } from '../src/sample.js'
import { checksView } from './check-view.js'
import { bringIntoView, byId, element, fieldById, formById, isTicked } from './element.js'
import { banner } from './outcome.js'
import { ask } from './server.js'
import { tokenView } from './token-view.js'

const valueOf = (id: string): string => fieldById(id).value.trim()

/** Makes the form work. */
export function startInspector(): void {
  const form = formById('inspect')
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void inspect()
  })
  form.addEventListener('reset', () => clear())
  byId('sample').addEventListener('click', () => void fillSample())
}

/** Puts a request into the form, as if it had been pasted, and checks it. */
export async function inspectRequest(
  text: string,
  service: Pick<Sample, 'jwks' | 'trustDomain'>,
): Promise<void> {
  formById('inspect').reset()
  fieldById('request').value = text
  fieldById('jwks').value = service.jwks
  fieldById('trust-domain').value = service.trustDomain
  await inspect()
}

async function fillSample(): Promise<void> {
  try {
    const sample = await ask<Sample>('/api/sample', 'POST')
    await inspectRequest(sample.request, sample)
  } catch {
    show([banner('unknown', 'There is no sample.', 'The services of the demo do not answer.')])
  }
}

function clear(): void {
  for (const id of ['verdict', 'notes', 'checks', 'tokens']) byId(id).replaceChildren()
}

function show(verdict: readonly Node[]): void {
  clear()
  byId('verdict').replaceChildren(...verdict)
}

async function inspect(): Promise<void> {
  const pasted = parsePastedRequest(fieldById('request').value)
  const now = valueOf('at') === '' ? Math.floor(Date.now() / 1000) : Number(valueOf('at'))
  const url = valueOf('url') || (pasted.url ?? '')
  fieldById('url').placeholder = pasted.url ?? ''
  if (pasted.isPartial) {
    show([
      banner(
        'unknown',
        'Nobody can tell from this.',
        'There may be header fields that were not read: paste them.',
      ),
    ])
    byId('notes').replaceChildren(...notesView(pasted.notes))
    return
  }
  if (pasted.headers.length === 0 && url === '') {
    show([banner('unknown', 'Nothing to check yet.', 'Paste a request, or fill in a sample.')])
    fieldById('request').focus()
    return
  }
  if (url === '') {
    show([banner('unknown', 'What was called?', 'A proof is for one URL: fill in the one that was called.')])
    fieldById('url').focus()
    return
  }
  let explanation: Explanation
  try {
    explanation = await explain(
      // The line of a request head has the target as the service sees it.
      {
        url,
        headers: pasted.headers,
        ...(pasted.url === null && pasted.target !== null ? { target: pasted.target } : {}),
      },
      readPolicy(now),
      webCrypto(),
    )
  } catch (error) {
    show([banner('unknown', 'This cannot be checked.', (error as Error).message)])
    return
  }
  show([verdictView(explanation)])
  byId('notes').replaceChildren(...notesView(pasted.notes))
  byId('checks').replaceChildren(...checksView(explanation.checks, now))
  byId('tokens').replaceChildren(...tokensView(explanation, now))
  bringIntoView(byId('verdict'))
}

/** @throws TypeError saying which field cannot be read */
function readPolicy(now: number): ExplainPolicy {
  const revisions = (['wpt-01', 'wpt-02'] as const).filter((revision: Revision) => isTicked(revision))
  const origins = listIn('audience')
  const trustDomain = valueOf('trust-domain')
  const jwks = readJwks()
  const keys = jwks === undefined ? {} : { jwks }
  return {
    now,
    revisions,
    otherTokens: listIn('other-tokens'),
    ...(origins.length === 0 ? {} : { audience: origins }),
    ...(trustDomain === '' ? keys : { trustDomains: { [trustDomain]: keys } }),
  }
}

function readJwks(): unknown {
  const text = valueOf('jwks')
  if (text === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    // What JSON.parse says of it quotes it.
    throw new TypeError('the JWK set is not JSON')
  }
}

function listIn(id: string): string[] {
  return valueOf(id)
    .split(/[\s,]+/)
    .filter((one) => one !== '')
}

function verdictView({ verdict, status, code, title, unless, revision, checks }: Explanation): HTMLElement {
  const carriage = revision === 'wpt-01' ? 'in a field of its own' : 'in Authorization'
  const about = `Revision ${revision}: the proof travels ${carriage}.`
  if (verdict === 'accepted') {
    return banner('passed', 'Would be let in.', 'All passed that can be told without the service.', about)
  }
  if (verdict === 'undecided') {
    const open = checks.filter(({ outcome }) => outcome === 'unknown').length
    return banner(
      'unknown',
      'Nobody can tell from this.',
      `Nothing failed, and ${open} checks are open.`,
      about,
    )
  }
  const [first, ...others] = checks.filter(({ outcome }) => outcome === 'failed')
  const lines = [
    title ?? '',
    ...(others.length > 0
      ? [`${others.length} more ${others.length === 1 ? 'check' : 'checks'} failed behind it.`]
      : []),
    ...(unless.length > 0 ? [`Unless one of these comes first, which is open: ${unless.join(', ')}.`] : []),
    about,
  ]
  return banner('failed', `Refused: ${status} ${code}`, ...lines, showCheck(first!.id))
}

function showCheck(id: string): HTMLElement {
  return element('button', { type: 'button', onclick: () => byId(`check-${id}`).focus() }, 'Show the check')
}

function notesView(notes: readonly string[]): readonly HTMLElement[] {
  if (notes.length === 0) return []
  const items = notes.map((note) => element('li', {}, note))
  return [
    element('p', { class: 'notes-title' }, 'While reading what you pasted:'),
    element('ul', { class: 'notes' }, ...items),
  ]
}

function tokensView({ wit, wpt }: Explanation, now: number): readonly HTMLElement[] {
  return [
    ...(wit === null ? [] : [tokenView('The identity token, as it reads', wit, now)]),
    ...(wpt === null ? [] : [tokenView('The proof, as it reads', wpt, now)]),
  ]
}
