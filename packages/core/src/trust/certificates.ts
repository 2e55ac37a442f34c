import { X509Certificate } from 'node:crypto'
import { readStrings } from '../options.js'

const PEM = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g

/**
 * Reads certificates to trust: PEM, each text with one or more. None at all is no option: it would silently
 * mean that no server is ever trusted, or every one that the system trusts.
 *
 * @returns undefined when the option was not given
 * @throws TypeError naming the option
 */
export function readCertificates(name: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined
  const texts = readStrings(name, [value].flat())
  if (texts.length > 0 && texts.every(isPem)) return texts
  throw new TypeError(`option ${name} must be PEM certificates`)
}

function isPem(text: string): boolean {
  const certificates = text.match(PEM) ?? []
  return certificates.length > 0 && certificates.every(parses)
}

function parses(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).raw.length > 0
  } catch {
    return false
  }
}
