import { describe, expect, it } from 'vitest'
import { ecdsaFromDer, ecdsaToDer } from '../../packages/core/src/crypto/ecdsa-signature.js'
import { fc } from './property.js'

/** A half of a signature that often begins with zeros, or with a bit that would make it negative. */
const half = (size: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.integer({ min: 0, max: size - 1 }),
      fc.constantFrom(0x01, 0x7f, 0x80, 0xff),
      fc.uint8Array({ minLength: size, maxLength: size }),
    )
    .map(([zeros, first, bytes]) => bytes.map((byte, at) => (at < zeros ? 0 : at === zeros ? first : byte)))

describe('a signature in the form of JWS and in that of OpenSSL', () => {
  for (const size of [32, 48, 66]) {
    it(`is the same one, with halves of ${size} bytes`, () => {
      fc.assert(
        fc.property(half(size), half(size), (r, s) => {
          const raw = Uint8Array.from([...r, ...s])
          const der = ecdsaToDer(raw)
          expect(Uint8Array.from(ecdsaFromDer(der, size))).toEqual(raw)
          // By the book: a sequence of two positive integers without needless zeros.
          const [tag, ...rest] = der
          expect(tag).toBe(0x30)
          const content = rest[0]! < 0x80 ? rest.slice(1) : rest.slice(2)
          expect(rest[0]! < 0x80 ? rest[0] : rest[1]).toBe(content.length)
          expect(rest[0]! < 0x80 || (rest[0] === 0x81 && rest[1]! >= 0x80)).toBe(true)
          const first = content.slice(2, 2 + content[1]!)
          const second = content.slice(2 + first.length)
          for (const integer of [first, second.slice(2)]) {
            expect(integer[0]!).toBeLessThan(0x80)
            if (integer[0] === 0) expect(integer[1]!).toBeGreaterThanOrEqual(0x80)
          }
          expect([content[0], second[0], second[1]]).toEqual([0x02, 0x02, second.length - 2])
        }),
      )
    })
  }
})
