import { brotliCompressSync, deflateRawSync } from 'node:zlib'
import { generateTestKeyPair } from 'wimse-testkit'
import type { Attack, AttackTable } from './attack.js'
import { hashOf } from '../fastify/hand-made.js'
import { by, decode, encode, forge } from './forge.js'
import { fieldsOf, get, goodWith } from './scene.js'

/** A token of this text instead of the WIT, or of the proof. */
const wit = (name: string, answer: string, make: (good: string) => string): Attack => ({
  name,
  answer,
  request: async (scene) => get(fieldsOf(await scene.tokens({ wit: make }))),
})

const proof = (name: string, answer: string, make: (good: string) => string): Attack => ({
  name,
  answer,
  request: async (scene) => get(fieldsOf(await scene.tokens({ wpt: make }))),
})

/** Claims of a WIT which its identity server signed, as text. */
const signed = (name: string, answer: string, text: (good: string) => string): Attack => ({
  name,
  answer,
  request: async (scene) => {
    const make = (good: string): string =>
      forge(
        decode(good, 0),
        text(JSON.stringify(decode(good, 1))),
        by(scene.identityServer.issuerKey, 'ES256'),
      )
    return get(fieldsOf(await scene.tokens({ wit: make })))
  },
  controls: [
    goodWith(({ identityServer: { issuerKey } }) => ({
      wit: (good) => forge(decode(good, 0), JSON.stringify(decode(good, 1)), by(issuerKey, 'ES256')),
    })),
  ],
})

const member =
  (text: string) =>
  (good: string): string =>
    good.replace(/^\{/, `{${text},`)
const nested = (depth: number): string => `"a":${'['.repeat(depth)}${']'.repeat(depth)}`
const rsa = generateTestKeyPair('RS256').publicJwk

const NINE_HUNDRED = Array.from({ length: 900 }, (_, index) => `f${index}: 1`)

const attacks: readonly Attack[] = [
  wit('a WIT of dots', 'WIMSE_WIT_MALFORMED', () => '.'.repeat(9000)),
  wit('a WIT of one letter', 'WIMSE_WIT_MALFORMED', () => 'A'.repeat(9000)),
  wit('a WIT of spaces', 'WIMSE_WIT_MALFORMED', () => `a${' '.repeat(9000)}b`),
  wit('a WIT of commas', 'WIMSE_WIT_MALFORMED', () => ','.repeat(9000)),
  wit('a WIT with a signature without end', 'WIMSE_WIT_SIGNATURE', (good) => good + 'A'.repeat(10_000)),
  wit('a WIT with a payload without end', 'WIMSE_WIT_MALFORMED', (good) =>
    good.replace(/\.[^.]+\./, `.${'A'.repeat(10_000)}.`),
  ),
  wit('a kid of 9000 characters', 'WIMSE_WIT_KEY', (good) =>
    good.replace(/^[^.]+/, encode({ ...decode(good, 0), kid: 'k'.repeat(7000) })),
  ),
  wit('a typ of 7000 characters', 'WIMSE_WIT_TYPE', (good) =>
    good.replace(/^[^.]+/, encode({ ...decode(good, 0), typ: 'a'.repeat(7000) })),
  ),
  wit('a header of a thousand members', 'WIMSE_WIT_SIGNATURE', (good) =>
    good.replace(
      /^[^.]+/,
      encode({
        ...decode(good, 0),
        ...Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`m${i}`, i])),
      }),
    ),
  ),
  wit('a certificate chain of 7000 characters', 'WIMSE_WIT_SIGNATURE', (good) =>
    good.replace(/^[^.]+/, encode({ ...decode(good, 0), x5c: ['A'.repeat(7000)] })),
  ),
  wit('a WIT that is compressed', 'WIMSE_WIT_MALFORMED', (good) => {
    const bomb = deflateRawSync(Buffer.alloc(1_000_000, '{'))
    return forge({ ...decode(good, 0), zip: 'DEF' }, bomb, () => Buffer.alloc(64))
  }),
  wit('a WIT that is compressed in a newer way', 'WIMSE_WIT_MALFORMED', (good) => {
    const bomb = brotliCompressSync(Buffer.alloc(1_000_000, '{'))
    return forge({ ...decode(good, 0), zip: 'BR' }, bomb, () => Buffer.alloc(64))
  }),
  wit('a WIT that is encrypted with a password', 'WIMSE_WIT_MALFORMED', () => {
    const header = encode({
      alg: 'PBES2-HS256+A128KW',
      enc: 'A256GCM',
      p2c: 2_147_483_647,
      p2s: 'AAAA',
      typ: 'wit+jwt',
    })
    return `${header}.AAAA.AAAA.AAAA.AAAA`
  }),
  signed('claims nested ten thousand deep', 'WIMSE_WIT_MALFORMED', () => `{${nested(2900)}}`),
  signed('claims nested 33 deep', 'WIMSE_WIT_MALFORMED', member(nested(33))),
  signed(
    'objects nested a thousand deep',
    'WIMSE_WIT_MALFORMED',
    () => `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`,
  ),
  signed('a number of 5000 digits for an end', 'WIMSE_WIT_LIFETIME', (good) =>
    good.replace(/"exp":\d+/, `"exp":${'9'.repeat(5000)}`),
  ),
  signed('a number beyond what doubles hold', 'WIMSE_WIT_LIFETIME', (good) =>
    good.replace(/"exp":\d+/, '"exp":1e999'),
  ),
  signed('an end before time', 'WIMSE_WIT_EXPIRED', (good) => good.replace(/"exp":\d+/, '"exp":-1e308')),
  signed('an end that is a text', 'WIMSE_WIT_LIFETIME', (good) => good.replace(/"exp":(\d+)/, '"exp":"$1"')),
  signed('an end in a hundred years', 'WIMSE_WIT_LIFETIME', (good) =>
    good.replace(/"exp":(\d+)/, '"exp":4900000000'),
  ),
  signed('a beginning that is a text', 'WIMSE_WIT_NOT_YET_VALID', member('"nbf":"1"')),
  signed('a beginning in a hundred years', 'WIMSE_WIT_NOT_YET_VALID', member('"nbf":4900000000')),
  signed('__proto__ among the claims', 'WIMSE_WIT_MALFORMED', member('"__proto__":{"polluted":true}')),
  signed('__proto__ in escapes', 'WIMSE_WIT_MALFORMED', member('"\\u005f_proto__":{"polluted":true}')),
  signed('__proto__ within cnf', 'WIMSE_WIT_MALFORMED', (good) =>
    good.replace('"cnf":{', '"cnf":{"__proto__":{"a":1},'),
  ),
  signed('a thousand members of one name', 'WIMSE_WIT_MALFORMED', () => `{${'"a":1,'.repeat(1000)}"b":1}`),
  signed('a cnf of three hundred keys', 'WIMSE_WIT_CONFIRMATION', (good) =>
    good.replace(/"cnf":\{.*\}\}/, `"cnf":{"jwks":{"keys":[${'{"kty":"EC"},'.repeat(300)}{}]}}`),
  ),
  signed('an RSA modulus of 32,000 bits', 'WIMSE_WIT_CONFIRMATION', (good) =>
    good.replace(/"cnf":\{.*\}\}/, `"cnf":${JSON.stringify({ jwk: { ...rsa, n: 'v'.repeat(5400) } })}`),
  ),
  signed('an RSA exponent of 2048 bits', 'WIMSE_WIT_CONFIRMATION', (good) =>
    good.replace(/"cnf":\{.*\}\}/, `"cnf":${JSON.stringify({ jwk: { ...rsa, e: rsa.n } })}`),
  ),
  proof('a proof of dots', 'WIMSE_WPT_MALFORMED', () => '.'.repeat(9000)),
  proof('a proof nested two thousand deep', 'WIMSE_WPT_MALFORMED', (good) =>
    forge(decode(good, 0), `{${nested(2000)}}`, () => Buffer.alloc(64)),
  ),
  proof('a proof with __proto__', 'WIMSE_WPT_MALFORMED', (good) =>
    forge(decode(good, 0), `{"__proto__":{"aud":"x"},"jti":"a"}`, () => Buffer.alloc(64)),
  ),
  proof('a proof with a header of 6000 characters', 'WIMSE_WPT_SIGNATURE', (good) =>
    good.replace(/^[^.]+/, encode({ ...decode(good, 0), x: 'x'.repeat(6000) })),
  ),
  {
    name: 'oth that names a thousand fields',
    answer: 'WIMSE_WPT_OTHER_TOKEN_HASH',
    request: async (scene) => {
      const oth = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, 'A']))
      return get(fieldsOf(await scene.tokens({ wptClaims: { oth } })))
    },
  },
  {
    name: 'an Authorization of spaces',
    answer: 'WIMSE_WPT_ACCESS_TOKEN_HASH',
    request: async (scene) =>
      get([...fieldsOf(await scene.tokens()), `Authorization: Bearer a${' '.repeat(9000)}b`]),
    controls: [
      goodWith({ wptClaims: { ath: hashOf('a'.repeat(9000)) } }, '/stock', [
        `Authorization: Bearer ${'a'.repeat(9000)}`,
      ]),
    ],
  },
  {
    name: 'a target of escapes',
    answer: 'WIMSE_WPT_AUDIENCE',
    request: async (scene) => get(fieldsOf(await scene.tokens()), `/${'%41'.repeat(4000)}`),
  },
  {
    name: 'a target of dots',
    answer: 'WIMSE_WPT_AUDIENCE',
    request: async (scene) => get(fieldsOf(await scene.tokens()), `/${'.../'.repeat(3000)}`),
  },
  {
    name: 'nine hundred fields',
    answer: 'WIMSE_WIT_MISSING',
    request: () => get(NINE_HUNDRED),
    controls: [goodWith({}, '/stock', NINE_HUNDRED)],
  },
  {
    name: 'one good WIT with a hundred bad proofs',
    answer: 'WIMSE_WPT_SIGNATURE',
    times: 100,
    request: async (scene) => {
      const { wit } = await scene.tokens()
      const change = { wit: () => wit, wptKey: scene.attackerKey.privateJwk }
      return async () => get(fieldsOf(await scene.tokens(change)))
    },
  },
  {
    name: 'a hundred WITs that nobody signed',
    answer: 'WIMSE_WIT_SIGNATURE',
    times: 100,
    request: async (scene) => async () =>
      get(fieldsOf(await scene.tokens({ witKey: scene.attackerKey.privateJwk }))),
  },
]

export const exhaustion: AttackTable = { name: 'exhausting what there is', attacks, isAboutCost: true }
