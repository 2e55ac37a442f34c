/** Words of a command line, and whether it goes on behind an operator of the shell. */
export interface ShellWords {
  readonly words: readonly string[]
  /** There was a pipe, a redirection or a second command, which was not read. */
  readonly cutOff: boolean
  /** A quote was never closed. */
  readonly unclosed: boolean
}

/**
 * Splits a command line as a POSIX shell does: quotes of both kinds, `$'…'`, backslashes, and lines joined by
 * a backslash. Variables, globs and substitutions stay as they stand.
 */
export function splitShellWords(line: string): ShellWords {
  const words: string[] = []
  let word: string | null = null
  let at = 0
  while (at < line.length) {
    const character = line[at]!
    const next = line[at + 1]
    if (character === '\\' && (next === '\n' || next === '\r')) {
      at += line.startsWith('\\\r\n', at) ? 3 : 2
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word)
      word = null
      at++
    } else if (/[|;&<>]/.test(character)) {
      if (word !== null) words.push(word)
      return { words, cutOff: true, unclosed: false }
    } else {
      const piece = readPiece(line, at)
      if (piece === null) return { words, cutOff: false, unclosed: true }
      word = (word ?? '') + piece.text
      at = piece.end
    }
  }
  if (word !== null) words.push(word)
  return { words, cutOff: false, unclosed: false }
}

interface Piece {
  readonly text: string
  readonly end: number
}

function readPiece(line: string, at: number): Piece | null {
  if (line.startsWith("$'", at)) return readAnsiQuoted(line, at + 2)
  const first = line[at]!
  if (first === '"') return readDoubleQuoted(line, at + 1)
  if (first === '\\') return { text: line[at + 1] ?? '', end: at + 2 }
  if (first !== "'") return { text: first, end: at + 1 }
  const end = line.indexOf("'", at + 1)
  return end === -1 ? null : { text: line.slice(at + 1, end), end: end + 1 }
}

function readDoubleQuoted(line: string, start: number): Piece | null {
  let text = ''
  for (let at = start; at < line.length; at++) {
    const character = line[at]!
    const next = line[at + 1]
    if (character === '"') return { text, end: at + 1 }
    if (character === '\\' && next === '\n') at++
    else if (character === '\\' && next !== undefined && '"\\$`'.includes(next)) {
      text += next
      at++
    } else text += character
  }
  return null
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** A character by its number: `\x21`, `\u0021`. */
const NUMBERED = /^(?:x([0-9a-f]{1,2})|u([0-9a-f]{1,4}))/i

function readAnsiQuoted(line: string, start: number): Piece | null {
  let text = ''
  for (let at = start; at < line.length; at++) {
    const character = line[at]!
    if (character === "'") return { text, end: at + 1 }
    if (character !== '\\') {
      text += character
      continue
    }
    const digits = NUMBERED.exec(line.slice(at + 1, at + 6))
      ?.slice(1)
      .find((one) => one !== undefined)
    if (digits === undefined) {
      const next = line[at + 1] ?? ''
      text += ESCAPES[next] ?? next
      at++
    } else {
      text += String.fromCharCode(Number.parseInt(digits, 16))
      at += 1 + digits.length
    }
  }
  return null
}
