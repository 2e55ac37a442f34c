import type { PeerCertificate } from 'node:tls'
import { beforeDeadline, parseWorkloadIdentifier, SigningError } from 'wimse'

const CLOSES_WITHIN_MS = 1000

/**
 * Makes a check of a TLS server's certificate: its only URI among the subject alternative names is the workload
 * identifier it should have. It takes the place of the check of the host name, which such certificates often
 * do not have; that the certificate comes from a trusted authority is checked all the same.
 *
 * For an undici dispatcher of one's own:
 * `new Agent({ connect: { checkServerIdentity: expectServer(identifier), maxCachedSessions: 0 } })`. A resumed
 * TLS session shows no certificate, so none must be kept.
 *
 * @returns a function for `checkServerIdentity` of `node:tls`; it gives `SigningError` `WIMSE_SERVER_IDENTITY`
 *   for any other server
 * @throws Error when the identifier is none
 */
export function expectServer(
  identifier: string,
): (host: string, certificate: PeerCertificate) => SigningError | undefined {
  const { id } = parseWorkloadIdentifier(identifier)
  return (_host, certificate) => {
    const uris = urisOf(certificate?.subjectaltname)
    if (uris.length === 1 && uris[0] === id) return undefined
    return new SigningError('WIMSE_SERVER_IDENTITY', {
      reason: 'the only URI in the certificate of the server is not the identifier it should have',
      expected: id,
      received: uris.length === 0 ? 'no URI' : uris,
    })
  }
}

/** One name: its kind, and what it is, in quotes as JSON has them where it has a comma or a quote in it. */
const NAME = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y

/** The URIs in what Node says of a certificate; none where it cannot be read from end to end. */
function urisOf(names = ''): readonly string[] {
  const uris: string[] = []
  for (let at = 0; at < names.length; at = NAME.lastIndex) {
    NAME.lastIndex = at
    const [, kind, name] = NAME.exec(names) ?? []
    if (kind === undefined || name === undefined) return []
    if (kind === 'URI') uris.push(name)
  }
  // An identifier needs no quotes, so one in quotes is another one.
  return uris
}

/** Sends a request, as the global `fetch`. */
export type Send = (request: Request, init: RequestInit) => Promise<Response>

/**
 * Makes a `fetch` for one origin that talks to its server only once its certificate has shown the identifier,
 * on each of its connections.
 *
 * @returns it, and a function that closes its connections
 */
export function fetchFrom(
  origin: string,
  identifier: string,
): { readonly send: Send; readonly close: () => Promise<void> } {
  const checkServerIdentity = expectServer(identifier)
  // Loaded where it is needed: `fetch` has no option for the check, and most targets need none. A Pool and not
  // an Agent, which forgets its connections in close(), so that destroy() finds none.
  const opening = import('undici').then(
    ({ Pool }) =>
      new Pool(origin, { connect: { rejectUnauthorized: true, checkServerIdentity, maxCachedSessions: 0 } }),
  )
  return {
    send: async (request, init) => {
      const dispatcher = await opening
      try {
        return await fetch(request, { ...init, dispatcher } as object)
      } catch (error) {
        throw refusedServer(error) ?? error
      }
    },
    close: async () => {
      const pool = await opening
      // A response that nobody reads to its end would be waited for as long as the server cares to wait.
      await beforeDeadline(pool.close(), CLOSES_WITHIN_MS).catch(async () => pool.destroy())
    },
  }
}

/** `fetch` wraps what the connection was refused for. */
function refusedServer(error: unknown): SigningError | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof SigningError) return cause
  }
  return null
}
