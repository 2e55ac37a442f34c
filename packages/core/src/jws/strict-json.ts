/** A JSON object off the wire. */
export type JsonObject = Readonly<Record<string, unknown>>

const DEEPEST = 32

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads UTF-8 bytes that hold one JSON object, refusing what `JSON.parse` forgives: two members of one
 * name (the last would win), a member named `__proto__`, a byte order mark, invalid UTF-8, lone
 * surrogates, and nesting deeper than any token needs.
 *
 * @returns null when the bytes are anything else
 * @see {@link https://www.rfc-editor.org/rfc/rfc7519#section-4}
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject | null {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  // JSON.parse drops the first of two members with one name, so it then holds fewer than were written.
  return countMembers(value, 0) === countMemberSeparators(text) ? (value as JsonObject) : null
}

/** Counts the members of all objects in a value; NaN, which equals nothing, for one we refuse. */
function countMembers(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.isWellFormed() ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  if (depth === DEEPEST) return Number.NaN
  let members = 0
  if (Array.isArray(value)) {
    for (const element of value) members += countMembers(element, depth + 1)
    return members
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__' || !name.isWellFormed()) return Number.NaN
    members += 1 + countMembers((value as JsonObject)[name], depth + 1)
  }
  return members
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

/** Counts the colons outside of strings, of which well-formed JSON has one a member. */
function countMemberSeparators(json: string): number {
  let separators = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === QUOTE) inString = !inString
    else if (inString && code === BACKSLASH) i++
    else if (!inString && code === COLON) separators++
  }
  return separators
}
