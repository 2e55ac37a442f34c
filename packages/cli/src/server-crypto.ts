import {
  constants,
  createHash,
  createPublicKey,
  type JsonWebKey,
  verify,
  type VerifyKeyObjectInput,
} from 'node:crypto'
import type { AlgorithmName, ExplainCrypto } from 'wimse/explain'

/** Signatures and hashes by node:crypto. WebCrypto would warn of Ed25519 on Node 20. */
export const serverCrypto: ExplainCrypto = {
  verify: async (name, publicJwk, signingInput, signature) => {
    const key = createPublicKey({ key: { ...publicJwk } as JsonWebKey, format: 'jwk' })
    return verify(digestOf(name), signingInput, { key, ...schemeOf(name) }, signature)
  },
  sha256: async (bytes) => createHash('sha256').update(bytes).digest(),
}

/** Ed25519 has its digest built in. */
function digestOf(name: AlgorithmName): string | null {
  return name.startsWith('Ed') ? null : `sha${name.slice(2)}`
}

function schemeOf(name: AlgorithmName): Omit<VerifyKeyObjectInput, 'key'> {
  if (name.startsWith('ES')) return { dsaEncoding: 'ieee-p1363' }
  if (!name.startsWith('PS')) return {}
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
