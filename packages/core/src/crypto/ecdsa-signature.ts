/**
 * Turns the two halves of a JWS ECDSA signature into the DER that OpenSSL reads. Done here because
 * `dsaEncoding: 'ieee-p1363'` costs a third of a verification on recent versions of OpenSSL.
 *
 * @param raw r and s, each exactly half
 */
export function ecdsaToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2
  const r = significant(raw, 0, half)
  const s = significant(raw, half, raw.length)
  const rSign = signByte(raw, r)
  const sSign = signByte(raw, s)
  const rLength = rSign + half - r
  const sLength = sSign + raw.length - s
  const length = 4 + rLength + sLength
  const long = length < 0x80 ? 0 : 1
  // Of Node's pool, as it was left: memory of its own would cost more than all the rest.
  const der = Buffer.allocUnsafe(2 + long + length)
  let at = 0
  der[at++] = 0x30
  if (long === 1) der[at++] = 0x81
  der[at++] = length
  der[at++] = 0x02
  der[at++] = rLength
  if (rSign === 1) der[at++] = 0
  for (let i = r; i < half; i++) der[at++] = raw[i]!
  der[at++] = 0x02
  der[at++] = sLength
  if (sSign === 1) der[at++] = 0
  for (let i = s; i < raw.length; i++) der[at++] = raw[i]!
  return der
}

/** The first byte of a number that is not zero, or its last. */
function significant(bytes: Uint8Array, from: number, to: number): number {
  let start = from
  while (start < to - 1 && bytes[start] === 0) start++
  return start
}

/** One where a first bit that is set would make the number negative. */
function signByte(bytes: Uint8Array, start: number): 0 | 1 {
  return bytes[start]! >= 0x80 ? 1 : 0
}

/**
 * Turns the DER that OpenSSL writes into the two halves of a JWS ECDSA signature. Done here because
 * `dsaEncoding: 'ieee-p1363'` doubles the cost of signing on recent versions of OpenSSL.
 *
 * @param der as OpenSSL wrote it: nothing of it is checked
 * @param size bytes of each half
 */
export function ecdsaFromDer(der: Uint8Array, size: number): Buffer {
  const raw = Buffer.allocUnsafe(2 * size).fill(0)
  // After the tag and the length of the whole, which takes two bytes from 128 on.
  let at = der[1]! < 0x80 ? 2 : 3
  for (const end of [size, 2 * size]) {
    const length = der[at + 1]!
    const next = at + 2 + length
    const digits = Math.min(length, size)
    for (let i = 0; i < digits; i++) raw[end - digits + i] = der[next - digits + i]!
    at = next
  }
  return raw
}
