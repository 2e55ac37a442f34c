import { SigningError } from 'wimse'

/** A call that may take more than one request: a redirect that is followed, a second try. */
export interface OutgoingCall {
  readonly url: URL
  readonly method: string
  /** The caller's own fields: neither identity nor proof. */
  readonly headers: Headers
  readonly body: OutgoingBody
  /** The caller's own: one that a `Request` derives from it is forgotten with that request. */
  readonly signal: AbortSignal | undefined
  /** What the caller asked to do about redirects. */
  readonly redirect: Request['redirect']
  /** What the call was made with: it has more than can be read from it, such as a dispatcher. */
  readonly given: Request
  readonly init: RequestInit
}

type SentBody = NonNullable<RequestInit['body']>

/** What a call sends. */
export type OutgoingBody =
  /** Nothing. */
  | { readonly kind: 'none' }
  /** Something that can be sent any number of times. */
  | { readonly kind: 'value'; readonly value: SentBody }
  /** A stream: gone once it has been sent. */
  | { readonly kind: 'stream'; sent: boolean }

/**
 * Reads what `fetch` was called with.
 *
 * @throws SigningError `WIMSE_BODY_CONSUMED` when the body was read before; `WIMSE_TARGET_NOT_ALLOWED` when the
 *   URL has user information
 * @throws TypeError as `Request` does
 */
export function readCall(input: string | URL | Request, init: RequestInit = {}): OutgoingCall {
  refuseUserInformation(input)
  if (input instanceof Request && input.bodyUsed && (init.body ?? null) === null) throw consumed()
  const given = new Request(input, init)
  const { url, method, headers, body, redirect } = given
  return {
    url: new URL(url),
    method,
    headers,
    body: readBody(init.body, body),
    signal: init.signal ?? (input instanceof Request ? input.signal : undefined),
    redirect,
    given,
    init,
  }
}

/**
 * Makes the request for one attempt. It follows no redirect, and knows nothing of the caller's signal.
 *
 * @throws SigningError `WIMSE_BODY_CONSUMED` when its body is a stream that was sent before
 */
export function requestOf(call: OutgoingCall, headers: Headers): Request {
  const { url, method, body, given } = call
  const init: RequestInit = { method, headers, redirect: call.redirect === 'error' ? 'error' : 'manual' }
  if (body.kind === 'value') {
    init.body = body.value
    // The boundary of a form is new each time.
    if (body.value instanceof FormData) headers.delete('content-type')
  }
  if (body.kind === 'stream') {
    if (body.sent) throw consumed()
    body.sent = true
  }
  if (url.href === given.url && method === given.method) return new Request(given, init)
  const { body: _body, signal: _signal, ...others } = call.init
  return new Request(url, { ...others, ...init })
}

/** Whether the call can be made another time. */
export function canSendAgain({ body }: OutgoingCall): boolean {
  return body.kind !== 'stream' || !body.sent
}

/**
 * The error for a body that would have to be sent another time and cannot.
 *
 * @param instead what came of the first time
 */
export function consumed(instead?: string): SigningError {
  return new SigningError('WIMSE_BODY_CONSUMED', {
    reason:
      instead === undefined
        ? 'the body is a stream that has been read'
        : `${instead}, and the body is a stream that has been sent`,
    expected: 'a string, bytes, a Blob, FormData or URLSearchParams, which can be sent again',
  })
}

function readBody(given: RequestInit['body'], stream: ReadableStream | null): OutgoingBody {
  if (stream === null) return { kind: 'none' }
  if (
    typeof given === 'string' ||
    given instanceof Blob ||
    given instanceof FormData ||
    given instanceof URLSearchParams ||
    given instanceof ArrayBuffer ||
    ArrayBuffer.isView(given)
  ) {
    return { kind: 'value', value: given }
  }
  return { kind: 'stream', sent: false }
}

/** Before `Request` does, whose error quotes the URL and the password in it. */
function refuseUserInformation(input: string | URL | Request): void {
  if (input instanceof Request || !URL.canParse(String(input))) return
  const { username, password } = new URL(input)
  if (username === '' && password === '') return
  throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', { reason: 'the URL has user information' })
}
