import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { issueWit, verifyWitRequest } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'

/** What a request for an identity token is answered with. */
export interface MoodyAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of a token. */
  readonly body?: string
  /** Given to whoever asks, instead of to `/checkout`. */
  readonly subject?: string
  /** Bound instead of the key that was asked for. */
  readonly confirmationKey?: object
  /** Seconds. */
  readonly lifetime?: number
  /** Never answers. */
  readonly silent?: boolean
}

/** An identity server over real HTTP that can be made to do anything wrong. */
export interface MoodyIdentityServer {
  readonly url: string
  readonly issuer: { readonly privateJwk: object; readonly publicJwk: object }
  /** What came, each with its bearer token. */
  readonly requests: { readonly bearer: string | undefined; readonly body: string }[]
  mood: MoodyAnswer
  close(): Promise<void>
}

/** Starts one on loopback. @param now epoch seconds */
export async function startMoodyIdentityServer(now: () => number): Promise<MoodyIdentityServer> {
  const issuer = generateTestKeyPair('ES256')
  const listener = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      server.requests.push({ bearer: request.headers.authorization?.replace('Bearer ', ''), body })
      if (!server.mood.silent) void respond(body, response)
    })
  })
  async function respond(body: string, response: ServerResponse): Promise<void> {
    const [status, text] = await answer(body)
    response.writeHead(status, { 'content-type': 'application/json', ...server.mood.headers }).end(text)
  }
  async function answer(body: string): Promise<[number, string]> {
    const {
      status = 200,
      body: text,
      subject = 'wimse://example.com/checkout',
      lifetime = 3600,
    } = server.mood
    if (status !== 200 || text !== undefined) return [status, text ?? '{}']
    const { request } = JSON.parse(body) as { request: string }
    const { confirmationKey } = verifyWitRequest(request, { audience: server.url, now })
    const wit = await issueWit({
      issuerKey: { ...issuer.privateJwk, kid: 'issuer' },
      subject,
      confirmationKey: server.mood.confirmationKey ?? confirmationKey,
      lifetime,
      now,
    })
    return [200, JSON.stringify({ wit })]
  }
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const server: MoodyIdentityServer = {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/wit`,
    issuer: { ...issuer, publicJwk: { ...issuer.publicJwk, kid: 'issuer' } },
    requests: [],
    mood: {},
    close: async () => {
      listener.closeAllConnections()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
  return server
}
