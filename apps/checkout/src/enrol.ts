import { exportJWK, generateKeyPair, type JWK } from 'jose'

/** What a workload has once the identity server knows its key. */
export interface Enrolment {
  readonly wit: string
  /** Private JWK: it has not left this process. */
  readonly key: JWK
}

/**
 * Makes a key pair and has the identity server bind its public half to the workload.
 *
 * The token lives as long as the identity server says. It is NOT renewed.
 *
 * @param from `identityServer` its URL, `secret` the workload's bootstrap secret
 * @throws Error when the identity server does not give a token
 */
export async function enrol(from: { identityServer: string; secret: string }): Promise<Enrolment> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const response = await fetch(`${from.identityServer}/wit`, {
    method: 'POST',
    headers: { authorization: `Bearer ${from.secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ publicJwk: { ...(await exportJWK(publicKey)), alg: 'ES256' } }),
    redirect: 'error',
    signal: AbortSignal.timeout(5000),
  })
  if (!response.ok) throw new Error(`the identity server answered ${response.status}`)
  return {
    wit: readWit(await response.json()),
    key: { ...(await exportJWK(privateKey)), alg: 'ES256' },
  }
}

function readWit(body: unknown): string {
  if (typeof body === 'object' && body !== null && 'wit' in body && typeof body.wit === 'string')
    return body.wit
  throw new Error('the identity server gave no token')
}
