import { element } from './element.js'

/** How something came out: each has a sign and a word of its own, so that colour is never all there is. */
export type Tone = 'passed' | 'failed' | 'unknown' | 'skipped'

const SIGNS: Readonly<Record<Tone, string>> = { passed: '✓', failed: '✕', unknown: '?', skipped: '–' }

/** A sign and a word. */
export function badge(tone: Tone, word: string = tone, sign: string = SIGNS[tone]): HTMLElement {
  return element(
    'span',
    { class: `badge ${tone}` },
    element('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
    word,
  )
}

/** A line that says how all of it came out. */
export function banner(tone: Tone, head: string, ...lines: readonly (Node | string)[]): HTMLElement {
  return element(
    'div',
    { class: `banner ${tone}` },
    element('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[tone]),
    element('div', {}, element('p', { class: 'head' }, head), ...lines.map((line) => element('p', {}, line))),
  )
}
