import type { JWK } from 'jose'
import { createWitRequest, type Credential, importCredential } from 'wimse'
import type { Services } from './services.js'

/** Who takes the tour: a workload with an identity of its own, and an eye for what others would try. */
export interface Visitor {
  readonly credential: Credential
  /** Private JWK of the credential. */
  readonly key: JWK
}

/**
 * Gets the visitor an identity, as every workload gets one; but it keeps the key, to try what a thief would. The
 * identity server says itself what a request for it must be made for: behind a gateway it has another URL.
 *
 * @throws Error when the identity server does not give a token
 */
export async function enrolVisitor({ identityServer, visitorSecret }: Services): Promise<Visitor> {
  const metadata = await ask<{ wit_endpoint: string }>(
    `${identityServer}/.well-known/oauth-authorization-server`,
  )
  const { jws, key } = await createWitRequest({ audience: metadata.wit_endpoint })
  const { wit } = await ask<{ wit: string }>(`${identityServer}/wit`, {
    method: 'POST',
    headers: { authorization: `Bearer ${visitorSecret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ request: jws }),
  })
  return { credential: await importCredential({ wit, key }), key }
}

async function ask<Answer>(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(5000) })
  if (!response.ok) throw new Error(`the identity server answered ${response.status}`)
  return (await response.json()) as Answer
}
