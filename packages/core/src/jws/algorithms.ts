/** Name of a JWS signature algorithm this suite knows. All are asymmetric. */
export type AlgorithmName =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'

/** What one algorithm fixes: the key type, the curve or padding, the digest, the length of a signature. */
export type SignatureAlgorithm =
  | {
      readonly name: AlgorithmName
      readonly kty: 'EC'
      readonly crv: 'P-256' | 'P-384' | 'P-521'
      readonly hash: 'sha256' | 'sha384' | 'sha512'
      /** Bytes of one coordinate, and of each half of a signature. */
      readonly size: 32 | 48 | 66
    }
  | { readonly name: AlgorithmName; readonly kty: 'OKP'; readonly crv: 'Ed25519' }
  | {
      readonly name: AlgorithmName
      readonly kty: 'RSA'
      readonly padding: 'pss' | 'pkcs1'
      readonly hash: 'sha256' | 'sha384' | 'sha512'
    }

const TABLE: readonly SignatureAlgorithm[] = [
  { name: 'ES256', kty: 'EC', crv: 'P-256', hash: 'sha256', size: 32 },
  { name: 'ES384', kty: 'EC', crv: 'P-384', hash: 'sha384', size: 48 },
  { name: 'ES512', kty: 'EC', crv: 'P-521', hash: 'sha512', size: 66 },
  // Two names of one algorithm, compared as strings: RFC 9864 deprecates the first in favour of the second.
  { name: 'EdDSA', kty: 'OKP', crv: 'Ed25519' },
  { name: 'Ed25519', kty: 'OKP', crv: 'Ed25519' },
  { name: 'PS256', kty: 'RSA', padding: 'pss', hash: 'sha256' },
  { name: 'PS384', kty: 'RSA', padding: 'pss', hash: 'sha384' },
  { name: 'PS512', kty: 'RSA', padding: 'pss', hash: 'sha512' },
  { name: 'RS256', kty: 'RSA', padding: 'pkcs1', hash: 'sha256' },
  { name: 'RS384', kty: 'RSA', padding: 'pkcs1', hash: 'sha384' },
  { name: 'RS512', kty: 'RSA', padding: 'pkcs1', hash: 'sha512' },
]

/** The algorithms by name. A map, so that no name off the wire can reach an inherited member. */
export const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  TABLE.map((algorithm) => [algorithm.name, algorithm]),
)

/** Every algorithm's name, for options that default to all. */
export const ALGORITHM_NAMES: readonly AlgorithmName[] = TABLE.map(({ name }) => name)

/**
 * The names a key may go by when it does not say: one algorithm a key. For Ed25519 both of its names,
 * for RSA `RS256`, which is what key sets without `alg` have always meant.
 */
export function namesWithoutAlg(kty: unknown, crv: unknown): readonly AlgorithmName[] {
  if (kty === 'RSA') return ['RS256']
  return TABLE.filter(
    (algorithm) => algorithm.kty === kty && 'crv' in algorithm && algorithm.crv === crv,
  ).map(({ name }) => name)
}
