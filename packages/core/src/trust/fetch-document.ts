import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { takeTurn } from './fetch-turns.js'

/** How a document is fetched. */
export interface FetchOptions {
  /** Bytes; a longer document is not read to its end. */
  readonly maxBytes: number
  /** Certificates to trust instead of the system's, PEM. The host name is checked all the same. */
  readonly ca: readonly string[] | undefined
  /** Redirects followed, within the origin; with 0 a redirect is an answer like any other that is not 200. */
  readonly mostRedirects: number
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Fetches a document over https from a URL that was configured. Redirects are followed within the origin
 * only: whoever may answer for one host must not be able to name another.
 *
 * @param signal ends the whole of it, redirects and waiting for a turn included
 * @returns the body
 * @throws Error when the answer is not a 200 within the limits
 */
export async function fetchDocument(url: URL, options: FetchOptions, signal: AbortSignal): Promise<Buffer> {
  const endTurn = await takeTurn(url.origin, signal)
  try {
    return await fetchNow(url, options, signal)
  } finally {
    endTurn()
  }
}

async function fetchNow(url: URL, options: FetchOptions, signal: AbortSignal): Promise<Buffer> {
  const { mostRedirects } = options
  let location = url
  for (let redirects = 0; ; redirects++) {
    const response = await get(location, options, signal)
    const next = response.headers.location
    if (mostRedirects === 0 || !REDIRECTS.has(response.statusCode!) || next === undefined)
      return readBody(response, options.maxBytes)
    response.destroy()
    if (redirects === mostRedirects) throw new Error('too many redirects')
    location = URL.canParse(next, location.href) ? new URL(next, location) : location
    if (location.origin !== url.origin) throw new Error('redirected to another origin')
  }
}

async function get(url: URL, { ca }: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/json, application/jwk-set+json', 'accept-encoding': 'identity' }
    const common = { headers, signal, agent: false } as const
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED cannot say otherwise.
    const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca: [...ca] }) }
    const outgoing =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...common, ...tls }, resolve)
        : httpRequest(url, common, resolve)
    outgoing.on('error', reject)
    // Node gives such a connection away, and nothing else would tell of its end.
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy()
      reject(new Error('answered 101'))
    })
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
