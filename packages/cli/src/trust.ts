import {
  createTrustBundleSource,
  isSecureUrl,
  parseWorkloadIdentifier,
  readTrustBundle,
  type TrustKey,
} from 'wimse'
import type { ExplainTrustDomain } from 'wimse/explain'
import { readCertificateFile } from './certificates.js'
import type { Given, OptionSpec } from './command.js'
import { EXIT, Failure, inputFailure, usageFailure } from './failure.js'
import { nameOf, readJson } from './input.js'
import type { Terminal } from './terminal.js'

/** How a trust domain is given on the command line. */
export const TRUST_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  jwks: {
    value: 'FILE|URL',
    about: 'keys of the trust domain: a JWK set, a SPIFFE bundle, or one public JWK',
    isFile: true,
  },
  'trust-domain': { value: 'ORIGIN', about: 'scheme and trust domain accepted, such as wimse://example.com' },
  issuer: { value: 'URI', multiple: true, about: 'value of iss that may speak for the trust domain' },
  'wit-svid': { about: 'hold the WIT to the SPIFFE profile' },
  cacert: {
    value: 'FILE',
    about: 'PEM certificates to trust for URLs in place of those of the system',
    isFile: true,
  },
}

/** A key set as `explain()` and `createAuthenticator()` take it. */
export interface KeySet {
  readonly keys: readonly object[]
}

/** Reads the scheme and trust domain that was given. */
export function readTrustDomain(text: string): string {
  let read: { readonly trustDomain: string; readonly path: string } | null = null
  try {
    read = parseWorkloadIdentifier(text)
  } catch {
    // Told below, in the words of the option.
  }
  if (read !== null && read.path === '') return read.trustDomain
  throw usageFailure(
    '--trust-domain is not scheme and trust domain',
    'For example wimse://example.com, in lower case and without a path or slash at its end.',
  )
}

/** What all tokens of the trust domain have to keep to, its keys among it. */
export function trustDomainOf(given: Given, jwks: KeySet | undefined): ExplainTrustDomain {
  const issuer = given.all('issuer')
  return {
    ...(jwks === undefined ? {} : { jwks }),
    ...(issuer.length === 0 ? {} : { issuer }),
    ...(given.has('wit-svid') ? { profile: 'wit-svid' as const } : {}),
  }
}

/** Reads the keys of a trust domain from where `--jwks` says, telling of those that cannot be used. */
export async function readKeySet(
  where: string,
  given: Given,
  terminal: Terminal,
  warn: (text: string) => void,
): Promise<KeySet> {
  if (isUrl(where)) return fetchKeySet(where, given, terminal, warn)
  if (given.has('cacert')) {
    throw usageFailure(
      '--cacert has no meaning where --jwks is a file',
      'Leave it out, or give --jwks a URL.',
    )
  }
  const read = await readJson(where, 'the key set', terminal)
  if (typeof read['d'] === 'string') {
    throw inputFailure(
      `the key set: ${nameOf(where)} is a private key`,
      '`wimse key --public FILE` prints the half that others may have.',
    )
  }
  const jwks = typeof read['kty'] === 'string' ? { keys: [read] } : read
  try {
    for (const reason of readTrustBundle(jwks).skipped) warn(`the key set: ${reason}: left out`)
  } catch (error) {
    throw inputFailure(
      `the key set: ${nameOf(where)}: ${(error as Error).message}`,
      '`wimse key --public FILE --set` prints a key set.',
    )
  }
  return jwks as unknown as KeySet
}

/** Whether the keys would have to be fetched. */
export function isUrl(where: string): boolean {
  return /^https?:/i.test(where)
}

/** By the same code as in services: https beyond loopback, few redirects within the origin, a limit of size. */
async function fetchKeySet(
  url: string,
  given: Given,
  terminal: Terminal,
  warn: (text: string) => void,
): Promise<KeySet> {
  const ca = await readCertificateFile(given, terminal)
  if (!URL.canParse(url) || !isSecureUrl(new URL(url))) {
    throw usageFailure(
      '--jwks is neither an https URL nor one on this machine',
      'Whoever can change the keys on their way decides who is trusted: use https, or a file.',
    )
  }
  let reason = 'no answer'
  const source = createTrustBundleSource(
    { jwksUri: url, ...(ca === undefined ? {} : { ca }) },
    { onEvent: (event) => void (reason = event.reason ?? reason) },
  )
  try {
    const { keys, skipped } = await source.bundleFor(given.one('trust-domain') ?? '')
    for (const skip of skipped) warn(`the key set: ${skip}: left out`)
    return { keys: keys.map(asJwk) }
  } catch {
    throw new Failure(
      EXIT.unreachable,
      'NETWORK',
      `the key set cannot be had from ${new URL(url).origin}: ${reason}`,
      'See whether the URL answers with a JWK set, without a redirect to elsewhere.',
    )
  } finally {
    await source.close?.()
  }
}

function asJwk({ kid, algorithms, key }: TrustKey): object {
  return {
    ...key.export({ format: 'jwk' }),
    ...(kid === undefined ? {} : { kid }),
    // An Ed25519 key without alg goes by two names.
    ...(algorithms.length === 1 ? { alg: algorithms[0] } : {}),
  }
}
