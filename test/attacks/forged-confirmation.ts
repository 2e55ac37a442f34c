import { generateTestKeyPair, type TestKeyPair } from 'wimse-testkit'
import type { Attack, AttackTable } from './attack.js'
import { by, decode, encode, forge } from './forge.js'
import { fieldsOf, get, goodWith, type Scene } from './scene.js'

type Members = Readonly<Record<string, unknown>>

/** A WIT that its identity server signed, with a `cnf` that is not to be relied on. */
const cnf = (name: string, value: (good: Members, scene: Scene) => unknown): Attack => ({
  name,
  answer: 'WIMSE_WIT_CONFIRMATION',
  request: async (scene) =>
    get(fieldsOf(await scene.tokens({ witClaims: { cnf: value(scene.key.publicJwk, scene) } }))),
})

/** The same for its `jwk`. */
const jwk = (name: string, value: (good: Members, scene: Scene) => unknown): Attack =>
  cnf(name, (good, scene) => ({ jwk: value(good, scene) }))

/** A WIT whose claims are this text. */
const claims = (name: string, answer: string, text: (good: Members, scene: Scene) => string): Attack => ({
  name,
  answer,
  request: async (scene) => {
    const wit = (good: string): string =>
      forge(decode(good, 0), text(decode(good, 1), scene), by(scene.identityServer.issuerKey, 'ES256'))
    return get(fieldsOf(await scene.tokens({ wit })))
  },
  controls: [
    goodWith(({ identityServer }) => ({
      wit: (good) =>
        forge(decode(good, 0), JSON.stringify(decode(good, 1)), by(identityServer.issuerKey, 'ES256')),
    })),
  ],
})

const without = (members: Members, name: string): Members =>
  Object.fromEntries(Object.entries(members).filter(([one]) => one !== name))

const [edKey, rsaKey, p384Key] = [
  generateTestKeyPair('Ed25519'),
  generateTestKeyPair('RS256'),
  generateTestKeyPair('ES384'),
]
const [ed, rsa, p384] = [edKey.publicJwk, rsaKey.publicJwk, p384Key.publicJwk]

/** The same beside a caller with a key of that kind. */
const ofKind = (key: TestKeyPair, attack: Attack): Attack => ({
  ...attack,
  controls: [goodWith(), goodWith({ key })],
})

const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
const coordinate = (bytes: number): string => Buffer.alloc(bytes, 1).toString('base64url')

/** Points of Ed25519 whose order divides eight, and two spellings of the neutral one beyond the field. */
const SMALL: readonly (readonly [what: string, hex: string])[] = [
  ['1, the neutral one', `01${'00'.repeat(31)}`],
  ['2', `ec${'ff'.repeat(30)}7f`],
  ['4', '00'.repeat(32)],
  ['4, negative', `${'00'.repeat(31)}80`],
  ['8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ['8, another', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
  ['1, not reduced', `ee${'ff'.repeat(30)}7f`],
  ['1, with a sign', `01${'00'.repeat(30)}80`],
]

/** Ed25519's y plus 2^255 - 19: of a point of order 4, and of a key. */
const SECOND_SPELLINGS: readonly (readonly [y: string, hex: string])[] = [
  ['0', `ed${'ff'.repeat(30)}7f`],
  ['3', `f0${'ff'.repeat(30)}7f`],
]

const attacks: readonly Attack[] = [
  cnf('no cnf at all', () => undefined),
  cnf('a cnf that is null', () => null),
  cnf('a cnf that is empty', () => ({})),
  cnf('a cnf that is a list', (good) => [{ jwk: good }]),
  cnf('a cnf that is a text', (good) => JSON.stringify({ jwk: good })),
  cnf('a cnf with a key id alone', () => ({ kid: 'known' })),
  cnf('a cnf with a thumbprint alone', () => ({ jkt: coordinate(32) })),
  cnf('a cnf with the thumbprint of a certificate', () => ({ 'x5t#S256': coordinate(32) })),
  cnf('a cnf with jku beside its jwk', (good) => ({ jwk: good, jku: 'https://evil.example/jwks.json' })),
  cnf('a cnf with jku alone', () => ({ jku: 'http://127.0.0.1:1/', kid: 'a' })),
  cnf('a cnf with jwe beside its jwk', (good) => ({ jwk: good, jwe: 'e30.AA.AA.AA.AA' })),
  cnf('a cnf with a compressed jwe alone', () => ({
    jwe: `${encode({ alg: 'RSA-OAEP-256', enc: 'A256GCM', zip: 'DEF' })}.AA.AA.${'A'.repeat(4000)}.AA`,
  })),
  cnf('a cnf with a list of keys', (good, { attackerKey }) => ({ jwk: [good, attackerKey.publicJwk] })),
  cnf('a cnf with a key set', (good) => ({ jwks: { keys: [good] } })),
  cnf('a cnf whose jwk is inherited', (good) =>
    JSON.parse(`{"constructor":{"jwk":${JSON.stringify(good)}}}`),
  ),
  jwk('a jwk that is null', () => null),
  jwk('a jwk in text', (good) => JSON.stringify(good)),
  jwk('a jwk without alg', (good) => without(good, 'alg')),
  jwk('a jwk with alg none', (good) => ({ ...good, alg: 'none' })),
  jwk('a jwk with a MAC for alg', (good) => ({ ...good, alg: 'HS256' })),
  jwk('a jwk with an encryption for alg', (good) => ({ ...good, alg: 'ECDH-ES' })),
  jwk('a jwk with the alg of another curve', (good) => ({ ...good, alg: 'ES384' })),
  jwk('a jwk with the alg of another type', (good) => ({ ...good, alg: 'RS256' })),
  ofKind(
    rsaKey,
    jwk('an RSA key that says ES256', () => ({ ...rsa, alg: 'ES256' })),
  ),
  jwk('a key on a curve that says RSA', (good) => ({ ...good, kty: 'RSA' })),
  ofKind(
    edKey,
    jwk('an Ed25519 key that says EC', () => ({ ...ed, kty: 'EC' })),
  ),
  jwk('a symmetric key', () => ({ kty: 'oct', k: coordinate(32), alg: 'HS256' })),
  jwk('a symmetric key that says ES256', () => ({ kty: 'oct', k: coordinate(32), alg: 'ES256' })),
  jwk('a key with its private half', (_, { key }) => key.privateJwk),
  jwk('a key with a symmetric half', (good) => ({ ...good, k: coordinate(32) })),
  jwk('a key for encryption', (good) => ({ ...good, use: 'enc' })),
  jwk('a key that may only encrypt', (good) => ({ ...good, key_ops: ['encrypt'] })),
  jwk('a key off its curve', (good) => ({ ...good, y: good['x'] })),
  jwk('the point at infinity', (good) => ({
    ...good,
    x: base64url('00'.repeat(32)),
    y: base64url('00'.repeat(32)),
  })),
  jwk('a coordinate that is too short', (good) => ({ ...good, x: coordinate(31) })),
  jwk('a coordinate with a zero in front', (good) => ({
    ...good,
    x: Buffer.concat([Buffer.alloc(1), Buffer.from(good['x'] as string, 'base64url')]).toString('base64url'),
  })),
  jwk('a coordinate that is padded', (good) => ({ ...good, x: `${good['x'] as string}=` })),
  jwk('a coordinate beyond the field', (good) => ({ ...good, x: base64url('ff'.repeat(32)) })),
  jwk('a coordinate that is a number', (good) => ({ ...good, x: 1 })),
  jwk('a point without y', (good) => without(good, 'y')),
  jwk('a curve nobody knows', (good) => ({ ...good, crv: 'secp256k1' })),
  jwk('a curve that is inherited', (good) => ({ ...good, crv: '__proto__' })),
  ofKind(
    p384Key,
    jwk('coordinates of another curve', (good) => ({ ...p384, crv: 'P-256', alg: good['alg'] })),
  ),
  jwk('a key for key agreement', () => ({ kty: 'OKP', crv: 'X25519', x: coordinate(32), alg: 'EdDSA' })),
  ...[
    ...SMALL.map(([order, hex]) =>
      jwk(`a point of order ${order}`, () => ({
        kty: 'OKP',
        crv: 'Ed25519',
        alg: 'Ed25519',
        x: base64url(hex),
      })),
    ),
    jwk('an Ed25519 point that is none', () => ({
      kty: 'OKP',
      crv: 'Ed25519',
      alg: 'Ed25519',
      x: base64url(`02${'00'.repeat(31)}`),
    })),
    ...SECOND_SPELLINGS.map(([y, hex]) =>
      jwk(`an Ed25519 y of ${y}, not reduced`, () => ({
        kty: 'OKP',
        crv: 'Ed25519',
        alg: 'Ed25519',
        x: base64url(hex),
      })),
    ),
  ].map((attack) => ofKind(edKey, attack)),
  ...[
    jwk('an RSA modulus of 1024 bits', () => ({ ...rsa, n: Buffer.alloc(128, 0xff).toString('base64url') })),
    jwk('an RSA modulus of 16384 bits', () => ({
      ...rsa,
      n: Buffer.alloc(2048, 0xff).toString('base64url'),
    })),
    jwk('an RSA modulus that is even', () => ({ ...rsa, n: `${(rsa.n as string).slice(0, -1)}A` })),
    jwk('an RSA exponent of 1', () => ({ ...rsa, e: 'AQ' })),
    jwk('an RSA exponent that is even', () => ({ ...rsa, e: 'AQAA' })),
    jwk('an RSA exponent as long as the modulus', () => ({ ...rsa, e: rsa.n })),
    jwk('an RSA exponent with zeros in front', () => ({ ...rsa, e: 'AAEAAQ' })),
  ].map((attack) => ofKind(rsaKey, attack)),
  claims('two cnf claims, the last the attacker’s', 'WIMSE_WIT_MALFORMED', (good, { attackerKey }) =>
    JSON.stringify(good).replace(/\}$/, `,"cnf":${JSON.stringify({ jwk: attackerKey.publicJwk })}}`),
  ),
  claims('two cnf claims, the first the attacker’s', 'WIMSE_WIT_MALFORMED', (good, { attackerKey }) =>
    JSON.stringify(good).replace(/^\{/, `{"cnf":${JSON.stringify({ jwk: attackerKey.publicJwk })},`),
  ),
  claims('two cnf claims, one spelled in escapes', 'WIMSE_WIT_MALFORMED', (good, { attackerKey }) =>
    JSON.stringify(good).replace(/^\{/, `{"\\u0063nf":${JSON.stringify({ jwk: attackerKey.publicJwk })},`),
  ),
  claims('two keys in one cnf', 'WIMSE_WIT_MALFORMED', (good, { attackerKey }) =>
    JSON.stringify(good).replace('"jwk":', `"jwk":${JSON.stringify(attackerKey.publicJwk)},"jwk":`),
  ),
  claims('two coordinates of one name', 'WIMSE_WIT_MALFORMED', (good) =>
    JSON.stringify(good).replace('"x":', '"x":"AA","x":'),
  ),
  claims('two subjects', 'WIMSE_WIT_MALFORMED', (good) =>
    JSON.stringify(good).replace(/^\{/, '{"sub":"wimse://example.com/admin",'),
  ),
  claims('a cnf in __proto__', 'WIMSE_WIT_MALFORMED', (good) =>
    JSON.stringify(without(good, 'cnf')).replace(
      /^\{/,
      `{"__proto__":{"cnf":${JSON.stringify(good['cnf'])}},`,
    ),
  ),
  claims('a byte order mark', 'WIMSE_WIT_MALFORMED', (good) => `\ufeff${JSON.stringify(good)}`),
  claims('claims in a list', 'WIMSE_WIT_MALFORMED', (good) => JSON.stringify([good])),
  claims('claims with a comment', 'WIMSE_WIT_MALFORMED', (good) => `${JSON.stringify(good)}//`),
  claims('claims with a lone surrogate', 'WIMSE_WIT_MALFORMED', (good) =>
    JSON.stringify(good).replace(/^\{/, '{"a":"\\ud800",'),
  ),
  {
    name: 'a cnf for a key the caller does not hold',
    answer: 'WIMSE_WPT_SIGNATURE',
    request: async (scene) =>
      get(fieldsOf(await scene.tokens({ witClaims: { cnf: { jwk: scene.attackerKey.publicJwk } } }))),
  },
  {
    name: 'a cnf exchanged after signing',
    answer: 'WIMSE_WIT_SIGNATURE',
    request: async (scene) => {
      const wit = (good: string): string => {
        const [header, , signature] = good.split('.') as [string, string, string]
        return `${header}.${encode({ ...decode(good, 1), cnf: { jwk: scene.attackerKey.publicJwk } })}.${signature}`
      }
      return get(fieldsOf(await scene.tokens({ wit, wptKey: scene.attackerKey.privateJwk })))
    },
  },
]

export const forgedConfirmation: AttackTable = { name: 'forged and doubled confirmation', attacks }
