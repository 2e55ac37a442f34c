import { connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { wimse, workloadOf } from 'fastify-wimse'
import { type Credential, signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { get } from '../attacks/scene.js'
import { NOON, ORIGIN } from '../fastify/service-under-test.js'

/** What reached a handler. */
export interface Handled {
  readonly id: string
  /** Of the target, without its query. */
  readonly path: string
}

/** One answer. */
export interface WireAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** A service that listens, and good messages for it. */
export interface WireService {
  readonly app: FastifyInstance
  readonly port: number
  readonly handled: Handled[]
  /** Makes a good message with tokens of its own. */
  readonly message: () => { readonly bytes: string; readonly wit: string; readonly wpt: string }
}

/** Starts one. */
export async function startWireService(): Promise<WireService> {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: () => NOON })
  const credential: Credential = await identityServer.issue({ subject: '/caller', algorithm: 'EdDSA' })
  const handled: Handled[] = []
  const app = Fastify({ forceCloseConnections: true })
  await app.register(wimse, {
    audience: ORIGIN,
    trustDomains: identityServer.trustDomains,
    now: () => NOON,
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.all('/*', async (request) => {
    handled.push({ id: workloadOf(request).id, path: request.url.split('?', 1)[0]! })
    return ''
  })
  // Otherwise Node gives up what is under way once the sender has said goodbye.
  Object.assign(app.server, { httpAllowHalfOpen: true })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return {
    app,
    port,
    handled,
    message: () => {
      const fields = signRequest(credential, { url: `${ORIGIN}/stock`, now: NOON })
      return {
        bytes: get(Object.entries(fields).map(([name, value]) => `${name}: ${value}`)),
        wit: fields['Workload-Identity-Token']!,
        wpt: fields['Workload-Proof-Token']!,
      }
    },
  }
}

/**
 * Delivers bytes and says goodbye, so that the service does not wait for more of a message cut short.
 *
 * @returns the answers, and what reached the handler
 */
export async function deliver(
  { port, handled }: WireService,
  bytes: string,
): Promise<{ readonly answers: readonly WireAnswer[]; readonly handled: readonly Handled[] }> {
  handled.length = 0
  const text = await new Promise<string>((resolve) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes, 'latin1'))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (received += chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(received))
  })
  return {
    answers: text
      .split(/(?=HTTP\/1\.1 \d{3} )/)
      .filter((one) => one !== '')
      .map(readAnswer),
    handled: [...handled],
  }
}

function readAnswer(text: string): WireAnswer {
  const end = text.indexOf('\r\n\r\n')
  return {
    status: Number(text.slice(9, 12)),
    head: text.slice(0, end).toLowerCase(),
    body: text.slice(end + 4),
  }
}
