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
 * Gets the visitor an identity, as every workload gets one; but it keeps the key, to try what a thief would.
 *
 * @throws Error when the identity server does not give a token
 */
export async function enrolVisitor({ identityServer, visitorSecret }: Services): Promise<Visitor> {
  const url = `${identityServer}/wit`
  const { jws, key } = await createWitRequest({ audience: url })
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${visitorSecret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ request: jws }),
    redirect: 'error',
    signal: AbortSignal.timeout(5000),
  })
  if (!response.ok) throw new Error(`the identity server answered ${response.status}`)
  const { wit } = (await response.json()) as { wit: string }
  return { credential: await importCredential({ wit, key }), key }
}
