import { element } from './element.js'
import { asUtc } from './relative-time.js'

/** A time in words, and exactly. */
export function timeView(words: string, instant: number): HTMLElement {
  const exact = asUtc(instant)
  return element('span', { class: 'when' }, `${words} · `, element('time', { datetime: exact }, exact))
}
