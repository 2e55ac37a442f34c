import { SigningError } from 'wimse'
import { canSendAgain, consumed, type OutgoingCall } from './outgoing-call.js'

/** What to do about a redirect: give it back, or follow it. */
export type RedirectPolicy = 'manual' | 'same-target'

/** As `fetch` has it. */
export const MOST_REDIRECTS = 20

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Fields that are about a body. */
const BODY_FIELDS = [
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'content-length',
]

/** Fields with which the caller shows itself to one server, and that are nobody else's business. */
const CREDENTIAL_FIELDS = ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'txn-token']

/** Whether an answer leads elsewhere. */
export function isRedirect({ status, headers }: Response): boolean {
  return REDIRECTS.has(status) && headers.has('location')
}

/**
 * The call that a redirect asks for. Method and body change as `fetch` changes them; the caller's credentials
 * stay behind where it leaves the target. Identity and proof are not among the fields of a call: who follows it
 * signs it anew, or not at all.
 *
 * @param staysWithin tells whether a URL is within the target that was called
 * @param otherTokens names of further fields that carry tokens
 * @throws SigningError `WIMSE_BODY_CONSUMED` when a stream would have to be sent again, `WIMSE_URL_INSECURE`
 *   when the redirect leads from https to http
 * @throws TypeError when it leads to no URL
 * @see {@link https://fetch.spec.whatwg.org/#http-redirect-fetch}
 */
export function redirectedCall(
  call: OutgoingCall,
  { status, headers: answer }: Response,
  staysWithin: (url: URL) => boolean,
  otherTokens: readonly string[],
): OutgoingCall {
  const url = readLocation(answer.get('location')!, call.url)
  if (call.url.protocol === 'https:' && url.protocol === 'http:') {
    throw new SigningError('WIMSE_URL_INSECURE', {
      reason: 'redirected from https to http',
      received: url.origin,
    })
  }
  const headers = new Headers(call.headers)
  if (!staysWithin(url)) {
    for (const name of [...CREDENTIAL_FIELDS, ...otherTokens]) headers.delete(name)
  }
  if (!becomesGet(status, call.method)) {
    if (!canSendAgain(call)) throw consumed(`redirected with ${status}`)
    return { ...call, url, headers }
  }
  for (const name of BODY_FIELDS) headers.delete(name)
  return { ...call, url, headers, method: 'GET', body: { kind: 'none' } }
}

function readLocation(location: string, base: URL): URL {
  const url = URL.canParse(location, base.href) ? new URL(location, base) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw new TypeError('redirected to no http URL')
  if (url.username !== '' || url.password !== '') {
    throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', {
      reason: 'redirected to a URL with user information',
    })
  }
  if (url.hash === '') url.hash = base.hash
  return url
}

function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD'
  return (status === 301 || status === 302) && method === 'POST'
}
