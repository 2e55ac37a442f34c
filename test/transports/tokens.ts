import { createHash, randomUUID } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import type { Credential } from 'wimse'
import { privateKeyOf } from 'wimse-testkit'

/** A field of a request: name and value. */
export type Field = readonly [name: string, value: string]

/** The two fields of a request that shows who sent it. */
export interface Tokens {
  readonly wit: Field
  readonly proof: Field
}

/** What a proof is made of where it is not the good one. */
export interface ProofOptions {
  /** Any string, also one that the signer of the package would not sign. */
  readonly aud: string
  /** Whose key signs. Default the credential's own. */
  readonly signedBy?: Credential
  readonly claims?: Readonly<Record<string, unknown>>
  readonly revision?: 'wpt-01' | 'wpt-02'
}

/** Makes both tokens for any audience, with any claims, signed with any key. */
export async function tokensFor(credential: Credential, options: ProofOptions): Promise<Tokens> {
  const { aud, signedBy = credential, claims = {}, revision = 'wpt-01' } = options
  const key = await importJWK(privateKeyOf(signedBy), 'ES256')
  const proof = await new SignJWT({
    aud,
    exp: Math.floor(Date.now() / 1000) + 60,
    jti: randomUUID(),
    wth: hashOf(credential.wit),
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'wpt+jwt' })
    .sign(key)
  return {
    wit: ['Workload-Identity-Token', credential.wit],
    proof: revision === 'wpt-01' ? ['Workload-Proof-Token', proof] : ['Authorization', `WPT ${proof}`],
  }
}

/** The hash of a token as `wth`, `ath` and `oth` have it. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
