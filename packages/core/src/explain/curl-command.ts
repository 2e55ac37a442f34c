import { splitShellWords } from './shell-words.js'

/** What a curl command would send, as far as it says. */
export interface CurlRequest {
  readonly method: string
  readonly url: string | null
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** What was not taken into account, in words; never a value. */
  readonly notes: readonly string[]
}

/** Options that matter here, by all their names. */
const MEANT: Readonly<Record<string, 'header' | 'method' | 'url' | 'bearer' | 'head' | 'get' | 'data'>> = {
  '-H': 'header',
  '--header': 'header',
  '-X': 'method',
  '--request': 'method',
  '--url': 'url',
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
  const { words, cutOff, unclosed } = splitShellWords(line)
  const notes: string[] = []
  if (cutOff) notes.push('what follows the curl command was not read')
  if (unclosed) notes.push('a quote is not closed, and what follows it was not read')
  const headers: (readonly [string, string])[] = []
  const urls: string[] = []
  let method: string | null = null
  const implies = { head: false, get: false, data: false }

  const rest = words.slice(1)
  while (rest.length > 0) {
    const word = rest.shift()!
    if (!word.startsWith('-') || word === '-') {
      urls.push(word)
      continue
    }
    const { option, value } = takeOption(word, rest)
    const meaning = MEANT[option]
    switch (meaning) {
      case 'header':
        if (value !== null) addHeader(value)
        break
      case 'method':
        method = value ?? ''
        break
      case 'url':
        urls.unshift(value ?? '')
        break
      case 'bearer':
        headers.push(['Authorization', `Bearer ${value ?? ''}`])
        break
      case 'head':
      case 'get':
      case 'data':
        implies[meaning] = true
        break
      case undefined:
        if (!HARMLESS.has(option)) notes.push(`${option} was ignored`)
        break
      default:
        meaning satisfies never
    }
  }
  if (urls.length > 1) notes.push(`${urls.length - 1} more words that may be URLs were ignored`)
  const implied = implies.head ? 'HEAD' : implies.data && !implies.get ? 'POST' : 'GET'
  return { method: method ?? implied, url: withScheme(urls[0]), headers, notes }

  function addHeader(text: string): void {
    if (text.startsWith('@')) {
      notes.push('header fields in a file were not read')
      return
    }
    const [, empty] = /^([^:;]+);\s*$/.exec(text) ?? []
    const colon = text.indexOf(':')
    const value = text.slice(colon + 1).trim()
    if (empty !== undefined) headers.push([empty.trim(), ''])
    else if (colon <= 0) notes.push('a header without a colon was ignored')
    else if (value === '') notes.push('a header with nothing behind its colon is one curl takes away')
    else headers.push([text.slice(0, colon).trim(), value])
  }
}

/** Takes the value of an option from its own word or the next; several short ones may share a word. */
function takeOption(word: string, rest: string[]): { option: string; value: string | null } {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=')
    if (equals !== -1) return { option: word.slice(0, equals), value: word.slice(equals + 1) }
    const next = rest[0]
    const hasValue =
      LONG_WITH_VALUE.has(word) ||
      takesValue(word) ||
      (!HARMLESS.has(word) && !(word in MEANT) && next !== undefined && !/^-|:\/\//.test(next))
    return { option: word, value: hasValue ? (rest.shift() ?? null) : null }
  }
  const option = word.slice(0, 2)
  const others = word.slice(2)
  if (takesValue(option) || SHORT_WITH_VALUE.includes(word[1]!)) {
    return { option, value: others === '' ? (rest.shift() ?? null) : others }
  }
  if (others !== '') rest.unshift(`-${others}`)
  return { option, value: null }
}

function takesValue(option: string): boolean {
  const meant = MEANT[option]
  return meant !== undefined && meant !== 'head' && meant !== 'get'
}

function withScheme(url: string | undefined): string | null {
  if (url === undefined || url === '') return null
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`
}
