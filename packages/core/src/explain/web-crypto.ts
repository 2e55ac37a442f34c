import { ALGORITHMS, type SignatureAlgorithm } from '../jws/algorithms.js'
import type { ExplainCrypto } from './signature-check.js'

/** What is used of WebCrypto's `SubtleCrypto`. */
export interface SubtleVerifier {
  importKey(
    format: 'jwk',
    jwk: object,
    algorithm: object,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<unknown>
  verify(algorithm: object, key: unknown, signature: Uint8Array, data: Uint8Array): Promise<boolean>
  digest(algorithm: string, data: Uint8Array): Promise<ArrayBuffer>
}

/**
 * Signatures and hashes by WebCrypto, which browsers and Node have. Where an algorithm is missing, as Ed25519
 * is in older browsers, `verify` rejects, so that its checks are `'unknown'`.
 *
 * @param subtle default that of this environment
 * @throws TypeError where there is none: a page has it when it came over https or from loopback
 */
export function webCrypto(
  subtle: SubtleVerifier | undefined = globalThis.crypto?.subtle as unknown as SubtleVerifier | undefined,
): ExplainCrypto {
  if (subtle === undefined) throw new TypeError('there is no WebCrypto here')
  return {
    async verify(name, publicJwk, signingInput, signature) {
      const parameters = parametersOf(ALGORITHMS.get(name)!)
      const key = await subtle.importKey('jwk', { ...publicJwk }, parameters, false, ['verify'])
      return subtle.verify(parameters, key, signature, signingInput)
    },
    sha256: async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes)),
  }
}

/** The same object serves importing and verifying: each takes from it what it needs. */
function parametersOf(algorithm: SignatureAlgorithm): object {
  switch (algorithm.kty) {
    case 'EC':
      return { name: 'ECDSA', namedCurve: algorithm.crv, hash: digestName(algorithm.hash) }
    case 'OKP':
      return { name: 'Ed25519' }
    case 'RSA':
      return algorithm.padding === 'pkcs1'
        ? { name: 'RSASSA-PKCS1-v1_5', hash: digestName(algorithm.hash) }
        : {
            name: 'RSA-PSS',
            hash: digestName(algorithm.hash),
            saltLength: Number(algorithm.hash.slice(3)) / 8,
          }
    default:
      return algorithm satisfies never
  }
}

function digestName(hash: 'sha256' | 'sha384' | 'sha512'): string {
  return hash.replace('sha', 'SHA-')
}
