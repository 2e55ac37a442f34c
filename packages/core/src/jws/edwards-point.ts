const P = 2n ** 255n - 19n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/**
 * Tells whether 32 bytes are the canonical encoding of a point on edwards25519 that generates more than
 * the eight points of small order. With a key of small order one signature fits many messages, and
 * neither importing such a key nor verifying with it complains.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3}
 */
export function isEdwardsPublicKey(encoded: Uint8Array): boolean {
  const bytes = encoded.toReversed()
  bytes[0] = bytes[0]! & 0x7f
  const y = toInteger(bytes)
  if (y >= P || SMALL_ORDER_Y.has(y)) return false
  const u = y * y - 1n
  const v = D * y * y + 1n
  // x² = u/v has a root exactly when u·v is a square, since v² is one (Euler's criterion).
  return power((u * v) % P, (P - 1n) / 2n) === 1n
}

/** Reads bytes as a number, the most significant first. */
export function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`)
}

/** y of the points whose order divides eight. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  P - 2707385501144840649318225287225658788936804267575313519463743609750303402022n,
])

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = base
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}
