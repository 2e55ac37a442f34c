import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TestAuthority } from '../https/test-authority.js'

/** How the server answers. */
export type Mood = (request: IncomingMessage, response: ServerResponse) => void

/** A real https server that answers as a test tells it to. */
export interface MoodyServer {
  readonly origin: string
  /** Paths asked for, in order. */
  readonly requests: readonly string[]
  answer: Mood
  /** Cuts every connection and refuses new ones, until it is started again on the same port. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** Starts one on loopback, with a certificate for `host`. */
export async function startMoodyServer(authority: TestAuthority, host = '127.0.0.1'): Promise<MoodyServer> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  let port = 0
  let server = createServer()
  const moody: MoodyServer = {
    get origin() {
      return `https://${host}:${port}`
    },
    requests,
    answer: (_request, response) => response.end(),
    async start() {
      server = createServer(authority.certificateFor(host), (request, response) => {
        requests.push(request.url!)
        moody.answer(request, response)
      })
      server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
      })
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
      port = (server.address() as { port: number }).port
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  await moody.start()
  return moody
}

/** Answers every request with a document. */
export function answering(document: object, status = 200): Mood {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  }
}
