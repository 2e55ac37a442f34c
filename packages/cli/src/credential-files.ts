import { type Credential, importCredential, isSecureUrl } from 'wimse'
import { boundTokenPaths } from './bound-tokens.js'
import type { Given, OptionSpec } from './command.js'
import { EXIT, Failure, usageFailure } from './failure.js'
import { readToken, refuseSharedStdin } from './input.js'
import { readPrivateKey } from './key-files.js'
import { required } from './option-values.js'
import type { Terminal } from './terminal.js'
import { cureOf } from './cures.js'

/** Who signs. */
export const CREDENTIAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  wit: { value: 'FILE', about: 'the identity token', isFile: true },
  key: { value: 'FILE', about: 'the private key it names, as JWK or PEM', isFile: true },
}

/** Reads WIT and key, and establishes that they belong together. @throws SigningError when they do not */
export async function readCredential(
  given: Given,
  terminal: Terminal,
  warn: (text: string) => void,
): Promise<Credential> {
  const witFile = required(
    'wit',
    given.one('wit'),
    'A file with the identity token, or - for standard input.',
  )
  const keyFile = required(
    'key',
    given.one('key'),
    'The file with the private key that the WIT was issued for.',
  )
  refuseSharedStdin([witFile, keyFile, ...boundTokenPaths(given)])
  const wit = await readToken(witFile, 'the WIT', terminal)
  return importCredential({ wit, key: await readPrivateKey(keyFile, 'the key', terminal, warn) })
}

/** Reads a URL to send an identity to. @throws Failure when others on the way could read it */
export function readTarget(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw usageFailure(
      'the URL is not an absolute http or https URL without user information',
      'For example https://inventory.example.com/stock/42.',
    )
  }
  if (isSecureUrl(url)) return url
  throw new Failure(
    EXIT.refused,
    'WIMSE_URL_INSECURE',
    'the URL is http and not on this machine; nothing was signed or sent (WIMSE_URL_INSECURE)',
    cureOf('WIMSE_URL_INSECURE'),
  )
}
