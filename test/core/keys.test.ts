import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { importPublicKey } from '../../packages/core/src/crypto/keys.js'
import { makeSignature, verifySignature } from '../../packages/core/src/crypto/signature.js'
import { type AlgorithmName, ALGORITHM_NAMES, ALGORITHMS } from '../../packages/core/src/jws/algorithms.js'
import { decodeBase64url } from '../../packages/core/src/jws/base64url.js'
import { readPublicJwk } from '../../packages/core/src/jws/public-jwk.js'
import { MAC_ALGORITHMS, readSymmetricJwk } from '../../packages/core/src/jws/symmetric-jwk.js'
import { readConfirmationKey } from '../../packages/core/src/trust/confirmation.js'
import { isTrustBundle, readTrustBundle, selectTrustKey } from '../../packages/core/src/trust/trust-bundle.js'
import { generateTestKeyPair } from 'wimse-testkit'

const everyAlgorithm = new Set<string>(ALGORITHM_NAMES)
const ec = generateTestKeyPair('ES256').publicJwk as Record<string, string>
const ed = generateTestKeyPair('Ed25519').publicJwk as Record<string, string>
const rsa = generateTestKeyPair('PS256').publicJwk as Record<string, string>

const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')

/** An odd number of so many bytes, of which this is the first. */
const modulus = (bytes: number, first: number): string =>
  Buffer.from([first, ...Array.from({ length: bytes - 1 }, () => 0x55)]).toString('base64url')

describe('verifySignature() (BCP-02, BCP-04)', () => {
  for (const name of ALGORITHM_NAMES) {
    it(`${name}: verifies its own signatures and no others`, () => {
      const algorithm = ALGORITHMS.get(name)!
      const { privateJwk, publicJwk } = generateTestKeyPair(name)
      const publicKey = createPublicKey({ key: publicJwk as never, format: 'jwk' })
      const privateKey = createPrivateKey({ key: privateJwk as never, format: 'jwk' })
      for (let round = 0; round < 20; round++) {
        const signature = decodeBase64url(makeSignature(algorithm, privateKey, `round ${round}`))!
        expect(verifySignature(algorithm, publicKey, `round ${round}`, signature)).toBe(true)
        expect(verifySignature(algorithm, publicKey, `round ${round + 1}`, signature)).toBe(false)
        for (const length of [0, signature.length - 1]) {
          expect(verifySignature(algorithm, publicKey, `round ${round}`, signature.subarray(0, length))).toBe(
            false,
          )
        }
        const longer = Uint8Array.from([...signature, 0])
        expect(verifySignature(algorithm, publicKey, `round ${round}`, longer)).toBe(false)
      }
    })
  }

  it('reads ECDSA halves that start with zeros or with a set bit', () => {
    const algorithm = ALGORITHMS.get('ES256')!
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const seen = new Set<string>()
    for (let round = 0; round < 3000 && seen.size < 3; round++) {
      const signature = sign('sha256', Buffer.from(String(round)), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      })
      const first = signature[0]!
      seen.add(first === 0 ? 'zero' : first >= 0x80 ? 'set' : 'clear')
      expect(verifySignature(algorithm, publicKey, String(round), signature)).toBe(true)
    }
    expect(seen.size).toBe(3)
  })

  it('refuses ECDSA halves of zero', () => {
    const algorithm = ALGORITHMS.get('ES256')!
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(verifySignature(algorithm, publicKey, 'a', new Uint8Array(64))).toBe(false)
  })

  it('refuses ECDSA halves that are longer by a zero, which would be another spelling of one signature', () => {
    const algorithm = ALGORITHMS.get('ES256')!
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const signature = sign('sha256', Buffer.from('a'), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    const longer = Uint8Array.from([0, ...signature.subarray(0, 32), 0, ...signature.subarray(32)])
    expect(verifySignature(algorithm, publicKey, 'a', signature)).toBe(true)
    expect(verifySignature(algorithm, publicKey, 'a', longer)).toBe(false)
  })

  it('refuses ECDSA signatures in DER', () => {
    const algorithm = ALGORITHMS.get('ES256')!
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(verifySignature(algorithm, publicKey, 'a', sign('sha256', Buffer.from('a'), privateKey))).toBe(
      false,
    )
  })

  it('refuses PSS signatures whose salt has another length', () => {
    const algorithm = ALGORITHMS.get('PS256')!
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const withSalt = (saltLength: number): Buffer =>
      sign('sha256', Buffer.from('a'), { key: privateKey, padding: 6, saltLength })
    expect(verifySignature(algorithm, publicKey, 'a', withSalt(32))).toBe(true)
    expect(verifySignature(algorithm, publicKey, 'a', withSalt(20))).toBe(false)
  })
})

describe('readPublicJwk() and importPublicKey() (CNF-05, BCP-05, WIT-31)', () => {
  const usable = (jwk: Record<string, unknown>): string => {
    const read = readPublicJwk(jwk, ['sig'])
    if (typeof read === 'string') return read
    return importPublicKey(read.jwk) === null
      ? 'not on its curve'
      : `usable as ${read.algorithms.join(' or ')}`
  }
  const { alg: _ecAlg, ...ecWithoutAlg } = ec
  const { alg: _edAlg, ...edWithoutAlg } = ed
  const { alg: _rsaAlg, ...rsaWithoutAlg } = rsa
  const rows: readonly (readonly [what: string, jwk: Record<string, unknown>, outcome: RegExp])[] = [
    ['an EC key', ec, /usable as ES256$/],
    ['an EC key without alg', ecWithoutAlg, /usable as ES256$/],
    ['an Ed25519 key without alg', edWithoutAlg, /usable as EdDSA or Ed25519$/],
    ['an RSA key without alg', rsaWithoutAlg, /usable as RS256$/],
    ['an RSA key for PSS', rsa, /usable as PS256$/],
    ['an RSA key of 4096 bits', { ...rsa, n: modulus(512, 0xff) }, /usable/],
    ['an RSA key of 4104 bits', { ...rsa, n: modulus(513, 0xff) }, /n must have/],
    ['an RSA key of exactly 2048 bits', { ...rsa, n: modulus(256, 0x80) }, /usable/],
    ['an RSA key of 2047 bits', { ...rsa, n: modulus(256, 0x7f) }, /n must have/],
    ['an RSA key of 2049 bits', { ...rsa, n: modulus(257, 0x01) }, /usable/],
    ['an RSA key with a modulus that is a number', { ...rsa, n: 5 }, /n must have/],
    [
      'an RSA key with a modulus that is no base64url',
      { ...rsa, n: `${modulus(256, 0xff)}=` },
      /n must have/,
    ],
    ['an RSA key with the exponent 3', { ...rsa, e: 'Aw' }, /usable/],
    ['an RSA key with the exponent 1', { ...rsa, e: 'AQ' }, /e be odd/],
    ['an RSA key with no exponent', { ...rsa, e: '' }, /e be odd/],
    ['an RSA key with an exponent of four bytes', { ...rsa, e: 'AQAAAQ' }, /usable/],
    ['an RSA key with an exponent of five bytes', { ...rsa, e: 'AQAAAAE' }, /e be odd/],
    ['an RSA key with an exponent that starts with zero', { ...rsa, e: 'AAEAAQ' }, /e be odd/],
    ['an RSA key with a member it has no use for', { ...rsa, crv: 'P-256' }, /usable as PS256$/],
    ['a key for signatures', { ...ec, use: 'sig', key_ops: ['verify'] }, /usable/],
    ['unknown members', { ...ec, note: 'x', ext: true }, /usable/],
    ['a key with d', { ...ec, d: ec['x'] }, /private member d$/],
    ['an RSA key with d alone', { ...rsa, d: 'AQAB' }, /private member d$/],
    ['an RSA key with p alone', { ...rsa, p: 'AQAB' }, /private member p$/],
    ['an RSA key with q alone', { ...rsa, q: 'AQAB' }, /private member q$/],
    ['an RSA key with dp alone', { ...rsa, dp: 'AQAB' }, /private member dp$/],
    ['an RSA key with dq alone', { ...rsa, dq: 'AQAB' }, /private member dq$/],
    ['an RSA key with qi alone', { ...rsa, qi: 'AQAB' }, /private member qi$/],
    ['an RSA key with oth alone', { ...rsa, oth: [{ r: 'Aw', d: 'Aw', t: 'Aw' }] }, /private member oth$/],
    ['an RSA key with k alone', { ...rsa, k: 'AAAA' }, /private member k$/],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }, /private member k/],
    ['a key for encryption', { ...ec, use: 'enc' }, /use/],
    ['a key with a use that is a list', { ...ec, use: ['sig'] }, /use/],
    ['a key that may not verify', { ...ec, key_ops: ['sign'] }, /key_ops/],
    ['key_ops that are text', { ...ec, key_ops: 'verify' }, /key_ops/],
    ['an algorithm of another curve', { ...ec, alg: 'ES384' }, /alg/],
    ['an algorithm of another type', { ...ec, alg: 'PS256' }, /alg/],
    ['an algorithm for encryption', { ...ec, alg: 'ECDH-ES' }, /alg/],
    ['alg none', { ...ec, alg: 'none' }, /alg/],
    ['another curve', { ...ec, crv: 'secp256k1' }, /kty or crv/],
    ['Ed448', { ...ed, crv: 'Ed448' }, /kty or crv/],
    ['X25519', { ...ed, crv: 'X25519' }, /kty or crv/],
    ['no type', { ...ec, kty: undefined }, /kty or crv/],
    ['a kid that is a number', { ...ec, kid: 7 }, /kid/],
    ['no x', { ...ec, x: undefined }, /x is not 32 bytes/],
    ['a short x', { ...ec, x: 'AAAA' }, /x is not 32 bytes/],
    ['a padded x', { ...ec, x: `${ec['x']!}=` }, /x is not 32 bytes/],
    [
      'x with a zero in front',
      { ...ec, x: base64url(`00${Buffer.from(ec['x']!, 'base64url').toString('hex')}`) },
      /x is not 32/,
    ],
    ['no y', { ...ec, y: undefined }, /y is not 32 bytes/],
    ['a point off the curve', { ...ec, y: ec['x'] }, /not on its curve/],
    [
      'the point at infinity',
      { ...ec, x: base64url('00'.repeat(32)), y: base64url('00'.repeat(32)) },
      /not on its curve/,
    ],
    ['an Ed25519 y that has no x', { ...ed, x: base64url(`02${'00'.repeat(31)}`) }, /not on its curve/],
    ['an Ed25519 y beyond the field', { ...ed, x: base64url(`ee${'ff'.repeat(30)}7f`) }, /not on its curve/],
    [
      'an Ed25519 y of 0, as 2^255 - 19',
      { ...ed, x: base64url(`ed${'ff'.repeat(30)}7f`) },
      /not on its curve/,
    ],
    ['an Ed25519 y of 3', { ...ed, x: base64url(`03${'00'.repeat(31)}`) }, /usable/],
    [
      'an Ed25519 y of 3, as 2^255 - 16',
      { ...ed, x: base64url(`f0${'ff'.repeat(30)}7f`) },
      /not on its curve/,
    ],
    ['an RSA modulus of 2040 bits', { ...rsa, n: base64url('ab'.repeat(255)) }, /n must/],
    ['an RSA modulus of 2047 bits', { ...rsa, n: base64url(`7f${'ab'.repeat(255)}`) }, /n must/],
    ['an RSA modulus of 4104 bits', { ...rsa, n: base64url('ab'.repeat(513)) }, /n must/],
    ['an even RSA modulus', { ...rsa, n: base64url(`${'ab'.repeat(255)}aa`) }, /n must/],
    ['an RSA modulus with a zero in front', { ...rsa, n: base64url(`00${'ab'.repeat(256)}`) }, /n must/],
    ['an RSA exponent of 1', { ...rsa, e: 'AQ' }, /n must/],
    ['an even RSA exponent', { ...rsa, e: 'BA' }, /n must/],
    ['an RSA exponent of 40 bits', { ...rsa, e: 'AQAAAAE' }, /n must/],
    ['no RSA exponent', { ...rsa, e: undefined }, /n must/],
  ]
  for (const [what, jwk, outcome] of rows) {
    it(`${what}: ${outcome.source}`, () => {
      const present = Object.fromEntries(Object.entries(jwk).filter(([, value]) => value !== undefined))
      expect(usable(present)).toMatch(outcome)
    })
  }

  const SMALL_ORDER = [
    `01${'00'.repeat(31)}`,
    '00'.repeat(32),
    `${'00'.repeat(31)}80`,
    `ec${'ff'.repeat(30)}7f`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  ]
  for (const point of SMALL_ORDER) {
    it(`the Ed25519 point of small order ${point.slice(0, 8)}… is not a key`, () => {
      expect(usable({ ...ed, x: base64url(point) })).toBe('not on its curve')
    })
  }

  it('takes every fresh Ed25519 key', () => {
    for (let round = 0; round < 50; round++)
      expect(usable(generateTestKeyPair('EdDSA').publicJwk as never)).toMatch(/usable/)
  })
})

describe('readConfirmationKey() (CNF-02, CNF-03, CNF-18, WIT-17 to WIT-19)', () => {
  const rows: readonly (readonly [what: string, cnf: unknown, outcome: 'usable' | RegExp])[] = [
    ['a jwk', { jwk: ec }, 'usable'],
    ['unknown members beside it (CNF-04)', { jwk: ec, other: 1 }, 'usable'],
    ['a kid beside it', { jwk: ec, kid: 'a' }, 'usable'],
    ['nothing', undefined, /not an object/],
    ['null', null, /not an object/],
    ['a list', [{ jwk: ec }], /not an object/],
    ['an empty object', {}, /jwk is not an object/],
    ['a name in capitals (CNF-11)', { JWK: ec }, /jwk is not an object/],
    ['a jwk that is text', { jwk: JSON.stringify(ec) }, /jwk is not an object/],
    ['jwe beside jwk', { jwk: ec, jwe: 'x' }, /jwe or jku/],
    ['jku beside jwk', { jwk: ec, jku: 'https://a.example' }, /jwe or jku/],
    ['a jwk without alg', { jwk: { ...ec, alg: undefined } }, /alg is missing/],
  ]
  for (const [what, cnf, outcome] of rows) {
    it(`${what}: ${String(outcome)}`, () => {
      const key = readConfirmationKey(cnf, everyAlgorithm)
      if (outcome === 'usable') expect(key).toMatchObject({ algorithm: { name: 'ES256' } })
      else expect(key).toMatch(outcome)
    })
  }

  it('refuses an algorithm that is not accepted', () => {
    expect(readConfirmationKey({ jwk: ec }, new Set(['PS256']))).toMatch(/not one of the accepted/)
  })
})

describe('ALGORITHMS (BCP-01)', () => {
  it('fixes what each is made of', () => {
    const size = { ES256: 32, ES384: 48, ES512: 66 }
    const crv = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
    const ecdsa = (['ES256', 'ES384', 'ES512'] as const).map((name) => ({
      name,
      kty: 'EC',
      crv: crv[name],
      hash: `sha${name.slice(2)}`,
      size: size[name],
    }))
    const edwards = ['EdDSA', 'Ed25519'].map((name) => ({ name, kty: 'OKP', crv: 'Ed25519' }))
    const ofRsa = (padding: string) => (name: string) => ({
      name,
      kty: 'RSA',
      padding,
      hash: `sha${name.slice(2)}`,
    })
    expect([...ALGORITHMS.values()]).toEqual([
      ...ecdsa,
      ...edwards,
      ...['PS256', 'PS384', 'PS512'].map(ofRsa('pss')),
      ...['RS256', 'RS384', 'RS512'].map(ofRsa('pkcs1')),
    ])
    expect([...ALGORITHMS.keys()]).toEqual(ALGORITHM_NAMES)
  })
})

describe('readSymmetricJwk() (CNF-07, BCP-05)', () => {
  const k = Buffer.alloc(64, 7).toString('base64url')
  const bytes = (length: number): string => Buffer.alloc(length, 7).toString('base64url')
  const rows: readonly (readonly [what: string, jwk: Record<string, unknown>, outcome: RegExp])[] = [
    ['a key', { kty: 'oct', k }, /^HS256 64$/],
    [
      'a key with all that it may say',
      { kty: 'oct', k, use: 'sig', key_ops: ['verify'], kid: 'a' },
      /^HS256/,
    ],
    ['a key of 32 bytes', { kty: 'oct', k: bytes(32), alg: 'HS256' }, /^HS256 32$/],
    ['a key of 31 bytes', { kty: 'oct', k: bytes(31), alg: 'HS256' }, /^k is shorter than the 32 bytes/],
    ['a key of 48 bytes', { kty: 'oct', k: bytes(48), alg: 'HS384' }, /^HS384 48$/],
    ['a key of 47 bytes', { kty: 'oct', k: bytes(47), alg: 'HS384' }, /^k is shorter than the 48 bytes/],
    ['a key of 64 bytes', { kty: 'oct', k: bytes(64), alg: 'HS512' }, /^HS512 64$/],
    ['a key of 63 bytes', { kty: 'oct', k: bytes(63), alg: 'HS512' }, /^k is shorter than the 64 bytes/],
    ['another type', { kty: 'EC', k }, /^kty is not oct$/],
    ['no type', { k }, /^kty is not oct$/],
    ['another use', { kty: 'oct', k, use: 'enc' }, /^use is not for signatures$/],
    ['an operation that is none of verifying', { kty: 'oct', k, key_ops: ['sign'] }, /^key_ops does not/],
    ['operations that are text', { kty: 'oct', k, key_ops: 'verify' }, /^key_ops does not include verify$/],
    ['a kid that is a number', { kty: 'oct', k, kid: 7 }, /^kid is not a string$/],
    ['a signature algorithm', { kty: 'oct', k, alg: 'ES256' }, /^alg is not a MAC algorithm$/],
    ['an algorithm that is null', { kty: 'oct', k, alg: null }, /^alg is not a MAC algorithm$/],
    ['no k', { kty: 'oct' }, /^k is not canonical base64url$/],
    ['a k that is a number', { kty: 'oct', k: 7 }, /^k is not canonical base64url$/],
    ['a padded k', { kty: 'oct', k: `${k}=` }, /^k is not canonical base64url$/],
  ]
  for (const [what, jwk, outcome] of rows) {
    it(`${what}: ${outcome.source}`, () => {
      const read = readSymmetricJwk(jwk)
      expect(typeof read === 'string' ? read : `${read.algorithm.name} ${read.secret.length}`).toMatch(
        outcome,
      )
    })
  }

  it('gives the key id on', () =>
    expect(readSymmetricJwk({ kty: 'oct', k, kid: 'a' })).toMatchObject({ kid: 'a' }))

  it('knows what each algorithm takes', () => {
    expect([...MAC_ALGORITHMS]).toEqual([
      ['HS256', { name: 'HS256', hash: 'sha256', size: 32 }],
      ['HS384', { name: 'HS384', hash: 'sha384', size: 48 }],
      ['HS512', { name: 'HS512', hash: 'sha512', size: 64 }],
    ])
  })
})

describe('readTrustBundle() and selectTrustKey() (WIT-06, WIT-24, BCP-02)', () => {
  const a = { ...ec, kid: 'a' }
  const b = { ...generateTestKeyPair('ES256').publicJwk, kid: 'b' }

  it('leaves out what cannot be used and says so', () => {
    const bundle = readTrustBundle({ keys: [a, { kty: 'oct', k: 'AA' }, 7, { ...b, use: 'enc' }] })
    expect(bundle.keys.map(({ kid }) => kid)).toEqual(['a'])
    expect(bundle.skipped).toHaveLength(3)
  })

  it('takes only wit-svid keys where there are any', () => {
    const bundle = readTrustBundle({
      keys: [a, { ...b, use: 'wit-svid' }, { ...b, kid: 'c', use: 'jwt-svid' }],
    })
    expect(bundle.keys.map(({ kid }) => kid)).toEqual(['b'])
  })

  it('takes those of another use where it is asked to, and keys for signatures', () => {
    const keys = [
      { ...a, use: 'sig' },
      { ...b, use: 'jwt-svid' },
      { ...b, kid: 'c', use: 'wit-svid' },
    ]
    expect(readTrustBundle({ keys }, 'jwt-svid').keys.map(({ kid }) => kid)).toEqual(['b'])
    expect(readTrustBundle({ keys: keys.slice(0, 1) }).keys.map(({ kid }) => kid)).toEqual(['a'])
    for (const use of ['jwt-svid', 'x509-svid']) {
      const keys = [
        { ...a, use },
        { ...b, use: 'sig' },
      ]
      expect(readTrustBundle({ keys })).toMatchObject({ keys: [], skipped: [] })
    }
  })

  it('says which entry it left out, and why', () => {
    const offCurve = { ...ec, y: ec['x'], kid: 'd' }
    const bundle = readTrustBundle({
      keys: [null, 'a', a, { ...b, kid: 'a' }, { ...ed, kid: 'a' }, { ...b, use: 'enc' }, offCurve],
    })
    expect(bundle.skipped).toEqual([
      'keys[0]: not an object',
      'keys[1]: not an object',
      'keys[3]: the id and algorithm of another key',
      'keys[5]: use is not for signatures',
      'keys[6]: not on its curve',
    ])
    const { alg: _, ...underBothNames }: Record<string, string> = { ...ed, kid: 'a' }
    expect(readTrustBundle({ keys: [{ ...ed, kid: 'a' }, underBothNames] }).skipped).toEqual([
      'keys[1]: the id and algorithm of another key',
    ])
    const unusable = { keys: Array.from({ length: 6 }, () => ({ ...a, use: 'enc' })) }
    const five = [0, 1, 2, 3, 4].map((index) => `keys\\[${index}\\]: use is not for signatures`).join('; ')
    expect(() => readTrustBundle(unusable)).toThrow(new RegExp(`^not one usable key: ${five}$`))
  })

  it('takes 256 keys and no more, whatever else is in the set', () => {
    const keys = Array.from({ length: 257 }, (_, index) => ({ ...ec, kid: `k${index}` }))
    const others = Array.from({ length: 10 }, () => ({ ...ec, use: 'enc' }))
    expect(readTrustBundle({ keys: [...keys.slice(1), ...others] }).keys).toHaveLength(256)
    expect(() => readTrustBundle({ keys })).toThrow('the key set has more than 256 keys')
    expect(readTrustBundle({ keys: keys.map((key) => ({ ...key, use: 'x509-svid' })) }).keys).toEqual([])
  })

  it.for([
    [30, 30],
    [0, 0],
    [-1, null],
    [Infinity, null],
    ['30', null],
    [undefined, null],
  ] as const)('takes %s for a refresh hint, or a sequence, of %s', ([given, read]) => {
    expect(readTrustBundle({ keys: [], spiffe_refresh_hint: given })).toMatchObject({
      refreshHint: read,
      sequence: null,
    })
    expect(readTrustBundle({ keys: [], spiffe_sequence: given })).toMatchObject({
      refreshHint: null,
      sequence: read,
    })
  })

  it('makes bundles that cannot be changed, and knows them from what looks like one', () => {
    const bundle = readTrustBundle({ keys: [a] })
    for (const part of [bundle, bundle.keys, bundle.keys[0], bundle.skipped]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    expect(isTrustBundle(bundle)).toBe(true)
    for (const other of [{ ...bundle }, null, undefined, 'bundle']) expect(isTrustBundle(other)).toBe(false)
  })

  it('takes an empty set, which trusts nobody', () => expect(readTrustBundle({ keys: [] }).keys).toEqual([]))

  for (const [jwks, message] of [
    [undefined, 'not a JWK set: it has no array of keys'],
    [null, 'not a JWK set: it has no array of keys'],
    [[], 'not a JWK set: it has no array of keys'],
    [{}, 'not a JWK set: it has no array of keys'],
    [{ keys: {} }, 'not a JWK set: it has no array of keys'],
    [
      { keys: [{ kty: 'oct', k: 'AA' }] },
      'not one usable key: keys[0]: the key carries the private member k',
    ],
    [{ keys: [null] }, 'not one usable key: keys[0]: not an object'],
  ] as const) {
    it(`throws for ${JSON.stringify(jwks)}`, () => {
      expect(() => readTrustBundle(jwks)).toThrow(new TypeError(message))
    })
  }

  const select = (
    keys: readonly object[],
    kid: string | undefined,
    alg: AlgorithmName,
  ): string | undefined | null => {
    const key = selectTrustKey(readTrustBundle({ keys }), kid, alg)
    return key === null ? null : key.kid
  }
  it('finds a key by its id', () => expect(select([a, b], 'b', 'ES256')).toBe('b'))
  it('finds the only key without an id', () => expect(select([a], undefined, 'ES256')).toBe('a'))
  it('finds none for an unknown id', () => expect(select([a], 'A', 'ES256')).toBeNull())
  it('finds none without an id where several fit', () =>
    expect(select([a, b], undefined, 'ES256')).toBeNull())
  it('finds none where two have the id', () =>
    expect(select([a, { ...b, kid: 'a' }], 'a', 'ES256')).toBeNull())
  it('finds none for another algorithm', () =>
    expect(select([{ ...rsa, kid: 'r' }], 'r', 'RS256')).toBeNull())
})
