import { parseJsonObject } from 'wimse'

const ALGORITHM = /^(?:RS|PS|ES)(?:256|384|512)$/

/**
 * Tells what SPIFFE asks of a WIT-SVID beyond a WIT and this one lacks, so that it is noticed where it comes
 * from and not at each service that is called.
 *
 * This does NOT verify anything of the token, whose shape has been checked before.
 *
 * @returns in words what is wrong, or null
 */
export function whatIsWrongWithSvid(wit: string): string | null {
  const [header, claims] = wit.split('.').slice(0, 2).map(readPart)
  if (header === undefined || claims === undefined) return 'a WIT is not a compact JWS'
  if (typeof header['kid'] !== 'string') return 'a WIT-SVID must have a kid'
  if (!isAlgorithm(header['alg'])) return 'alg of a WIT-SVID must be one of RS, PS or ES'
  if ('aud' in claims) return 'a WIT-SVID must not have an aud'
  const { jwk } = claims['cnf'] as { readonly jwk: { readonly alg?: unknown } }
  return isAlgorithm(jwk.alg) ? null : 'cnf.jwk.alg of a WIT-SVID must be one of RS, PS or ES'
}

function readPart(part: string): Readonly<Record<string, unknown>> {
  return parseJsonObject(Buffer.from(part, 'base64url')) ?? {}
}

function isAlgorithm(name: unknown): boolean {
  return typeof name === 'string' && ALGORITHM.test(name)
}
