import { canSendAgain, consumed, type OutgoingCall, readCall, requestOf } from './outgoing-call.js'
import { isRedirect, MOST_REDIRECTS, redirectedCall, type RedirectPolicy } from './redirect.js'
import { asksForAnotherCredential } from './refusal.js'
import { fetchFrom } from './server-identity.js'
import { createSigner, refuseReserved, type SignerOptions } from './signer.js'
import type { Target } from './targets.js'

/** Options of {@link createWorkloadFetch} and of the plugin. */
export interface WorkloadFetchOptions extends SignerOptions {
  /**
   * What to do about redirects where the call does not forbid them: `'manual'`, the default, gives the 3xx
   * back; `'same-target'` follows them as `fetch` does, signed anew while they stay within the target that was
   * called, and without identity, proof and the caller's credentials from where they leave it.
   */
  readonly redirect?: RedirectPolicy
}

/** As the global `fetch`, for the configured targets. */
export type WorkloadFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A `fetch` that may add the transaction token of a request that is being handled. */
export interface PropagatingFetch {
  readonly fetch: (
    input: string | URL | Request,
    init: RequestInit | undefined,
    txnToken: string | undefined,
  ) => Promise<Response>
  /** Closes the connections that are its own: those to servers whose identity it checks. */
  readonly close: () => Promise<void>
}

/**
 * Makes a `fetch` that shows who is calling: each request carries the identity token and a new proof for its
 * URL. The tokens among the headers are covered: `Authorization`, `Txn-Token`, `otherTokens`.
 *
 * Redirects are not followed unless `redirect` says so. When the called side refuses the identity token because
 * it has expired or its issuer's key is not known there, and the source has another one, the call is made once
 * more; any other failure is final. The server is authenticated by TLS and its host name, or by
 * `expectedServer` of its target; NOT by this protocol.
 *
 * @returns a function that rejects with `SigningError`: `WIMSE_TARGET_NOT_ALLOWED`, `WIMSE_URL_INSECURE`,
 *   `WIMSE_HEADER_RESERVED`, `WIMSE_BEARER_CONFLICT`, `WIMSE_CREDENTIAL_MISSING`, `WIMSE_CREDENTIAL_EXPIRED`,
 *   `WIMSE_CREDENTIAL_MISMATCH` and `WIMSE_SERVER_IDENTITY` before the request is sent, `WIMSE_BODY_CONSUMED`
 *   when it would have to be sent another time and its body is a stream
 * @throws TypeError naming the option that is wrong
 */
export function createWorkloadFetch(options: WorkloadFetchOptions): WorkloadFetch {
  const propagating = createPropagatingFetch(options)
  return async (input, init) => propagating.fetch(input, init, undefined)
}

/**
 * As {@link createWorkloadFetch}; the transaction token is added for targets that may have it, unless the
 * call has one of its own, and covered by the new proof.
 */
export function createPropagatingFetch(options: WorkloadFetchOptions): PropagatingFetch {
  const { redirect = 'manual', ...signing } = options
  if (redirect !== 'manual' && redirect !== 'same-target') {
    throw new TypeError("option redirect must be 'manual' or 'same-target'")
  }
  const signer = createSigner(signing)
  const checked = new Map(
    signer.targets.flatMap(({ origin, expectedServer }) =>
      expectedServer === undefined ? [] : [[origin, fetchFrom(origin, expectedServer)] as const],
    ),
  )

  /** Whoever answers at an origin is looked at for all that is sent there, signed or not. */
  async function send(call: OutgoingCall, headers: Headers): Promise<Response> {
    const { signal } = call
    // Given to fetch itself: a Request does not keep the signal that it follows.
    const init = signal === undefined ? {} : { signal }
    const request = requestOf(call, headers)
    const own = checked.get(call.url.origin)
    if (own === undefined) return fetch(request, init)
    if ('dispatcher' in call.init)
      throw new TypeError('a dispatcher cannot be given where expectedServer is checked')
    return own.send(request, init)
  }

  async function sendSigned(
    call: OutgoingCall,
    target: Target,
    txnToken: string | undefined,
  ): Promise<Response> {
    const attempt = async () => {
      const headers = new Headers(call.headers)
      if (txnToken !== undefined && target.propagate && !headers.has('txn-token')) {
        headers.set('txn-token', txnToken)
      }
      const { fields, credential } = await signer.sign(call.url, target, headers, call.signal)
      for (const [name, value] of Object.entries(fields)) headers.set(name, value)
      return { response: await send(call, headers), credential }
    }
    const { response, credential } = await attempt()
    if (!signer.canRenew || !(await asksForAnotherCredential(response))) return response
    if ((await signer.renewed(credential, call.signal)) === null) return response
    await response.body?.cancel()
    if (!canSendAgain(call)) throw consumed('the identity token was refused')
    return (await attempt()).response
  }

  /** From the first redirect that leaves the target nothing is signed any more, whatever it leads back to. */
  async function follow(
    first: OutgoingCall,
    answered: Response,
    target: Target,
    txnToken: string | undefined,
  ): Promise<Response> {
    const staysWithin = (url: URL): boolean => signer.findTarget(url) === target
    let [call, response, signs] = [first, answered, true]
    for (let redirects = 0; ; redirects++) {
      if (!isRedirect(response)) return response
      // Before anything is thrown: nobody else could let go of it.
      await response.body?.cancel()
      if (redirects === MOST_REDIRECTS) throw new TypeError(`redirected more than ${MOST_REDIRECTS} times`)
      call = redirectedCall(call, response, staysWithin, signer.otherTokens)
      signs &&= staysWithin(call.url)
      response = signs
        ? await sendSigned(call, target, txnToken)
        : await send(call, new Headers(call.headers))
    }
  }

  return {
    fetch: async (input, init, txnToken) => {
      const call = readCall(input, init)
      refuseReserved([...call.headers.keys(), ...new Headers(init?.headers).keys()])
      const target = signer.targetOf(call.url)
      const response = await sendSigned(call, target, txnToken)
      if (redirect === 'manual' || call.redirect !== 'follow') return response
      return follow(call, response, target, txnToken)
    },
    close: async () => {
      await Promise.all([...checked.values()].map(async ({ close }) => close()))
    },
  }
}
