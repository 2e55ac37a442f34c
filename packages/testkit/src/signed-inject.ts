import { type Credential, type Instant, type Revision, signRequest } from 'wimse'

/** A request as Fastify's `inject` takes it. */
export interface InjectRequest {
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'OPTIONS' | 'PATCH' | 'POST' | 'PUT'
  /** Request target: path and query. */
  readonly url: string
  readonly headers: Record<string, string | string[]>
  readonly payload?: string | object
}

/** Anything with Fastify's `inject`. */
export interface Injectable<Response> {
  inject(request: InjectRequest): Promise<Response>
}

/** A request to sign and send to an application in the same process. */
export interface SignedRequest {
  /** Default `GET`. */
  readonly method?: InjectRequest['method']
  /** Absolute: its origin must be one of the service's audiences. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly payload?: string | object
  readonly revision?: Revision
  readonly otherTokens?: readonly string[]
  /** Epoch seconds. Default now. */
  readonly now?: Instant | undefined
}

/**
 * Sends a request with a fresh proof to an application, without a socket.
 *
 * @param app the application under test
 * @returns what `app.inject` returns
 */
export async function signedInject<Response>(
  app: Injectable<Response>,
  credential: Credential,
  request: SignedRequest,
): Promise<Response> {
  const { method = 'GET', url, headers = {}, payload, revision, otherTokens, now } = request
  const { host, pathname, search } = new URL(url)
  const signed = signRequest(credential, { url, headers, revision, otherTokens, now })
  return app.inject({
    method,
    url: pathname + search,
    headers: { host, ...headers, ...signed },
    ...(payload === undefined ? {} : { payload }),
  })
}
