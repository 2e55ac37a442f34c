import { checkPrimeSync, randomBytes, randomInt } from 'node:crypto'

/** A prime of 1024 bits as the faulty library made them, of the primes up to `last`; its highest two bits are set. */
export function rocaPrime(last = 701): bigint {
  const m = primorial(last)
  const least = 3n << 1022n
  const [first, choices] = [least / m + 1n, (1n << 1022n) / m - 1n]
  for (;;) {
    const power = powerOf65537(randomInt(1, 250), m)
    const candidate = (first + randomBelow(choices)) * m + power
    if (checkPrimeSync(candidate)) return candidate
  }
}

function primorial(last: number): bigint {
  const primes: number[] = []
  for (let n = 2; n <= last; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes.reduce((product, prime) => product * BigInt(prime), 1n)
}

function powerOf65537(exponent: number, modulus: bigint): bigint {
  let power = 1n
  for (let i = 0; i < exponent; i++) power = (power * 65_537n) % modulus
  return power
}

function randomBelow(bound: bigint): bigint {
  return BigInt(`0x${randomBytes(160).toString('hex')}`) % bound
}
