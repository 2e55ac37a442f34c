import { randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import {
  type AlgorithmName,
  type Clock,
  type Credential,
  importCredential,
  issueWit,
  parseWorkloadIdentifier,
  readFunction,
  refuseUnknownOptions,
  type TrustDomainOptions,
} from 'wimse'
import { generateTestKeyPair } from './key-pair.js'

/** What a test credential is issued for. */
export interface IssueOptions {
  /** A workload identifier, or a path within the server's trust domain: `/checkout`. */
  readonly subject: string
  /** Algorithm of the workload's key. Default `ES256`. */
  readonly algorithm?: AlgorithmName
  /** Seconds the identity token lives. Default 3600. */
  readonly lifetime?: number
  /** Further claims of the identity token. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** An identity server in a box: one trust domain, one key, no network. */
export interface TestIdentityServer {
  /** Scheme and trust domain. */
  readonly origin: string
  /** Its public keys. */
  readonly jwks: { readonly keys: readonly JWK[] }
  /** For the option `trustDomains`. */
  readonly trustDomains: Readonly<Record<string, TrustDomainOptions>>
  /** Its private key, for tests that sign tokens of their own. */
  readonly issuerKey: JWK
  readonly now: Clock | undefined
  /** Makes a key pair and signs an identity token for it. @throws TypeError naming the option that is wrong */
  issue(options: IssueOptions): Promise<Credential>
}

/** The private keys of test credentials, for {@link faults}; a credential itself does not give its key away. */
const privateKeys = new WeakMap<Credential, JWK>()

/**
 * Makes an identity server for one trust domain. Real keys, real signatures: only the network is missing.
 *
 * @param options `origin` such as `wimse://example.com`; `algorithm` of its key, default `ES256`; `now` in
 *   epoch seconds, default the system clock
 * @throws TypeError naming the option that is wrong or not known
 */
export function createTestIdentityServer(options: {
  readonly origin: string
  readonly algorithm?: AlgorithmName
  readonly now?: Clock
}): TestIdentityServer {
  refuseUnknownOptions('createTestIdentityServer', options, ['origin', 'algorithm', 'now'])
  const { origin, algorithm = 'ES256' } = options
  const now = readFunction('now', options.now, undefined)
  const trustDomain = readTrustDomain(origin)
  const { privateJwk, publicJwk } = generateTestKeyPair(algorithm)
  // Of its own, as of real servers: two that stand for one issuer before and after a rotation must differ.
  const kid = randomBytes(9).toString('base64url')
  const issuerKey = { ...privateJwk, kid }
  const jwks = { keys: [{ ...publicJwk, kid }] }
  return {
    origin: trustDomain,
    jwks,
    trustDomains: { [trustDomain]: { jwks } },
    issuerKey,
    now,
    async issue(issueOptions) {
      refuseUnknownOptions('issue', issueOptions, ['subject', 'algorithm', 'lifetime', 'claims'])
      const { subject, algorithm: keyAlgorithm = 'ES256', lifetime, claims } = issueOptions
      const key = generateTestKeyPair(keyAlgorithm)
      const wit = await issueWit({
        issuerKey,
        subject: subject.startsWith('/') ? trustDomain + subject : subject,
        confirmationKey: key.publicJwk,
        lifetime,
        claims,
        now,
      })
      const credential = await importCredential({ wit, key: key.privateJwk })
      privateKeys.set(credential, key.privateJwk)
      return credential
    },
  }
}

function readTrustDomain(origin: string): string {
  try {
    const { trustDomain, path } = parseWorkloadIdentifier(origin)
    if (path === '') return trustDomain
  } catch {
    // Said below, in the words of the option.
  }
  throw new TypeError('option origin must be scheme and trust domain, such as wimse://example.com')
}

/**
 * The private key of a credential that a test identity server issued, for `staticCredentials` and for
 * tests that sign tokens of their own.
 *
 * @throws TypeError for any other credential
 */
export function privateKeyOf(credential: Credential): JWK {
  const key = privateKeys.get(credential)
  if (key === undefined) throw new TypeError('not a credential of a test identity server')
  return key
}
