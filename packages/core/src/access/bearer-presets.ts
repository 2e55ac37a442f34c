import { isTrustDomain, parseWorkloadIdentifier } from '../identity/workload-identifier.js'
import type { AlgorithmName } from '../jws/algorithms.js'
import type { JwtBearerOptions } from './bearer-options.js'

/** What a preset leaves to say: who issues the tokens, for whom, with which keys. */
export type BearerPresetOptions<Without extends keyof JwtBearerOptions> = Omit<JwtBearerOptions, Without>

/**
 * Access tokens in the JWT profile of OAuth 2.0: `typ` is `at+jwt`, asymmetric, with `exp` and `aud`.
 *
 * @param options `identify` names the workload, from `client_id` for instance
 * @see {@link https://www.rfc-editor.org/rfc/rfc9068#section-4}
 */
export function accessTokens(options: BearerPresetOptions<'typ' | 'use'>): JwtBearerOptions {
  return { ...options, typ: 'at+jwt' }
}

/**
 * Service-account tokens of a Kubernetes cluster, bound to an audience. A service account is named
 * `<trustDomain>/ns/<namespace>/sa/<name>`, as SPIRE names it, unless `identify` says otherwise.
 *
 * @param options `trustDomain` such as `wimse://cluster.example.com`; `jwks`, `jwksFile` or `jwksUri` with
 *   the keys of the API server, whose `/openid/v1/jwks` it is
 * @throws TypeError when `trustDomain` is not one
 * @see {@link https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/}
 */
export function kubernetesServiceAccounts(
  options: BearerPresetOptions<'typ' | 'use' | 'identify'> & {
    readonly trustDomain: string
    readonly identify?: JwtBearerOptions['identify']
  },
): JwtBearerOptions {
  const { trustDomain, identify, ...rest } = options
  if (!isTrustDomain(trustDomain)) {
    throw new TypeError(
      'kubernetesServiceAccounts: trustDomain must be one, such as wimse://cluster.example.com',
    )
  }
  return {
    ...rest,
    trustDomains: rest.trustDomains ?? [trustDomain],
    identify:
      identify ??
      (({ sub }) => {
        const account = /^system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)$/.exec(
          typeof sub === 'string' ? sub : '',
        )
        return account === null ? null : `${trustDomain}/ns/${account[1]}/sa/${account[2]}`
      }),
  }
}

const SVID_ALGORITHMS: readonly AlgorithmName[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
]

/**
 * JWT-SVIDs of SPIFFE trust domains: `sub` is the SPIFFE ID, and names the caller; `iss` plays no part. Of a
 * SPIFFE bundle the keys with `use: "jwt-svid"` count.
 *
 * @param options `trustDomains` they may come from, `spiffe://example.org`; one entry for each domain that
 *   has keys of its own
 * @throws TypeError when a trust domain is not a SPIFFE one
 * @see {@link https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md}
 */
export function jwtSvids(
  options: BearerPresetOptions<'typ' | 'use' | 'identify' | 'issuer' | 'trustDomains'> & {
    readonly trustDomains: readonly string[]
  },
): JwtBearerOptions {
  if (!options.trustDomains.every((domain) => isTrustDomain(domain) && domain.startsWith('spiffe://'))) {
    throw new TypeError('jwtSvids: trustDomains must be SPIFFE trust domains, such as spiffe://example.org')
  }
  return {
    ...options,
    algorithms: options.algorithms ?? SVID_ALGORITHMS,
    issuer: null,
    use: 'jwt-svid',
    identify: ({ sub }) => (typeof sub === 'string' ? parseWorkloadIdentifier(sub).id : null),
  }
}
