import { hash } from 'node:crypto'

/** How many 32-bit words {@link readFingerprintWords} writes. */
export const FINGERPRINT_WORDS = 4

/** What SHA-256 in base64url is long. */
const FINGERPRINT_LENGTH = 43
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Value by character code; 64 for a character that base64url does not have. */
const SEXTETS = new Uint8Array(128).fill(64)
for (let value = 0; value < 64; value++) SEXTETS[ALPHABET.charCodeAt(value)] = value

/**
 * Folds a fingerprint into four words that keep 120 of its bits. Two proofs that agree in all of them would
 * be taken for one, and the second refused; nobody can look for such a pair among more than 2⁶⁰ proofs of
 * their own.
 *
 * A text that is not SHA-256 in base64url is hashed first.
 */
export function readFingerprintWords(fingerprint: string, words: Uint32Array): void {
  if (fingerprint.length !== FINGERPRINT_LENGTH || !fold(fingerprint, words)) {
    fold(hash('sha256', fingerprint, 'base64url'), words)
  }
}

/** @returns false when a character is not of base64url */
function fold(fingerprint: string, words: Uint32Array): boolean {
  let odd = 0
  const thirtyBits = (from: number): number => {
    let bits = 0
    for (let at = from; at < from + 5; at++) {
      const code = fingerprint.charCodeAt(at)
      const sextet = SEXTETS[code & 127]! | (code & 0xff80)
      odd |= sextet
      bits = (bits << 6) | sextet
    }
    return bits
  }
  for (let word = 0; word < FINGERPRINT_WORDS; word++) {
    words[word] = thirtyBits(word * 5) ^ Math.imul(thirtyBits(20 + word * 5), 0x9e3779b1)
  }
  // The three characters that are left over, with two that were read already.
  words[0]! ^= Math.imul(thirtyBits(38), 0x85ebca6b)
  return odd < 64
}
