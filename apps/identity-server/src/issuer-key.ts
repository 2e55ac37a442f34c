import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'

/** The key pair that an identity server signs with, as JWKs with `alg` and `kid`. */
export interface IssuerKey {
  readonly privateJwk: JWK
  readonly publicJwk: JWK
}

/** Makes a key pair that lives as long as the process: after a restart all its tokens are void. */
export async function generateIssuerKey(): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const name = { alg: 'ES256', kid: await calculateJwkThumbprint(publicJwk) }
  return {
    privateJwk: { ...(await exportJWK(privateKey)), ...name },
    publicJwk: { ...publicJwk, ...name, use: 'sig' },
  }
}
