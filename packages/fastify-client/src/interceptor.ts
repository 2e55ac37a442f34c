import { isPromise, SigningError } from 'wimse'
import { createSigner, refuseReserved, type Signed, type SignerOptions } from './signer.js'

/** What undici dispatches, as far as signing is concerned. */
export interface DispatchRequest {
  readonly origin?: string | URL | undefined
  readonly path: string
  readonly headers?: unknown
}

/** What hears of the outcome: a handler of undici's. */
export interface DispatchHandler {
  onResponseError?(controller: never, error: Error): void
  onError?(error: Error): void
}

/** Sends a request; undici's `dispatch`. */
export type Dispatch<Request extends DispatchRequest = DispatchRequest, Handler = DispatchHandler> = (
  request: Request,
  handler: Handler,
) => boolean

/** An interceptor as undici's `compose` takes it. */
export type WimseInterceptor = <Request extends DispatchRequest, Handler>(
  dispatch: Dispatch<Request, Handler>,
) => Dispatch<Request, Handler>

/**
 * Makes an interceptor for an undici dispatcher that shows who is calling: each attempt carries the identity
 * token and a new proof.
 *
 * List it first in `compose`, so that it is the innermost: a retry or a redirect above it is signed anew, and
 * one below it would send a proof twice. A redirect leads to a target, or it fails.
 *
 * For an `Agent`, or whatever sends a request to the origin it names. A `Pool` or `Client` sends all to the
 * one it was made for, and this CANNOT see that: with targets of several origins a server could answer with a
 * redirect to another target, and be given the proof that is meant for that one. Give it targets of its own
 * origin alone.
 *
 * A request for anything but a target fails with a `SigningError`, before anything is sent: the codes are
 * those of `createWorkloadFetch`.
 *
 * @throws TypeError naming the option that is wrong
 */
export function wimseInterceptor(options: SignerOptions): WimseInterceptor {
  const signer = createSigner(options)
  if (signer.targets.some(({ expectedServer }) => expectedServer !== undefined)) {
    throw new TypeError(
      'option targets: expectedServer is for the dispatcher below to check, with expectServer()',
    )
  }
  return (dispatch) => (request, handler) => {
    try {
      const headers = sign(request)
      if (!isPromise(headers)) return dispatch({ ...request, headers }, handler)
      headers
        .then((awaited) => void dispatch({ ...request, headers: awaited }, handler))
        .catch((error: unknown) => fail(handler, error))
    } catch (error) {
      fail(handler, error)
    }
    return true
  }

  function sign({ origin, path, headers: given }: DispatchRequest): string[] | Promise<string[]> {
    const fields = readFields(given)
    refuseReserved(fields.map(([name]) => name))
    const url = readUrl(origin, path)
    const withSigned = (signed: Signed): string[] => {
      const list: string[] = []
      for (const [name, value] of [...fields, ...Object.entries(signed.fields)]) list.push(name, value)
      return list
    }
    const signed = signer.sign(url, signer.targetOf(url), fields)
    return isPromise(signed) ? signed.then(withSigned) : withSigned(signed)
  }
}

/** The URL as it goes over the wire: undici sends a path as it is, and a parser would tidy it up. */
function readUrl(origin: string | URL | undefined, path: string): URL {
  if (path.startsWith('/')) {
    const url = parseUrl(`${origin === undefined ? '' : originOf(origin)}${path}`)
    if (url?.pathname === path.replace(/[?#].*$/s, '')) return url
  }
  throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', {
    reason: 'the path is not one that every reader reads alike',
    received: path,
  })
}

/** Asking first whether it can be parsed would be to parse it twice. */
function parseUrl(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

/** As it is given and as it is read: a dispatcher is given the same few, request by request. */
const origins = new Map<string, string>()
const MOST_ORIGINS = 100

function originOf(origin: string | URL): string {
  if (typeof origin !== 'string') return origin.origin
  const known = origins.get(origin)
  if (known !== undefined) return known
  const read = new URL(origin).origin
  if (origins.size < MOST_ORIGINS) origins.set(origin, read)
  return read
}

/** Header fields in any of the forms that undici takes: a flat list, pairs, or an object. */
function readFields(headers: unknown): [string, string][] {
  if (headers === null || headers === undefined) return []
  if (Array.isArray(headers) && !headers.every(Array.isArray)) {
    return headers.flatMap((value, index) => (index % 2 === 0 ? pairs(value, headers[index + 1]) : []))
  }
  const entries =
    Symbol.iterator in Object(headers)
      ? (headers as Iterable<readonly [unknown, unknown]>)
      : Object.entries(headers)
  return [...entries].flatMap(([name, value]) => pairs(name, value))
}

function pairs(name: unknown, value: unknown): [string, string][] {
  if (value === null || value === undefined) return []
  return [value].flat().map((one: unknown) => [textOf(name), textOf(one)])
}

/** Numbers and buffers are sent as their text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (value as { toString(): string }).toString()
}

function fail(handler: unknown, error: unknown): void {
  const { onResponseError, onError } = handler as {
    onResponseError?: (controller: null, error: unknown) => void
    onError?: (error: unknown) => void
  }
  if (onResponseError !== undefined) onResponseError.call(handler, null, error)
  else onError?.call(handler, error)
}
