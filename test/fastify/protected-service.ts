import Fastify, { type FastifyInstance } from 'fastify'
import { wimse, type WimseOptions, type Workload } from 'fastify-wimse'

/** A service with one protected catch-all route that remembers what reached it. */
export interface ProtectedService {
  readonly app: FastifyInstance
  readonly port: number
  /** Who reached the handler, in order. */
  readonly handled: readonly Workload[]
  /** How many bodies were parsed. */
  readonly parsedBodies: () => number
  /** All the service has logged. */
  readonly log: () => string
}

/** Starts a service on a real socket. Bodies are parsed by a parser that counts. */
export async function startProtectedService(
  options: WimseOptions,
  wantedPort = 0,
): Promise<ProtectedService> {
  const handled: Workload[] = []
  let parsed = 0
  let log = ''
  const app = Fastify({
    logger: { level: 'trace', stream: { write: (line: string) => (log += line) } },
    forceCloseConnections: true,
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    parsed++
    done(null, body)
  })
  await app.register(wimse, options)
  app.all('/*', async (request) => {
    handled.push(request.workload!)
    return { caller: request.workload!.id }
  })
  await app.listen({ port: wantedPort, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return { app, port, handled, parsedBodies: () => parsed, log: () => log }
}
