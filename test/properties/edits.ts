import { fc } from '../core/property.js'
import { NOON, ORIGIN } from '../fastify/service-under-test.js'
import { ALGORITHMS, AUDIENCES, type Draft, SUBJECTS, suiteOf } from './good-tokens.js'

/** One edit of a text; places are taken modulo its length. */
export type TextEdit =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'insert'; readonly at: number; readonly text: string }
  | { readonly kind: 'remove' | 'double' | 'reverse'; readonly at: number; readonly length: number }
  | { readonly kind: 'move'; readonly at: number; readonly length: number; readonly to: number }
  /** Puts in a stretch of another text. */
  | { readonly kind: 'splice'; readonly at: number; readonly length: number; readonly from: number }

const length = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 400 }))
const junk = fc.string({
  unit: fc.constantFrom(...Array.from('.=-_+/ \t,;:"\'{}[]\0\x7f\xa0\xe9AQgw019eyJ\r\n')),
  minLength: 1,
  maxLength: 4,
})

/** Edits of a text, from one bit to whole stretches. */
export const textEdits: fc.Arbitrary<readonly TextEdit[]> = editsAt(fc.nat(20_000))

/** Edits of the first line of a message and of its Host, which may be of no consequence. */
export const headEdits: fc.Arbitrary<readonly TextEdit[]> = editsAt(fc.nat(50))

function editsAt(place: fc.Arbitrary<number>): fc.Arbitrary<readonly TextEdit[]> {
  return fc.array(
    fc.oneof<fc.Arbitrary<TextEdit>[]>(
      fc.record({ kind: fc.constant('flip'), at: place, bit: fc.nat(7) }),
      fc.record({ kind: fc.constant('insert'), at: place, text: junk }),
      fc.record({ kind: fc.constantFrom('remove', 'double', 'reverse'), at: place, length }),
      fc.record({ kind: fc.constant('move'), at: place, length, to: place }),
      fc.record({ kind: fc.constant('splice'), at: place, length, from: place }),
    ),
    { minLength: 1, maxLength: 3 },
  )
}

/** Edits a text of characters up to U+00FF. */
export function editText(text: string, edits: readonly TextEdit[], other: string): string {
  return edits.reduce((edited, edit) => editOnce(edited, edit, other), text)
}

function editOnce(text: string, edit: TextEdit, other: string): string {
  const at = edit.at % (text.length + 1)
  const [before, after] = [text.slice(0, at), text.slice(at)]
  switch (edit.kind) {
    case 'flip':
      return after === ''
        ? text
        : before + String.fromCharCode(after.charCodeAt(0) ^ (1 << edit.bit)) + after.slice(1)
    case 'insert':
      return before + edit.text + after
    case 'remove':
      return before + after.slice(edit.length)
    case 'double':
      return before + after.slice(0, edit.length) + after
    case 'reverse':
      return before + Array.from(after.slice(0, edit.length)).toReversed().join('') + after.slice(edit.length)
    case 'move': {
      const rest = before + after.slice(edit.length)
      const to = edit.to % (rest.length + 1)
      return rest.slice(0, to) + after.slice(0, edit.length) + rest.slice(to)
    }
    case 'splice': {
      const from = edit.from % (other.length + 1)
      return before + other.slice(from, from + edit.length) + after.slice(edit.length)
    }
    default:
      return edit satisfies never
  }
}

/** One member of one part of the tokens, and what it becomes; `undefined` takes it out. */
export interface ClaimEdit {
  readonly part: keyof Draft
  readonly name: string
  readonly value: unknown
}

const times = fc.constantFrom(0, 1, 59, 60, 61, 299, 300, 301, 86_399, 86_400, 86_401, -1, -3600, 0.5)
const value = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 3 }),
  times.map((seconds) => NOON + seconds),
  fc.constantFrom(String(NOON + 60), NOON * 1000, 1e308, -1e308, 1e-300, Number.MAX_SAFE_INTEGER),
  fc.constantFrom('wit+jwt', 'wpt+jwt', 'application/WIT+jwt', 'Application/wpt+JWT', 'JWT', 'dpop+jwt'),
  fc.constantFrom(...ALGORITHMS, 'Ed25519', 'none', 'HS256', 'ES384', 'RS512'),
  fc.constantFrom(...AUDIENCES, ...SUBJECTS),
  fc.constantFrom(...AUDIENCES).map((audience) => [audience]),
  fc.constantFrom(
    `${ORIGIN}/`,
    `${ORIGIN}/stock/`,
    `http://inventory.example.com/stock`,
    'wimse://example.com/',
  ),
  // Those of the right suite, and of others.
  fc.constantFrom(
    ...ALGORITHMS.flatMap((algorithm) => Object.values(suiteOf(algorithm, algorithm).goodDraft)).flatMap(
      (members) => Object.values(members),
    ),
  ),
  fc.constantFrom({}, [], null, '', 'x'.repeat(256), 'x'.repeat(257), ['exp']),
  fc.constantFrom({ 'x-token': 'a' }, { jwk: {} }, { kid: 'a' }),
)

const names: Readonly<Record<keyof Draft, readonly string[]>> = {
  witHeader: ['alg', 'typ', 'kid', 'crit', 'jwk', 'cty', 'b64', 'x'],
  witClaims: ['sub', 'cnf', 'exp', 'nbf', 'iss', 'aud', 'jti', 'x'],
  wptHeader: ['alg', 'typ', 'kid', 'crit', 'jwk', 'cty', 'b64', 'x'],
  wptClaims: ['aud', 'exp', 'nbf', 'jti', 'wth', 'ath', 'tth', 'oth', 'iss', 'x'],
}

/** Edits of what the tokens say. */
export const claimEdits: fc.Arbitrary<readonly ClaimEdit[]> = fc.array(
  fc
    .constantFrom(...(Object.keys(names) as (keyof Draft)[]))
    .chain((part) => fc.record({ part: fc.constant(part), name: fc.constantFrom(...names[part]), value })),
  { minLength: 1, maxLength: 3 },
)

/** Edits what the tokens say. */
export function editDraft(draft: Draft, edits: readonly ClaimEdit[]): Draft {
  const edited: Record<keyof Draft, Record<string, unknown>> = {
    witHeader: { ...draft.witHeader },
    witClaims: { ...draft.witClaims },
    wptHeader: { ...draft.wptHeader },
    wptClaims: { ...draft.wptClaims },
  }
  for (const { part, name, value } of edits) edited[part][name] = value
  return edited
}
