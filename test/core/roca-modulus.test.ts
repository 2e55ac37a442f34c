import { generateKeyPairSync } from 'node:crypto'
import { generateTestKeyPair } from 'wimse-testkit'
import { describe, expect, it } from 'vitest'
import { readPublicJwk } from '../../packages/core/src/jws/public-jwk.js'
import { isRocaModulus } from '../../packages/core/src/jws/roca-modulus.js'
import { rocaPrime } from './roca-prime.js'

const bytesOf = (n: bigint): Buffer => Buffer.from(n.toString(16).padStart(512, '0'), 'hex')
const integerOf = (base64url: string): bigint =>
  BigInt(`0x${Buffer.from(base64url, 'base64url').toString('hex')}`)

describe('isRocaModulus() (BCP-05)', () => {
  const roca = Array.from({ length: 4 }, () => rocaPrime() * rocaPrime())

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
    const n = bytesOf(rocaPrime() * rocaPrime()).toString('base64url')
    expect(readPublicJwk({ ...publicJwk }, ['sig'])).toMatchObject({ algorithms: ['RS256'] })
    expect(readPublicJwk({ ...publicJwk, n }, ['sig'])).toMatch(/ROCA/)
  })
})
