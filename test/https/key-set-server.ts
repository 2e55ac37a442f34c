import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ServerCertificate } from './test-authority.js'

/** A real https server on loopback whose answer can be changed while it runs. */
export interface KeySetServer {
  readonly origin: string
  /** Paths asked for so far. */
  readonly requests: string[]
  /** What it answers: a listener, or a value sent as JSON. */
  answer: RequestListener | object
  close(): Promise<void>
}

/** Starts a server with a certificate; its origin has the host name `localhost`. */
export async function startKeySetServer(
  certificate: ServerCertificate,
  answer: KeySetServer['answer'] = { keys: [] },
): Promise<KeySetServer> {
  const listener = createServer(certificate, (request, response) => {
    server.requests.push(request.url!)
    const { answer } = server
    if (typeof answer === 'function') answer(request, response)
    else response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => listener.listen(0, 'localhost', resolve))
  const server: KeySetServer = {
    origin: `https://localhost:${(listener.address() as AddressInfo).port}`,
    requests: [],
    answer,
    close: async () => {
      listener.closeAllConnections()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
  return server
}
