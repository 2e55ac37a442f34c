/**
 * Turns the two halves of a JWS ECDSA signature into the DER that OpenSSL reads. Done here because
 * `dsaEncoding: 'ieee-p1363'` costs a third of a verification on recent versions of OpenSSL.
 *
 * @param raw r and s, each exactly half
 */
export function ecdsaToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2
  const r = derInteger(raw.subarray(0, half))
  const s = derInteger(raw.subarray(half))
  const length = r.length + s.length
  const head = length < 0x80 ? [0x30, length] : [0x30, 0x81, length]
  const der = new Uint8Array(head.length + length)
  der.set(head)
  der.set(r, head.length)
  der.set(s, head.length + r.length)
  return der
}

function derInteger(unsigned: Uint8Array): Uint8Array {
  let start = 0
  while (start < unsigned.length - 1 && unsigned[start] === 0) start++
  const digits = unsigned.subarray(start)
  // A first bit that is set would make the number negative.
  const sign = digits[0]! >= 0x80 ? 1 : 0
  const integer = new Uint8Array(2 + sign + digits.length)
  integer[0] = 0x02
  integer[1] = sign + digits.length
  integer.set(digits, 2 + sign)
  return integer
}
