import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** How a document is fetched. */
export interface FetchOptions {
  /** Milliseconds for the whole of it, redirects included. */
  readonly timeoutMs: number
  /** Bytes; a longer document is not read to its end. */
  readonly maxBytes: number
  /** Certificates to trust instead of the system's, PEM. The host name is checked all the same. */
  readonly ca: string | readonly string[] | undefined
}

const MOST_REDIRECTS = 3
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Fetches a document over https from a URL that was configured. Redirects are followed within the origin
 * only: whoever may answer for one host must not be able to name another.
 *
 * @returns the body
 * @throws Error when the answer is not a 200 within the limits
 */
export async function fetchDocument(url: URL, options: FetchOptions): Promise<Buffer> {
  await takeTurn()
  try {
    return await fetchNow(url, options)
  } finally {
    endTurn()
  }
}

// A service that trusts thousands of domains would open as many connections when it starts, and most of
// them would be dropped on the way and wait for a retransmission.
const MOST_AT_ONCE = 256
const waiting: (() => void)[] = []
let underWay = 0

async function takeTurn(): Promise<void> {
  if (underWay < MOST_AT_ONCE) {
    underWay++
    return
  }
  await new Promise<void>((resolve) => waiting.push(resolve))
}

function endTurn(): void {
  const next = waiting.shift()
  if (next === undefined) underWay--
  else next()
}

async function fetchNow(url: URL, options: FetchOptions): Promise<Buffer> {
  const signal = AbortSignal.timeout(options.timeoutMs)
  let location = url
  for (let redirects = 0; ; redirects++) {
    const response = await get(location, options, signal)
    const next = response.headers.location
    if (!REDIRECTS.has(response.statusCode!) || next === undefined)
      return readBody(response, options.maxBytes)
    response.destroy()
    if (redirects === MOST_REDIRECTS) throw new Error('too many redirects')
    location = URL.canParse(next, location.href) ? new URL(next, location) : location
    if (location.origin !== url.origin) throw new Error('redirected to another origin')
  }
}

async function get(url: URL, { ca }: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/json, application/jwk-set+json', 'accept-encoding': 'identity' }
    const common = { headers, signal, agent: false } as const
    const outgoing =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...common, ...(ca === undefined ? {} : { ca: [ca].flat() }) }, resolve)
        : httpRequest(url, common, resolve)
    outgoing.on('error', reject)
    outgoing.end()
  })
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  try {
    if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode}`)
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxBytes) throw new Error(`longer than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } finally {
    response.destroy()
  }
}
