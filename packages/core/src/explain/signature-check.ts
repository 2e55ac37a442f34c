import type { AlgorithmName, SignatureAlgorithm } from '../jws/algorithms.js'
import type { JwsParts } from '../jws/compact-jws.js'
import type { PublicJwk } from '../jws/public-jwk.js'
import type { CheckList } from './check-list.js'

/** What a browser and a server do each in their own way. */
export interface ExplainCrypto {
  /**
   * Checks a JWS signature; of an ECDSA one, r and s side by side. Rejects when it cannot tell, for want of
   * the algorithm, say: the check is then `'unknown'`.
   *
   * @param publicJwk type, curve and numbers of the key, and nothing else
   */
  readonly verify: (
    algorithm: AlgorithmName,
    publicJwk: PublicJwk,
    signingInput: Uint8Array,
    signature: Uint8Array,
  ) => Promise<boolean>
  readonly sha256: (bytes: Uint8Array) => Promise<Uint8Array>
}

/** Checks a signature with a key that has been read for this algorithm. */
export async function checkSignature(
  id: 'wit.signature' | 'proof.signature',
  { name, ...algorithm }: SignatureAlgorithm,
  jwk: PublicJwk,
  { signingInput, signature }: JwsParts,
  { verify }: ExplainCrypto,
  list: CheckList,
): Promise<void> {
  const finding = {
    expected: `${name} by the key ${id === 'wit.signature' ? 'of the trust domain' : 'in cnf.jwk'}`,
    received: `${signature.length} bytes`,
  }
  if (algorithm.kty === 'EC' && signature.length !== 2 * algorithm.size) {
    const reason = `the signature is not ${2 * algorithm.size} bytes`
    list.judge(id, false, { ...finding, reason })
    return
  }
  let verified: unknown
  try {
    verified = await verify(name, jwk, latin1(signingInput), signature)
  } catch {
    list.doubt(id, { ...finding, reason: `${name} signatures cannot be checked here` })
    return
  }
  list.judge(id, verified === true, { ...finding, reason: 'the signature does not verify' })
}

/** The bytes of a header field or of a part of a token, which reach us as ISO 8859-1. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}
