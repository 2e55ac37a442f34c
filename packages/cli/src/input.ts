import { createReadStream, existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type JsonObject, parseJsonObject, readFileWithin } from 'wimse'
import { type Failure, inputFailure, usageFailure } from './failure.js'
import type { Terminal } from './terminal.js'

/** Bytes that a key, a token or a pasted request may have. */
const LONGEST_INPUT = 1_048_576

/** Reads a file, or standard input where the path is `-`, as text. @throws Failure that names the path */
export async function readText(path: string, what: string, terminal: Terminal): Promise<string> {
  return (await readBytes(path, what, terminal)).toString('utf8')
}

/** As {@link readText}, as bytes. */
export async function readBytes(
  path: string,
  what: string,
  terminal: Terminal,
  maxBytes: number = LONGEST_INPUT,
): Promise<Buffer> {
  if (isStdin(path)) return readStdin(what, terminal, maxBytes)
  try {
    const found = await stat(path)
    if (found.isFIFO() || found.isCharacterDevice()) {
      const chunks = await readWithin(createReadStream(path), maxBytes)
      if (chunks === null) throw new Error(`longer than ${maxBytes} bytes`)
      return chunks
    }
    if (found.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' })
    return await readFileWithin(path, maxBytes, AbortSignal.timeout(10_000))
  } catch (error) {
    throw unreadable(path, what, error)
  }
}

/** Whether a path means what this process was given to read. */
export function isStdin(path: string): boolean {
  return path === '-' || path === '/dev/stdin' || path === '/dev/fd/0'
}

async function readStdin(what: string, { stdin }: Terminal, maxBytes: number): Promise<Buffer> {
  if (stdin === null) {
    throw usageFailure(
      `${what} is to come from standard input, and nothing is there`,
      'Pipe it in, or give a file.',
    )
  }
  const bytes = await readWithin(stdin, maxBytes)
  if (bytes === null) {
    throw inputFailure(
      `${what} on standard input is longer than ${maxBytes} bytes`,
      'See what is piped in: no more than that is read, from a file neither.',
    )
  }
  return bytes
}

/** Waits as long as it takes: somebody may be typing. @returns null where there is more */
async function readWithin(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxBytes) return null
  }
  return Buffer.concat(chunks)
}

function unreadable(path: string, what: string, error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException
  const [why, cure] =
    code === undefined
      ? [message, 'See whether it is the file that was meant.']
      : (UNREADABLE[code] ?? [`it cannot be read (${code})`, 'See whether another program can read it.'])
  return inputFailure(`${what}: ${nameOf(path)}: ${why}`, cure)
}

const NOT_ALLOWED = ['you may not read it', 'Run wimse as a user who may.'] as const

/** Why and what to do, by the code of Node. */
const UNREADABLE: Readonly<Record<string, readonly [why: string, cure: string]>> = {
  ENOENT: ['there is no such file', 'Correct the path; it is read from the folder you are in.'],
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EISDIR: ['it is a folder', 'Give a file.'],
  ENAMETOOLONG: [
    'the name of a file is expected, and this is too long for one',
    'Write it to a file and name that, or pipe it in and say -.',
  ],
}

const BYTE_ORDER_MARK = Buffer.from('\uFEFF')

/** Reads a JSON object strictly: no member twice, nothing behind it. Editors put a byte order mark before it. */
export async function readJson(path: string, what: string, terminal: Terminal): Promise<JsonObject> {
  const bytes = await readBytes(path, what, terminal)
  const isMarked = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)
  const object = parseJsonObject(isMarked ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes)
  if (object !== null) return object
  throw inputFailure(
    `${what}: ${nameOf(path)} is not one JSON object without a member twice`,
    'Give JSON that begins with {, has each member once and nothing behind it.',
  )
}

/** Reads a token: one line of printable ASCII. */
export async function readToken(path: string, what: string, terminal: Terminal): Promise<string> {
  const text = (await readText(path, what, terminal)).trim()
  if (text === '') {
    throw inputFailure(`${what}: ${nameOf(path)} is empty`, 'See whether what should have filled it failed.')
  }
  if (/[^\x21-\x7e]/.test(text)) {
    throw inputFailure(
      `${what}: ${nameOf(path)} is not one token`,
      'A token is one line without spaces in it.',
    )
  }
  return text
}

/**
 * A file as an error names it. Somebody may have given a token or a key where a path belongs: what is not there
 * and does not look like a path is not repeated. Base64 has slashes too, so that one alone makes no path.
 */
export function nameOf(path: string): string {
  if (isStdin(path)) return 'standard input'
  const isPath = /^[\p{L}\p{M}\p{N}_ .:/\\~@+=,()-]{1,512}$/u.test(path)
  const isMarked = /^(?:[/\\~]|\.\.?[/\\]|[A-Za-z]:[/\\])|\.[A-Za-z]{1,8}$/.test(path)
  const isNamed = (isPath && isMarked && !looksRandom(path)) || existsSync(path)
  return isNamed ? path : 'what was given for it'
}

const MOST_CHANGES = 8

/** Whether a word holds what may be a secret: words that people choose seldom change between kinds of character. */
function looksRandom(word: string): boolean {
  const changes = word.match(/[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|[0-9](?=[A-Za-z])/g) ?? []
  return changes.length > MOST_CHANGES || /e[yw3][\w-]{14,}/.test(word)
}

/** Whether a word on the command line is a token and no path. */
function looksLikeToken(word: string): boolean {
  return /^e[yw3][\w-]*\.[\w-]*\.[\w-]*$/.test(word)
}

/** What to say when a token came on the command line. */
export const ARGV_WARNING: string =
  'a token on the command line can be read by every process of this machine and stays in the history of ' +
  'the shell; give a file, or - for standard input'

/**
 * Reads a token given as operand or option: a path, `-`, or the token itself, of which is warned. Only one of a
 * command's inputs can be standard input.
 */
export async function readTokenArgument(
  word: string,
  what: string,
  terminal: Terminal,
  warn: (text: string) => void,
): Promise<string> {
  if (!looksLikeToken(word)) return readToken(word, what, terminal)
  warn(ARGV_WARNING)
  return word
}

/** Refuses two inputs from standard input, which can be read once. */
export function refuseSharedStdin(paths: readonly (string | undefined)[]): void {
  if (paths.filter((path) => path !== undefined && isStdin(path)).length > 1) {
    throw usageFailure(
      'standard input can be read once, and more than one input is to come from it',
      'Give files for all but one.',
    )
  }
}
