import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** How a document is posted. */
export interface PostOptions {
  /** Sent as a bearer token. */
  readonly bearer: string
  /** Certificates to trust instead of the system's, PEM. The host name is checked all the same. */
  readonly ca: readonly string[] | undefined
  /** Bytes; a longer answer is not read to its end. */
  readonly maxBytes: number
  /** Ends the whole of it. */
  readonly signal: AbortSignal
}

/** An answer that is not a 200. Nothing of its body is kept: it may quote what it was sent. */
export class RefusedPost extends Error {
  /** Seconds that the server asks to be left alone, 0 when it does not. */
  readonly retryAfter: number

  constructor(status: number, retryAfter: number) {
    super(`the identity server answered ${status}`)
    this.retryAfter = retryAfter
  }
}

const LONGEST_RETRY_AFTER = 300

/**
 * Posts a JSON document with a bearer token and reads the JSON that comes back. A redirect is an answer like any
 * other that is not a 200: the token goes to this URL alone. `fetch` can be told neither which certificates to
 * trust nor to leave the environment's word on that aside.
 *
 * @throws Error when the answer is not a 200 with JSON within the limits
 */
export async function postJson(url: URL, body: object, options: PostOptions): Promise<unknown> {
  const response = await post(url, JSON.stringify(body), options)
  try {
    const { statusCode = 0, headers } = response
    if (statusCode !== 200) throw new RefusedPost(statusCode, readRetryAfter(headers['retry-after']))
    return readJson(await readBody(response, options.maxBytes))
  } finally {
    response.destroy()
  }
}

async function post(url: URL, body: string, { bearer, ca, signal }: PostOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      accept: 'application/json',
      authorization: `Bearer ${bearer}`,
    }
    const common = { method: 'POST', headers, signal, agent: false } as const
    const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca: [...ca] }) }
    const outgoing =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...common, ...tls }, resolve)
        : httpRequest(url, common, resolve)
    outgoing.on('error', (cause: NodeJS.ErrnoException) => {
      const why = signal.aborted ? 'no answer in time' : (cause.code ?? cause.name)
      // Not the cause: that of a parser has the bytes it could not read.
      reject(new Error(`the identity server cannot be reached: ${why}`))
    })
    // Node gives such a connection away, and nothing else would tell of its end.
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy()
      reject(new RefusedPost(101, 0))
    })
    outgoing.end(body)
  })
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`the identity server answered more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readJson(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // What JSON.parse says of it quotes it.
  }
  throw new Error('the identity server did not answer JSON')
}

function readRetryAfter(value: string | undefined): number {
  return /^\d{1,6}$/.test(value ?? '') ? Math.min(Number(value), LONGEST_RETRY_AFTER) : 0
}
