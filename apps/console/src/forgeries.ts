import { base64url, CompactSign, decodeJwt, exportJWK, generateKeyPair, type JWK } from 'jose'
import { type Credential, importCredential, issueWit } from 'wimse'
import type { Visitor } from './visitor.js'

/** What a thief can do who has seen a proof and not its key: sign the same claims with another key. */
export async function signedWithAnotherKey(proof: string): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256')
  return new CompactSign(base64url.decode(proof.split('.')[1]!))
    .setProtectedHeader({ alg: 'ES256', typ: 'wpt+jwt' })
    .sign(privateKey)
}

/** The visitor's identity token with another name in it, the signature left as it was; the key still fits. */
export async function changedAfterSigning({ credential, key }: Visitor, name: string): Promise<Credential> {
  const [header, , signature] = credential.wit.split('.')
  const claims = JSON.stringify({ ...decodeJwt(credential.wit), sub: name })
  return importCredential({ wit: `${header}.${base64url.encode(claims)}.${signature}`, key })
}

/** A sound identity of a trust domain that nobody here has heard of. */
export async function issuedByAStranger(): Promise<Credential> {
  const [issuer, workload] = [await newKeyPair(), await newKeyPair()]
  const wit = await issueWit({
    issuerKey: issuer.privateJwk,
    subject: 'wimse://stranger.example/checkout',
    confirmationKey: workload.publicJwk,
  })
  return importCredential({ wit, key: workload.privateJwk })
}

async function newKeyPair(): Promise<{ privateJwk: JWK; publicJwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return {
    privateJwk: { ...(await exportJWK(privateKey)), alg: 'ES256' },
    publicJwk: { ...(await exportJWK(publicKey)), alg: 'ES256' },
  }
}
