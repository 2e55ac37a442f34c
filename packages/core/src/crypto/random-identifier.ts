import { randomFillSync } from 'node:crypto'

const BYTES = 16
const pool = Buffer.alloc(BYTES * 256)
let used = pool.length

/**
 * Makes an identifier of 128 random bits, base64url. Each bit is used once: they are drawn in stock, because
 * asking for sixteen bytes costs a tenth of a signature.
 */
export function randomIdentifier(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const identifier = pool.toString('base64url', used, used + BYTES)
  pool.fill(0, used, used + BYTES)
  used += BYTES
  return identifier
}
