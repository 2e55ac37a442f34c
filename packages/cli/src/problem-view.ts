import { parseJsonObject } from 'wimse'
import { cureOf } from './cures.js'
import { printable } from './printable.js'

/** A problem document of RFC 9457, as far as it is one. Whoever answered wrote it. */
export interface ProblemView {
  readonly title: string | null
  readonly detail: string | null
  readonly code: string | null
  readonly instance: string | null
  /** What to do about the code, when it is one of this suite. */
  readonly cure: string | null
}

/** Reads a body as a problem document; null when it is none. */
export function readProblem(contentType: string | undefined, body: Uint8Array): ProblemView | null {
  if (!/^application\/problem\+json\s*(?:;|$)/i.test(contentType ?? '')) return null
  const document = parseJsonObject(body)
  if (document === null) return null
  const text = (name: string): string | null => {
    const value = document[name]
    return typeof value === 'string' ? value.slice(0, 1024) : null
  }
  const code = text('code')
  return {
    title: text('title'),
    detail: text('detail'),
    code,
    instance: text('instance'),
    cure: code === null ? null : cureOf(code),
  }
}

/** A problem for people. */
export function problemLines({ title, detail, code, instance, cure }: ProblemView): string {
  const lines: readonly (readonly [string, string | null])[] = [
    ['problem', title],
    ['detail', detail],
    ['code', code],
    ['instance', instance],
    ['cure', cure],
  ]
  return lines
    .filter(([, text]) => text !== null)
    .map(([name, text]) => `${name.padEnd(10)}${printable(text!)}\n`)
    .join('')
}
