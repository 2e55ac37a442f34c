import { readCertificates } from 'wimse'
import type { Given } from './command.js'
import { inputFailure } from './failure.js'
import { nameOf, readText } from './input.js'
import type { Terminal } from './terminal.js'

/**
 * Reads the file of `--cacert`. To Node an empty text is no text, and one without a certificate means that nobody
 * is trusted.
 *
 * @returns undefined when the option was not given
 */
export async function readCertificateFile(
  given: Given,
  terminal: Terminal,
): Promise<readonly string[] | undefined> {
  const path = given.one('cacert')
  if (path === undefined) return undefined
  const text = await readText(path, '--cacert', terminal)
  try {
    return readCertificates('cacert', text)
  } catch {
    throw inputFailure(
      `--cacert: ${nameOf(path)} has no certificate in PEM, or a broken one`,
      'Give a file with one or more blocks of -----BEGIN CERTIFICATE-----.',
    )
  }
}
