import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { rocaPrime } from '../core/roca-prime.js'
import { wycheproofKeySets } from '../machine.js'
import { readVectors } from './shared.js'
import { type Jwk, verdictOf } from './verdict.js'

interface Vectors {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}

interface Group {
  readonly comment: string
  readonly public?: { readonly keys: readonly Jwk[] }
  readonly private: { readonly keys: readonly Jwk[] }
  readonly tests: readonly {
    readonly tcId: number
    readonly comment: string
    readonly jws: string
    readonly result: 'valid' | 'invalid'
  }[]
}

/** Where our verdict is another than that of the vectors, and why. */
const DEVIATIONS: Readonly<Record<number, string>> = {
  2: 'a set is of public keys: symmetric ones among others are left out',
}

if (wycheproofKeySets !== null) {
  const { numberOfTests, testGroups } = readVectors<Vectors>(wycheproofKeySets, {
    numberOfTests: 0,
    testGroups: [],
  })

  describe('wycheproof/json_web_key_test.json (BCP-05)', () => {
    it('has the vectors we know, and every one whose verdict is another here', () => {
      const ids = testGroups.flatMap(({ tests }) => tests.map(({ tcId }) => tcId))
      expect({ numberOfTests, ids: ids.length }).toEqual({ numberOfTests: 26, ids: 26 })
      expect(ids).toEqual(expect.arrayContaining(Object.keys(DEVIATIONS).map(Number)))
    })

    for (const { comment: about, public: published, private: secret, tests } of testGroups) {
      for (const { tcId, comment, jws, result } of tests) {
        const reason = DEVIATIONS[tcId]
        const title = `${tcId}, ${about}, ${comment}: ${result}`
        const verdict = (): string => verdictOf((published ?? secret).keys, jws)
        if (reason === undefined) it(title, () => expect(verdict()).toBe(result))
        else it(`${title}; not here, since ${reason}`, () => expect(verdict()).not.toBe(result))
      }
    }
  })
}

const encode = (value: Buffer | object | string): string =>
  (Buffer.isBuffer(value) || typeof value === 'string'
    ? Buffer.from(value)
    : Buffer.from(JSON.stringify(value))
  ).toString('base64url')
const bytesOf = (n: bigint): Buffer => {
  const hex = n.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
}
const integerOf = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

const inputFor = (alg: string, kid: string): string => `${encode({ alg, kid })}.${encode('foo')}`

/** A token with a signature that is right, by SHA-256 and whatever the key is for. */
const signed = (alg: string, kid: string, key: KeyObject): string => {
  const input = inputFor(alg, kid)
  return `${input}.${encode(sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }))}`
}
const maced = (alg: string, kid: string, secret: Buffer): string => {
  const input = inputFor(alg, kid)
  return `${input}.${encode(
    createHmac(`sha${alg.slice(2)}`, secret)
      .update(input)
      .digest(),
  )}`
}

interface Pair {
  readonly jwk: Jwk
  readonly privateJwk: Jwk
  readonly key: KeyObject
}

const pairOf = (privateKey: KeyObject, publicKey: KeyObject, members: Jwk): Pair => ({
  jwk: { ...publicKey.export({ format: 'jwk' }), ...members },
  privateJwk: { ...privateKey.export({ format: 'jwk' }), ...members },
  key: privateKey,
})
const ecPair = (kid: string): Pair => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return pairOf(privateKey, publicKey, { alg: 'ES256', use: 'sig', kid })
}
const rsaPair = (modulusLength: number): Pair => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return pairOf(privateKey, publicKey, { alg: 'RS256', use: 'sig', kid: 'rsa' })
}
const oct = (alg: string, secret: Buffer, kid = 'mac'): Jwk => ({
  kty: 'oct',
  use: 'sig',
  alg,
  k: encode(secret),
  kid,
})

const ec = ecPair('ec')
const other = ecPair('other')
const rsa = rsaPair(2048)
const [secret, otherSecret] = [randomBytes(32), randomBytes(32)]
const byEc = signed('ES256', 'ec', ec.key)
const byRsa = signed('RS256', 'rsa', rsa.key)
const byMac = maced('HS256', 'mac', secret)

const flipped = (base64url: unknown): string => {
  const bytes = Buffer.from(base64url as string, 'base64url')
  bytes[31]! ^= 1
  return encode(bytes)
}

describe('key sets such as those of Wycheproof, of our own keys (BCP-05)', () => {
  const good: readonly (readonly [what: string, keys: readonly Jwk[], jws: string])[] = [
    ['one key on a curve', [ec.jwk], byEc],
    ['one of two', [other.jwk, ec.jwk], byEc],
    ['one RSA key', [rsa.jwk], byRsa],
    ['a symmetric key alone', [oct('HS256', secret)], byMac],
    ...['HS256', 'HS384', 'HS512'].map((alg): [string, readonly Jwk[], string] => {
      const long = randomBytes(65)
      return [`a key that is longer than ${alg} needs`, [oct(alg, long)], maced(alg, 'mac', long)]
    }),
    ['a mixed set, by its public key: the symmetric one is left out', [oct('HS256', secret), ec.jwk], byEc],
  ]
  it.for(good)('%s: valid', ([, keys, jws]) => expect(verdictOf(keys, jws)).toBe('valid'))

  it.for(good)('%s, the signature another: invalid', ([, keys, jws]) => {
    const [input, end] = [jws.slice(0, jws.lastIndexOf('.') + 1), jws.slice(jws.lastIndexOf('.') + 1)]
    expect(verdictOf(keys, input + (end.startsWith('A') ? 'B' : 'A') + end.slice(1))).toBe('invalid')
  })

  // Each has a token that the same key, in a set without the fault, makes valid: see above.
  const faulty: readonly (readonly [what: string, keys: readonly Jwk[], jws: string])[] = [
    ['a mixed set, by its symmetric key', [oct('HS256', secret), ec.jwk], byMac],
    ['two symmetric keys', [oct('HS256', secret), oct('HS256', otherSecret, 'mac-2')], byMac],
    ['two symmetric keys of one id', [oct('HS256', secret), oct('HS256', otherSecret)], byMac],
    ['two keys of one id', [ec.jwk, { ...other.jwk, kid: 'ec' }], byEc],
    ['one key twice', [ec.jwk, ec.jwk], byEc],
    ['a key for encryption', [{ ...ec.jwk, use: 'enc' }], byEc],
    ['an RSA key for encryption', [{ ...rsa.jwk, use: 'enc', alg: 'RSA1_5' }], byRsa],
    ['an RSA key whose algorithm encrypts', [{ ...rsa.jwk, alg: 'RSA1_5' }], byRsa],
    ['a key that may sign and not verify', [{ ...ec.jwk, key_ops: ['sign'] }], byEc],
    ['an algorithm that is none, ES521', [{ ...ec.jwk, alg: 'ES521' }], byEc],
    ['an algorithm that is none, ES224', [{ ...ec.jwk, alg: 'ES224' }], byEc],
    ['another curve than that of alg', [{ ...ec.jwk, crv: 'P-384' }], byEc],
    ['the alg of another curve', [{ ...ec.jwk, alg: 'ES384' }], byEc],
    ['a point off its curve', [{ ...ec.jwk, y: flipped(ec.jwk['y']) }], byEc],
    ['a key on a curve that says RSA', [{ ...ec.jwk, kty: 'RSA' }], byEc],
    ['a type nobody knows', [{ ...ec.jwk, kty: 'AKP' }], byEc],
    ['no type', [{ ...ec.jwk, kty: undefined }], byEc],
    ['a key with its private half', [ec.privateJwk], byEc],
    ['an RSA key with its private half', [rsa.privateJwk], byRsa],
    ['a symmetric key for AES-GCM', [oct('A256GCM', secret)], byMac],
    ['a symmetric key that wraps others', [oct('A256KW', secret)], byMac],
    ['a symmetric key for encryption', [{ ...oct('HS256', secret), use: 'enc' }], byMac],
  ]
  it.for(faulty)('%s: invalid', ([, keys, jws]) => expect(verdictOf(keys, jws)).toBe('invalid'))

  it.for([
    ['HS256', 31],
    ['HS384', 47],
    ['HS512', 63],
    ['HS256', 0],
    ['HS384', 0],
    ['HS512', 0],
  ] as const)('a key for %s of %i bytes: invalid', ([alg, bytes]) => {
    const short = randomBytes(bytes)
    expect(verdictOf([oct(alg, short)], maced(alg, 'mac', short))).toBe('invalid')
  })

  it('an RSA key of 1024 bits: invalid', () => {
    const { jwk, key } = rsaPair(1024)
    expect(verdictOf([jwk], signed('RS256', 'rsa', key))).toBe('invalid')
  })

  it('an RSA key with the exponent 1, whose signatures are padding: invalid', () => {
    const input = inputFor('RS256', 'rsa')
    const n = integerOf(Buffer.from(rsa.jwk['n'] as string, 'base64url'))
    const signature = integerOf(Buffer.from(byRsa.slice(byRsa.lastIndexOf('.') + 1), 'base64url'))
    let padded = signature
    for (let i = 0; i < 16; i++) padded = (padded * padded) % n
    padded = (padded * signature) % n
    expect(bytesOf(padded).subarray(0, 2).toString('hex')).toBe('01ff')
    const full = Buffer.concat([Buffer.alloc(256 - bytesOf(padded).length), bytesOf(padded)])
    expect(verdictOf([{ ...rsa.jwk, e: 'AQ' }], `${input}.${encode(full)}`)).toBe('invalid')
  })

  it('an RSA key whose factors can be computed (ROCA): invalid', () => {
    const { jwk, key } = rocaPair()
    expect(verdictOf([jwk], signed('RS256', 'rsa', key))).toBe('invalid')
  })
})

function rocaPair(): Pair {
  const e = 65_537n
  const [p, q] = [rocaPrime(), rocaPrime()]
  const d = inverse(e, (p - 1n) * (q - 1n))
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const members = Object.fromEntries(Object.entries(numbers).map(([name, n]) => [name, encode(bytesOf(n))]))
  const privateJwk = { kty: 'RSA', ...members, alg: 'RS256', use: 'sig', kid: 'rsa' }
  const { n, e: exponent } = members
  return {
    jwk: { kty: 'RSA', n, e: exponent, alg: 'RS256', use: 'sig', kid: 'rsa' },
    privateJwk,
    key: createPrivateKey({ key: privateJwk, format: 'jwk' }),
  }
}

function inverse(a: bigint, modulus: bigint): bigint {
  let [r, next, x, y] = [modulus, a, 0n, 1n]
  while (next > 0n) {
    const quotient = r / next
    ;[r, next, x, y] = [next, r - quotient * next, y, x - quotient * y]
  }
  return x < 0n ? x + modulus : x
}
