import { trimmed } from '../field-value.js'
import { readCurlCommand } from './curl-command.js'

/** A request as somebody pasted it. */
export interface PastedRequest {
  readonly method: string | null
  /** Absolute URL; null where the text has none. */
  readonly url: string | null
  /** Request target: path and query, as it stands on the wire; null where the text has none. */
  readonly target: string | null
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** More header fields may have been sent: from a file that a curl command names, or behind an open quote. */
  readonly isPartial: boolean
  /** What was not taken into account, in words; never a value. */
  readonly notes: readonly string[]
}

/**
 * Reads a text as a `curl` command, the head of an HTTP request, or header lines, whichever it looks like.
 * Lines that curl and browsers print around them (`> `, `:path`) are understood.
 *
 * What cannot be read is left out and said in `notes`; it never throws. This does NOT take the URL from
 * `Host`: a service must not either.
 */
export function parsePastedRequest(text: string): PastedRequest {
  const withoutPrompt = text.trimStart().replace(/^[$#>]\s+(?=curl\s)/, '')
  if (/^curl(?:\.exe)?\s/.test(withoutPrompt)) {
    return { target: null, ...readCurlCommand(withoutPrompt) }
  }
  return readLines(text.split(/\r\n|\n|\r/).map((line) => line.replace(/^> ?/, '')))
}

const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/[\d.]+\s*$/
const FIELD = /^(:?[!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/

function readLines(lines: readonly string[]): PastedRequest {
  const headers: (readonly [string, string])[] = []
  const notes: string[] = []
  let method: string | null = null
  let target: string | null = null
  const first = lines.findIndex((line) => line.trim() !== '')
  for (const [index, line] of lines.entries()) {
    if (index < first) continue
    const start = REQUEST_LINE.exec(line)
    if (start !== null && headers.length === 0) {
      method = start[1]!
      target = start[2]!
      continue
    }
    if (line.trim() === '') {
      if (lines.slice(index).some((one) => one.trim() !== ''))
        notes.push('what follows the head was not read')
      break
    }
    const [, name, value] = FIELD.exec(line) ?? []
    if (name === undefined) notes.push(`line ${index + 1} is not a header field and was ignored`)
    else if (name === ':path') target = trimmed(value!)
    else if (name === ':method') method = trimmed(value!)
    else if (!name.startsWith(':')) headers.push([name, trimmed(value!)])
  }
  const isAbsolute = target !== null && /^https?:\/\//i.test(target)
  return { method, url: isAbsolute ? target : null, target, headers, isPartial: false, notes }
}
