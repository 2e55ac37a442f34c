import { checkPrimeSync, generateKeyPairSync, randomBytes } from 'node:crypto'
import { generateTestKeyPair } from 'wimse-testkit'
import { describe, expect, it } from 'vitest'
import { readPublicJwk } from '../../packages/core/src/jws/public-jwk.js'
import { isRocaModulus } from '../../packages/core/src/jws/roca-modulus.js'

const bytesOf = (n: bigint): Buffer => Buffer.from(n.toString(16).padStart(512, '0'), 'hex')
const integerOf = (base64url: string): bigint =>
  BigInt(`0x${Buffer.from(base64url, 'base64url').toString('hex')}`)
const randomBelow = (bound: bigint): bigint => BigInt(`0x${randomBytes(160).toString('hex')}`) % bound

/** The product of the primes from 2 to this one. */
const primorial = (last: number): bigint => {
  const primes: number[] = []
  for (let n = 2; n <= last; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes.reduce((product, prime) => product * BigInt(prime), 1n)
}

/** A prime of 1024 bits as the faulty library made them, the highest two bits set. */
const rocaPrime = (last: number): bigint => {
  const m = primorial(last)
  const least = 3n << 1022n
  for (;;) {
    const power = Array.from({ length: 1 + (randomBytes(2)[0]! % 250) }).reduce<bigint>(
      (product) => (product * 65_537n) % m,
      1n,
    )
    const candidate = (least / m + 1n + randomBelow(((1n << 1024n) - least) / m - 1n)) * m + power
    if (checkPrimeSync(candidate)) return candidate
  }
}

describe('isRocaModulus() (BCP-05)', () => {
  const roca = Array.from({ length: 4 }, () => rocaPrime(701) * rocaPrime(701))

  it('knows the products of primes that were made from powers of 65537', () => {
    for (const n of roca) expect(isRocaModulus(bytesOf(n))).toBe(true)
  })

  it('does not take 276 other products for such, of twelve fresh keys and across them', () => {
    const primes = Array.from({ length: 12 }, () =>
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    ).flatMap(({ p, q }) => [integerOf(p!), integerOf(q!)])
    const products = primes.flatMap((p, index) => primes.slice(index + 1).map((q) => p * q))
    expect(products).toHaveLength(276)
    expect(products.filter((n) => isRocaModulus(bytesOf(n)))).toEqual([])
  })

  it('asks it of the last primes too', () => {
    // 65537 has 23 powers modulo 691, and leaves nothing out modulo 701.
    let n: bigint
    do n = rocaPrime(683) * rocaPrime(683)
    while (isPowerModulo691(n))
    expect(isRocaModulus(bytesOf(n))).toBe(false)
  })
})

function isPowerModulo691(n: bigint): boolean {
  return n % 691n !== 0n && n ** 23n % 691n === 1n
}

describe('readPublicJwk(), of such a key (BCP-05)', () => {
  const { publicJwk } = generateTestKeyPair('RS256')

  it('refuses it, and not the one it is put in for', () => {
    const n = bytesOf(rocaPrime(701) * rocaPrime(701)).toString('base64url')
    expect(readPublicJwk({ ...publicJwk }, ['sig'])).toMatchObject({ algorithms: ['RS256'] })
    expect(readPublicJwk({ ...publicJwk, n }, ['sig'])).toMatch(/ROCA/)
  })
})
