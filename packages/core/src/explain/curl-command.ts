import { splitShellWords } from './shell-words.js'

/** What a curl command would send, as far as it says. */
export interface CurlRequest {
  readonly method: string
  readonly url: string | null
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** More may be sent than stands here. */
  readonly isPartial: boolean
  /** What was not taken into account, in words; never a value. */
  readonly notes: readonly string[]
}

type Meaning = 'header' | 'unread' | 'method' | 'url' | 'bearer' | 'data' | 'head' | 'get' | 'asIs'

/** Options that matter here, by all their names. */
const MEANT: Readonly<Record<string, Meaning>> = {
  '-H': 'header',
  '--header': 'header',
  '-K': 'unread',
  '--config': 'unread',
  '--expand-header': 'unread',
  '-X': 'method',
  '--request': 'method',
  '--url': 'url',
  '--path-as-is': 'asIs',
  '--oauth2-bearer': 'bearer',
  '-I': 'head',
  '--head': 'head',
  '-G': 'get',
  '--get': 'get',
  '-d': 'data',
  '--data': 'data',
  '--data-ascii': 'data',
  '--data-binary': 'data',
  '--data-raw': 'data',
  '--data-urlencode': 'data',
  '--json': 'data',
  '-F': 'data',
  '--form': 'data',
}

/** Those of them that have no value. */
const SWITCHES: ReadonlySet<Meaning> = new Set(['head', 'get', 'asIs'])

/** Short options with a value, beside those above: what follows them is no URL. */
const SHORT_WITH_VALUE = 'AbcCDeEhKmoPQrtTuUwxyYz'

/** Long options with a value. An unknown one is taken to have none unless a word that is no URL follows. */
const LONG_WITH_VALUE: ReadonlySet<string> = new Set([
  '--user',
  '--user-agent',
  '--cookie',
  '--cookie-jar',
  '--referer',
  '--output',
  '--proxy',
  '--cert',
  '--key',
  '--cacert',
  '--resolve',
  '--connect-to',
  '--max-time',
  '--connect-timeout',
  '--retry',
  '--write-out',
  '--upload-file',
])

/** Switches that change nothing of what is explained. */
const HARMLESS: ReadonlySet<string> = new Set(
  (
    '-i -s -S -v -k -L -f -g -N -# -4 -6 -o -m -w --include --silent --show-error --verbose --insecure ' +
    '--location --fail --compressed --http1.1 --http2 --globoff --no-buffer --output --max-time'
  ).split(' '),
)

/** Reads a curl command as its shell and curl would. Nothing is run and no file is read. */
export function readCurlCommand(line: string): CurlRequest {
  const { words, cutOff, unclosed } = splitShellWords(isOfWindows(line) ? withoutCarets(line) : line)
  const notes: string[] = []
  if (cutOff) notes.push('what follows the curl command was not read')
  if (unclosed) notes.push('a quote is not closed, and what follows it was not read')
  const headers: (readonly [string, string])[] = []
  /** Of fields that are given or taken away, in lower case. */
  const ownNames = new Set<string>()
  let bearer: string | null = null
  /** By `--url`, and words that are no option; the first are sure to be URLs. */
  const named: string[] = []
  const bare: string[] = []
  let method: string | null = null
  const given = { head: false, get: false, data: false, asIs: false }
  let isPartial = unclosed

  for (const { option, value } of readOptions(words)) {
    if (option === null) {
      bare.push(value)
      continue
    }
    const meaning = MEANT[option]
    switch (meaning) {
      case 'header':
        if (value !== null) addHeader(value)
        break
      case 'unread':
        notes.push(`what ${option} stands for was not read`)
        isPartial = true
        break
      case 'method':
        method = value ?? ''
        break
      case 'url':
        named.push(value ?? '')
        break
      case 'bearer':
        bearer = value ?? ''
        break
      case 'head':
      case 'get':
      case 'data':
      case 'asIs':
        given[meaning] = true
        break
      case undefined:
        if (!HARMLESS.has(option)) notes.push(`${option} was ignored`)
        break
      default:
        meaning satisfies never
    }
  }
  // A field of the name that is given takes its place, also one that is taken away.
  if (bearer !== null && !ownNames.has('authorization')) {
    headers.unshift(['Authorization', `Bearer ${bearer}`])
  }
  const urls = [...named, ...bare]
  if (urls.length > 1) notes.push(`${urls.length - 1} more words that may be URLs were ignored`)
  const implied = given.head ? 'HEAD' : given.data && !given.get ? 'POST' : 'GET'
  const url = withScheme(urls[0])
  return {
    method: method ?? implied,
    url: url === null || given.asIs ? url : withoutDotSegments(url),
    headers,
    isPartial,
    notes,
  }

  function addHeader(text: string): void {
    if (text.startsWith('@')) {
      notes.push('header fields in a file were not read')
      isPartial = true
      return
    }
    const [, empty] = /^([^:;]+);\s*$/.exec(text) ?? []
    const colon = text.indexOf(':')
    const value = text.slice(colon + 1).trim()
    if (colon > 0 || empty !== undefined) ownNames.add((empty ?? text.slice(0, colon)).trim().toLowerCase())
    if (empty !== undefined) headers.push([empty.trim(), ''])
    else if (colon <= 0) notes.push('a header without a colon was ignored')
    else if (value === '') notes.push('a header with nothing behind its colon is one curl takes away')
    else headers.push([text.slice(0, colon).trim(), value])
  }
}

/** Whether a command is written for cmd.exe, as browsers copy it: quotes and ends of lines behind a caret. */
function isOfWindows(line: string): boolean {
  // A single quote is for another shell.
  return /^[^']*?\s\^(?:"|\r?\n)/.test(line)
}

/**
 * Outside of quotes a caret goes, and what it stands before stays; at the end of a line both go, and an empty
 * line behind it is a break.
 */
function withoutCarets(line: string): string {
  return line.replace(
    /("[^"]*")|\^(?:\r?\n(\r?\n)?|(.))/gs,
    (_, quoted = '', lineBreak = '', escaped = '') => `${quoted}${lineBreak}${escaped}`,
  )
}

/** An option with its value, or a word that is none. */
type Given =
  | { readonly option: string; readonly value: string | null }
  | { readonly option: null; readonly value: string }

/** Takes the value of an option from its own word or the next; several short ones may share a word. */
function* readOptions(words: readonly string[]): Generator<Given> {
  let at = 1
  while (at < words.length) {
    const word = words[at++]!
    if (!word.startsWith('-') || word === '-') {
      yield { option: null, value: word }
    } else if (word.startsWith('--')) {
      const equals = word.indexOf('=')
      if (equals !== -1) yield { option: word.slice(0, equals), value: word.slice(equals + 1) }
      else yield { option: word, value: hasValue(word, words[at]) ? (words[at++] ?? null) : null }
    } else {
      for (let letter = 1; letter < word.length; letter++) {
        const option = `-${word[letter]!}`
        if (!takesValue(option) && !SHORT_WITH_VALUE.includes(word[letter]!)) {
          yield { option, value: null }
          continue
        }
        const others = word.slice(letter + 1)
        yield { option, value: others === '' ? (words[at++] ?? null) : others }
        break
      }
    }
  }
}

function hasValue(option: string, next: string | undefined): boolean {
  if (LONG_WITH_VALUE.has(option) || takesValue(option)) return true
  return !HARMLESS.has(option) && !(option in MEANT) && next !== undefined && !/^-|:\/\//.test(next)
}

function takesValue(option: string): boolean {
  const meant = MEANT[option]
  return meant !== undefined && !SWITCHES.has(meant)
}

function withScheme(url: string | undefined): string | null {
  if (url === undefined || url === '') return null
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`
}

/** As curl does it before it sends: only as they stand, escaped ones not until lately. */
function withoutDotSegments(url: string): string {
  const [, origin, path, query] = /^([^:]+:\/\/[^/?#]*)\/([^?#]*)(.*)$/s.exec(url) ?? []
  if (path === undefined) return url
  const kept: string[] = []
  const segments = path.split('/')
  for (const [index, segment] of segments.entries()) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
    if (index === segments.length - 1 && /^\.\.?$/.test(segment)) kept.push('')
  }
  return `${origin!}/${kept.join('/')}${query!}`
}
