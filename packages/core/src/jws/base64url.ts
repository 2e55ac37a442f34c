const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const INVALID = 0xff
const VALUES = new Uint8Array(256).fill(INVALID)
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value

/** What Node has to decode and encode with; a browser has nothing that knows base64url everywhere. */
interface Native {
  from(text: string, encoding: 'base64url'): Uint8Array & { toString(encoding: 'base64url'): string }
}
const { Buffer: native } = globalThis as { readonly Buffer?: Native }

/**
 * Decodes base64url, accepting only the one spelling each byte string has: no padding, no spaces, no
 * stray bits in the last character. RFC 4648 lets a decoder be lenient; then one token has many spellings.
 *
 * @returns null when the text is not canonical base64url
 * @see {@link https://www.rfc-editor.org/rfc/rfc4648#section-3.5}
 */
export const decodeBase64url: (text: string) => Uint8Array | null =
  native === undefined ? decodeByHand : (text) => decodeNatively(native, text)

/** Node's decoder forgives whatever it comes across, so what it gives has to be spelled just as it came. */
function decodeNatively(decoder: Native, text: string): Uint8Array | null {
  const bytes = decoder.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) return null
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** As {@link decodeBase64url}, where there is no other decoder. */
export function decodeByHand(text: string): Uint8Array | null {
  const { length } = text
  const remainder = length & 3
  if (remainder === 1) return null
  const whole = length - remainder
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  let at = 0
  // One bit above the six of a value is set once a character is outside the alphabet.
  let seen = 0
  for (let i = 0; i < whole; i += 4) {
    const a = valueAt(text, i)
    const b = valueAt(text, i + 1)
    const c = valueAt(text, i + 2)
    const d = valueAt(text, i + 3)
    seen |= a | b | c | d
    bytes[at++] = (a << 2) | (b >> 4)
    bytes[at++] = (b << 4) | (c >> 2)
    bytes[at++] = (c << 6) | d
  }
  if (remainder > 0) {
    const a = valueAt(text, whole)
    const b = valueAt(text, whole + 1)
    const c = remainder === 3 ? valueAt(text, whole + 2) : 0
    seen |= a | b | c
    bytes[at++] = (a << 2) | (b >> 4)
    if (remainder === 3) bytes[at++] = (b << 4) | (c >> 2)
    if ((remainder === 2 ? b & 0x0f : c & 0x03) !== 0) return null
  }
  return seen > 0x3f ? null : bytes
}

function valueAt(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return code > 0x7f ? INVALID : VALUES[code]!
}

/** Encodes bytes as base64url without padding. */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i]!
    const b = bytes[i + 1]
    const c = bytes[i + 2]
    text += ALPHABET[a >> 2]! + ALPHABET[((a & 0x03) << 4) | ((b ?? 0) >> 4)]!
    if (b !== undefined) text += ALPHABET[((b & 0x0f) << 2) | ((c ?? 0) >> 6)]!
    if (c !== undefined) text += ALPHABET[c & 0x3f]!
  }
  return text
}
