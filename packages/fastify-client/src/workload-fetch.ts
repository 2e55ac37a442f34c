import { SigningError } from 'wimse'
import { createSigner, refuseReserved, type SignerOptions } from './signer.js'

/** Options of {@link createWorkloadFetch} and of the plugin. */
export type WorkloadFetchOptions = SignerOptions

/** As the global `fetch`, for the configured targets. */
export type WorkloadFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A `fetch` that may add the transaction token of a request that is being handled. */
export type PropagatingFetch = (
  input: string | URL | Request,
  init: RequestInit | undefined,
  txnToken: string | undefined,
) => Promise<Response>

/**
 * Makes a `fetch` that shows who is calling: each call carries the identity token and a new proof for its
 * URL. The tokens among the headers are covered: `Authorization`, `Txn-Token`, `otherTokens`.
 *
 * Redirects are not followed, because `fetch` would carry identity and proof along; the 3xx is returned.
 * A failed call is not tried again. The server is authenticated by TLS, not by this.
 *
 * @returns a function that rejects with `SigningError`, before anything is sent: `WIMSE_TARGET_NOT_ALLOWED`,
 *   `WIMSE_URL_INSECURE`, `WIMSE_HEADER_RESERVED`, `WIMSE_BEARER_CONFLICT`, `WIMSE_CREDENTIAL_MISSING`,
 *   `WIMSE_CREDENTIAL_EXPIRED`, `WIMSE_CREDENTIAL_MISMATCH`
 * @throws TypeError naming the option that is wrong
 */
export function createWorkloadFetch(options: WorkloadFetchOptions): WorkloadFetch {
  const propagatingFetch = createPropagatingFetch(options)
  return async (input, init) => propagatingFetch(input, init, undefined)
}

/**
 * As {@link createWorkloadFetch}; the transaction token is added for targets that may have it, unless the
 * call has one of its own, and covered by the new proof.
 */
export function createPropagatingFetch(options: WorkloadFetchOptions): PropagatingFetch {
  const signer = createSigner(options)
  return async (input, init, txnToken) => {
    refuseUserInformation(input)
    const given = new Request(input, init)
    const redirect = given.redirect === 'error' ? 'error' : 'manual'
    const request = new Request(given, { redirect })
    refuseReserved([...request.headers.keys(), ...new Headers(init?.headers).keys()])
    const url = new URL(request.url)
    const target = signer.targetOf(url)
    if (txnToken !== undefined && target.propagate && !request.headers.has('txn-token')) {
      request.headers.set('txn-token', txnToken)
    }
    const headers = await signer.sign(url, target, request.headers, request.signal)
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value)
    return fetch(request)
  }
}

/** Before `Request` does, whose error quotes the URL and the password in it. */
function refuseUserInformation(input: string | URL | Request): void {
  if (input instanceof Request || !URL.canParse(String(input))) return
  const { username, password } = new URL(input)
  if (username === '' && password === '') return
  throw new SigningError('WIMSE_TARGET_NOT_ALLOWED', { reason: 'the URL has user information' })
}
