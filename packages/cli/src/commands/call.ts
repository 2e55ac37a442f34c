import { signRequest } from 'wimse'
import { BOUND_TOKEN_OPTIONS, boundTokenPaths, readBoundTokens } from '../bound-tokens.js'
import { readCertificateFile } from '../certificates.js'
import type { Command, Given } from '../command.js'
import { CREDENTIAL_OPTIONS, readCredential, readTarget } from '../credential-files.js'
import { type Answer, exchange } from '../exchange.js'
import { EXIT, type ExitCode, inputFailure, usageFailure } from '../failure.js'
import { ARGV_WARNING, readBytes, readText, refuseSharedStdin } from '../input.js'
import { readRevision, readSeconds, REVISION_OPTION } from '../option-values.js'
import { printable } from '../printable.js'
import { problemLines, readProblem } from '../problem-view.js'
import type { Terminal } from '../terminal.js'

/** `wimse call` */
export const callCommand: Command = {
  name: 'call',
  summary: 'Call a URL with an identity token and a new proof, as curl would without.',
  operands: 'URL',
  options: {
    request: { short: 'X', value: 'METHOD', about: 'default GET, or POST with --data' },
    header: {
      short: 'H',
      value: 'FIELD',
      multiple: true,
      about: 'a header field, `Name: value`; `@FILE` reads several, one a line',
    },
    data: {
      short: 'd',
      value: 'BODY',
      about: 'the body; `@FILE` reads it from there. Sent as a form, unless a Content-Type says otherwise',
    },
    include: { short: 'i', about: 'print the status line and the header fields before the body' },
    ...CREDENTIAL_OPTIONS,
    ...BOUND_TOKEN_OPTIONS,
    audience: { value: 'AUD', about: 'aud in place of the URL, where the called side has agreed on another' },
    revision: REVISION_OPTION,
    lifetime: { value: 'SECONDS', about: 'of the proof; default 60, at most 300' },
    cacert: {
      value: 'FILE',
      about: 'PEM certificates to trust in place of those of the system',
      isFile: true,
    },
    'max-time': { value: 'SECONDS', about: 'until the whole answer has to be there; default 30' },
  },
  notes: [
    'https alone, unless the URL is on this machine. Redirects are not followed: they would carry the identity along. ' +
      'The body goes to standard output and the status line to standard error. A refusal is printed with its cure.',
    'Ends with 0 for a status below 400, and with 1 from there on. With --json a body that is not UTF-8 is in base64.',
  ],
  positionals: [1, 1],
  examples: [
    'wimse call https://inventory.example.com/stock/42 --wit checkout.wit --key checkout.jwk',
    'wimse call https://inventory.example.com/stock/42 --wit checkout.wit --key checkout.jwk \\\n' +
      `  -X PUT -H 'Content-Type: application/json' -d '{"quantity":1}' -i`,
  ],
  async run({ given, terminal, json, now, warn }) {
    const url = readTarget(given.positionals[0]!)
    const method = readMethod(given)
    const data = given.one('data')
    const maxTime = readMaxTime(given)
    refuseSharedStdin([
      given.one('wit'),
      given.one('key'),
      given.one('cacert'),
      ...boundTokenPaths(given),
      ...[data, ...given.all('header')].map((text) =>
        text?.startsWith('@') === true ? text.slice(1) : undefined,
      ),
    ])
    const ca = await readCertificateFile(given, terminal)
    const credential = await readCredential(given, terminal, warn)
    const bound = await readBoundTokens(given, terminal)
    const own = await readHeaders(given.all('header'), terminal, warn)
    const hasType = own.some(([name]) => name.toLowerCase() === 'content-type')
    const headers = [
      ...own,
      ...bound.headers,
      ...(data === undefined || hasType
        ? []
        : [['Content-Type', 'application/x-www-form-urlencoded'] as const]),
    ]
    const body = data === undefined ? null : await readBody(data, terminal)
    const proof = signRequest(credential, {
      url,
      headers,
      otherTokens: bound.otherTokens,
      audience: given.one('audience'),
      revision: readRevision(given.one('revision')),
      lifetime: readSeconds('lifetime', given.one('lifetime')),
      now,
    })
    const answer = await exchange({
      url,
      method,
      body,
      maxTime,
      headers: [...headers, ...Object.entries(proof)],
      ca,
    })
    if (json) await printJson(answer, terminal)
    else await print(answer, given.has('include'), terminal)
    const isRedirect = answer.status >= 300 && answer.status < 400
    if (isRedirect && !json && valueOf(answer, 'location') !== undefined) {
      warn(
        'this is a redirect, which was not followed: call its target yourself if it may have your identity',
      )
    }
    return exitCodeOf(answer)
  },
}

function exitCodeOf({ status }: Answer): ExitCode {
  return status >= 200 && status < 400 ? EXIT.done : EXIT.refused
}

function readMethod(given: Given): string {
  const method = given.one('request') ?? (given.has('data') ? 'POST' : 'GET')
  if (/^[A-Z][A-Z-]{0,31}$/.test(method) && method !== 'CONNECT') return method
  throw usageFailure('--request is not a method', 'For example -X DELETE, in capitals.')
}

/** Seconds that a timer can count: of more, Node makes a millisecond. */
const LONGEST_TIME = 2_147_483

function readMaxTime(given: Given): number {
  const seconds = readSeconds('max-time', given.one('max-time')) ?? 30
  if (seconds >= 1 && seconds <= LONGEST_TIME) return seconds
  throw usageFailure(`--max-time is not a number from 1 to ${LONGEST_TIME}`, 'For example --max-time 60.')
}

async function readHeaders(
  texts: readonly string[],
  terminal: Terminal,
  warn: (text: string) => void,
): Promise<readonly (readonly [string, string])[]> {
  const fields: (readonly [string, string])[] = []
  for (const text of texts) {
    if (text.startsWith('@')) {
      const lines = (await readText(text.slice(1), 'the header fields', terminal)).split(/\r\n|\n/)
      for (const line of lines.filter((line) => line.trim() !== '')) fields.push(readField(line))
      continue
    }
    const field = readField(text)
    if (/^(?:authorization|txn-token|proxy-authorization)$/i.test(field[0])) warn(ARGV_WARNING)
    fields.push(field)
  }
  return fields
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/.exec(line) ?? []
  if (name === undefined || /[^\t\x20-\x7e\x80-\xff]/.test(value!)) {
    throw usageFailure(
      'a header field is not a name, a colon and a value',
      "For example -H 'Accept: text/plain'.",
    )
  }
  // What frames the message is for the client to say, and another Host would be another service.
  if (/^(?:host|content-length|transfer-encoding|connection|expect|te|trailer|upgrade)$/i.test(name)) {
    throw usageFailure(
      `the header field ${name} cannot be set`,
      'Leave it out: it follows from the URL and the body.',
    )
  }
  return [name, value!.trim()]
}

async function readBody(data: string, terminal: Terminal): Promise<Buffer> {
  return data.startsWith('@')
    ? readBytes(data.slice(1), 'the body', terminal, LONGEST_BODY)
    : Buffer.from(data)
}

const LONGEST_BODY = 64 * 1_048_576
const LONGEST_PROBLEM = 65_536
const LONGEST_JSON = 16 * 1_048_576

async function print(answer: Answer, include: boolean, terminal: Terminal): Promise<void> {
  const { httpVersion, status, statusText, headers, body } = answer
  const statusLine = printable(`HTTP/${httpVersion} ${status} ${statusText}`.trimEnd())
  if (include) {
    const fields = headers.map(([name, value]) => `${printable(`${name}: ${value}`)}\n`)
    terminal.stdout(`${statusLine}\n${fields.join('')}\n`)
  } else terminal.stderr(`${statusLine}\n`)
  const contentType = valueOf(answer, 'content-type')
  if (!/^application\/problem\+json\b/i.test(contentType ?? '')) {
    return stream(body, terminal)
  }
  const bytes = await collect(
    body,
    LONGEST_PROBLEM,
    'A problem document is short: look at what answers there.',
  )
  const problem = readProblem(contentType, bytes)
  terminal.stdout(problem === null ? bytes : problemLines(problem))
}

/** No faster than it is taken, and no further: whose output is broken is told elsewhere. */
async function stream(body: AsyncIterable<Uint8Array>, terminal: Terminal): Promise<void> {
  for await (const chunk of body) {
    try {
      await terminal.stdout(chunk)
    } catch {
      return
    }
  }
}

async function printJson(answer: Answer, terminal: Terminal): Promise<void> {
  const { status, statusText, headers } = answer
  const bytes = await collect(
    answer.body,
    LONGEST_JSON,
    'Without --json it is passed on as it comes, however long.',
  )
  const text = bytes.toString('utf8')
  const isText = Buffer.from(text).equals(bytes)
  const document = {
    command: 'call',
    status,
    statusText,
    headers,
    body: isText ? text : bytes.toString('base64'),
    bodyEncoding: isText ? 'utf8' : 'base64',
    problem: readProblem(valueOf(answer, 'content-type'), bytes),
  }
  terminal.stdout(`${JSON.stringify(document, null, 2)}\n`)
}

function valueOf({ headers }: Answer, name: string): string | undefined {
  return headers.find(([field]) => field.toLowerCase() === name)?.[1]
}

async function collect(body: AsyncIterable<Uint8Array>, maxBytes: number, cure: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxBytes) throw inputFailure(`the answer is longer than ${maxBytes} bytes`, cure)
  }
  return Buffer.concat(chunks)
}
