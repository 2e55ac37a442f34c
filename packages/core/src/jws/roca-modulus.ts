/**
 * Tells whether an RSA modulus has the form whose factors can be computed (ROCA). A widespread library made
 * primes as k·M + (65537^a mod M), for M the product of the first primes: up to 701 for keys of 2048 bits,
 * further for the longest. Of such a modulus each of these primes leaves a power of 65537. Of another one
 * all of them do once in 2^167.
 *
 * @see {@link https://crocs.fi.muni.cz/public/papers/rsa_ccs17}
 */
export function isRocaModulus(modulus: Uint8Array): boolean {
  return PRIMES.every((prime) => {
    const remainder = modulus.reduce((rest, byte) => (rest * 256 + byte) % prime, 0)
    return isPowerOf65537(remainder, prime)
  })
}

const PRIMES = oddPrimes(701)

function oddPrimes(last: number): readonly number[] {
  const primes: number[] = []
  for (let n = 3; n <= last; n += 2) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes
}

function isPowerOf65537(remainder: number, prime: number): boolean {
  let power = 1
  do {
    if (power === remainder) return true
    power = (power * 65_537) % prime
  } while (power !== 1)
  return false
}
