import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { EXIT, Failure } from './failure.js'

/** One request as it goes out. */
export interface Outgoing {
  readonly url: URL
  readonly method: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer | null
  /** PEM; undefined for those of the system. */
  readonly ca: readonly string[] | undefined
  /** Seconds until the whole answer has to be there. */
  readonly maxTime: number
}

/** The head of an answer, and its body as it comes. */
export interface Answer {
  readonly httpVersion: string
  readonly status: number
  readonly statusText: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * Sends one request and follows no redirect: `fetch` would carry identity and proof to wherever it leads.
 *
 * @throws Failure `NETWORK` when there is no answer in time
 */
export async function exchange({ url, method, headers, body, ca, maxTime }: Outgoing): Promise<Answer> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const limit = createTimeLimit(maxTime)
  const { signal } = limit
  const fields = [...headers, ...(body === null ? [] : [['Content-Length', String(body.length)] as const])]
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED cannot say otherwise.
    const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca: [...ca] }) }
    // Not the process's proxy nor its agent: one connection, closed at the end.
    const outgoing = send(url, { method, agent: false, signal, ...tls }, resolve)
    outgoing.on('error', reject)
    // Node gives such a connection away, and nothing else would tell of its end.
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy()
      const message = `${url.origin} changed to another protocol`
      reject(new Failure(EXIT.unreachable, 'NETWORK', message, 'Call a URL that answers over HTTP.'))
    })
    try {
      for (const [name, values] of grouped(fields)) outgoing.setHeader(name, values)
      outgoing.end(body ?? undefined)
    } catch (error) {
      // It has begun to connect, and would be waited for.
      outgoing.destroy()
      throw error
    }
  }).catch((error: unknown) => {
    limit.pause()
    throw error instanceof Failure ? error : unreachable(url, error, signal, maxTime)
  })
  const { rawHeaders } = response
  return {
    httpVersion: response.httpVersion,
    status: response.statusCode ?? 0,
    statusText: response.statusMessage ?? '',
    headers: Array.from({ length: rawHeaders.length / 2 }, (_, index) => [
      rawHeaders[2 * index]!,
      rawHeaders[2 * index + 1]!,
    ]),
    body: chunksOf(response, url, limit, maxTime),
  }
}

async function* chunksOf(
  response: IncomingMessage,
  url: URL,
  { signal, pause, resume }: TimeLimit,
  maxTime: number,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) {
      pause()
      yield chunk as Uint8Array
      resume()
    }
  } catch (error) {
    // A body that is given up looks like a connection that broke.
    const [cause, cure] = signal.aborted
      ? [`it was not there within ${maxTime} s`, GIVE_TIME]
      : [causeOf(error)[0], 'What came is not all of it: try again.']
    throw new Failure(EXIT.unreachable, 'NETWORK', `${url.origin}: its answer was cut off: ${cause}`, cure)
  } finally {
    pause()
  }
}

/** Time for the other side alone: it stands still while somebody here takes what has come. */
interface TimeLimit {
  readonly signal: AbortSignal
  readonly pause: () => void
  readonly resume: () => void
}

function createTimeLimit(seconds: number): TimeLimit {
  const controller = new AbortController()
  let left = seconds * 1000
  let since = 0
  let timer: NodeJS.Timeout | null = null
  const pause = (): void => {
    if (timer === null) return
    clearTimeout(timer)
    timer = null
    left -= performance.now() - since
  }
  const resume = (): void => {
    since = performance.now()
    timer = setTimeout(() => controller.abort(), left)
  }
  resume()
  return { signal: controller.signal, pause, resume }
}

/** A field given several times is sent several times. */
function grouped(fields: Outgoing['headers']): ReadonlyMap<string, string | string[]> {
  const byName = new Map<string, { name: string; values: string[] }>()
  for (const [name, value] of fields) {
    const entry = byName.get(name.toLowerCase()) ?? { name, values: [] }
    entry.values.push(value)
    byName.set(name.toLowerCase(), entry)
  }
  return new Map(
    [...byName.values()].map(({ name, values }) => [name, values.length === 1 ? values[0]! : values]),
  )
}

const UNKNOWN_AUTHORITY = [
  'its certificate is of an unknown authority',
  'If it is the right one, name its authority with --cacert.',
] as const

/** Why and what to do, by the code of Node. */
const CAUSES: Readonly<Record<string, readonly [cause: string, cure: string]>> = {
  ECONNREFUSED: ['nothing listens there', 'Start the service, or correct host and port.'],
  ENOTFOUND: ['there is no such host', 'Correct the host.'],
  EAI_AGAIN: [
    'names cannot be looked up right now',
    'Try again, and see whether this machine has a network.',
  ],
  ECONNRESET: ['the connection was closed', 'See whether it is http or https that it speaks.'],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'The service needs another one.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    'its certificate is signed by itself',
    'If it is the right one, name it with --cacert.',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is for another host',
    'Call it by a name that its certificate has.',
  ],
}

function unreachable({ origin }: URL, error: unknown, { aborted }: AbortSignal, maxTime: number): Failure {
  const [cause, cure] = aborted ? [`no answer within ${maxTime} s`, GIVE_TIME] : causeOf(error)
  return new Failure(EXIT.unreachable, 'NETWORK', `${origin} did not answer: ${cause}`, cure)
}

const GIVE_TIME = 'Try again, or give it longer with --max-time.'

function causeOf(error: unknown): readonly [cause: string, cure: string] {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code.startsWith('HPE_')) return ['what came is not HTTP', 'Correct the port.']
  // Which code it has differs between versions of Node.
  if (/wrong version number|packet length too long|http request/.test(message)) {
    return ['there is no TLS, perhaps http', 'Correct the port, or call it by http on this machine.']
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return ['no TLS could be agreed on', 'See which versions of TLS the service speaks.']
  }
  return (
    CAUSES[code] ?? [
      code === '' ? 'no answer' : code,
      'See whether the service runs and can be reached from here.',
    ]
  )
}
