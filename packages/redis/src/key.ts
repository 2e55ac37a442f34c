import { hash } from 'node:crypto'

const LONGEST_PREFIX = 128

/** Checks the option `keyPrefix`. @throws TypeError */
export function readKeyPrefix(keyPrefix: unknown, fallback: string): string {
  if (keyPrefix === undefined) return fallback
  // Between braces stands what a cluster looks at alone: all keys would be on one server.
  if (typeof keyPrefix === 'string' && keyPrefix.length <= LONGEST_PREFIX && !/[{}]/.test(keyPrefix)) {
    return keyPrefix
  }
  throw new TypeError(`option keyPrefix must be text without braces, at most ${LONGEST_PREFIX} characters`)
}

/** A fingerprint as it is; any other text in as many characters. */
export function fixedLength(text: string): string {
  return text.length === 43 ? text : hash('sha256', text, 'base64url')
}
