import { readTrustBundle } from 'wimse'
import { importSecret, verifyMac } from '../../packages/core/src/crypto/mac.js'
import { verifySignature } from '../../packages/core/src/crypto/signature.js'
import { ALGORITHMS } from '../../packages/core/src/jws/algorithms.js'
import { JwsRefused, refuseCritical, splitCompactJws } from '../../packages/core/src/jws/compact-jws.js'
import { readSymmetricJwk } from '../../packages/core/src/jws/symmetric-jwk.js'
import { selectTrustKey } from '../../packages/core/src/trust/trust-bundle.js'

export type Jwk = Readonly<Record<string, unknown>>

/**
 * Our verdict, on the road that a token takes: split, no extension, the one key of a set, its one algorithm.
 * A symmetric key alone takes the road of a `cnf` key; as one of a set it is left out.
 */
export function verdictOf(keys: readonly Jwk[], jws: unknown): 'valid' | 'invalid' {
  if (typeof jws !== 'string') return 'invalid'
  try {
    const { header, kid, signingInput, signature } = splitCompactJws(jws)
    refuseCritical(header)
    if (keys.length === 1 && keys[0]!['kty'] === 'oct') {
      const read = readSymmetricJwk(keys[0]!)
      if (typeof read === 'string' || header['alg'] !== read.algorithm.name) return 'invalid'
      const holds = verifyMac(read.algorithm, importSecret(read.secret), signingInput, signature)
      return holds ? 'valid' : 'invalid'
    }
    const bundle = readTrustBundle({ keys })
    const algorithm = ALGORITHMS.get(header['alg'] as string)
    if (algorithm === undefined) return 'invalid'
    const key = selectTrustKey(bundle, kid, algorithm.name)
    return key !== null && verifySignature(algorithm, key.key, signingInput, signature) ? 'valid' : 'invalid'
  } catch (error) {
    // Of a set none of whose keys can be used.
    if (error instanceof JwsRefused || error instanceof TypeError) return 'invalid'
    throw error
  }
}
