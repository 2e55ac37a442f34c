import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { generateTestKeyPair, type TestIdentityServer, type TestKeyPair } from 'wimse-testkit'
import { hashOf } from '../fastify/hand-made.js'
import type { Attack, AttackTable } from './attack.js'
import { by, byDer, byMac, bytes, decode, encode, forge, type Signer } from './forge.js'
import { fieldsOf, get, goodWith, ORIGIN, type Scene } from './scene.js'

/** A WIT that is forged: what its header and claims say besides, and who signs it. */
const wit = (
  name: string,
  answer: string,
  header: string | Readonly<Record<string, unknown>>,
  signer: (scene: Scene, good: string) => Signer,
  claims: Readonly<Record<string, unknown>> = {},
  from: (scene: Scene) => TestIdentityServer = ({ identityServer }) => identityServer,
): Attack => ({
  name,
  answer,
  request: async (scene) => {
    const change = {
      witClaims: claims,
      wit: (good: string) =>
        forge(
          typeof header === 'string' ? header : { ...decode(good, 0), ...header },
          decode(good, 1),
          signer(scene, good),
        ),
    }
    return get(fieldsOf(await scene.tokens(change, from(scene))))
  },
  // Made in the same way, and signed by whose key it is.
  controls: [
    async (scene) => {
      const { issuerKey } = from(scene)
      const wit = (good: string): string =>
        forge(decode(good, 0), decode(good, 1), by(issuerKey, issuerKey.alg!))
      return get(fieldsOf(await scene.tokens({ witClaims: claims, wit }, from(scene))))
    },
  ],
})

/** A proof that is forged, beside a good WIT. */
const proof = (
  name: string,
  answer: string,
  header: Readonly<Record<string, unknown>>,
  signer: (scene: Scene, good: string) => Signer,
  key?: () => TestKeyPair,
): Attack => ({
  name,
  answer,
  request: async (scene) => {
    const change = {
      ...(key === undefined ? {} : { key: key() }),
      wpt: (good: string) => forge({ ...decode(good, 0), ...header }, decode(good, 1), signer(scene, good)),
    }
    return get(fieldsOf(await scene.tokens(change)))
  },
  controls: [
    async (scene) => {
      const { privateJwk } = key?.() ?? scene.key
      const wpt = (good: string): string =>
        forge(decode(good, 0), decode(good, 1), by(privateJwk, privateJwk.alg!))
      return get(fieldsOf(await scene.tokens({ ...(key === undefined ? {} : { key: key() }), wpt })))
    },
  ],
})

const signatureOf = (token: string): Uint8Array => Buffer.from(token.split('.')[2]!, 'base64url')
const same =
  (_: Scene, good: string): Signer =>
  () =>
    signatureOf(good)
const byIssuer = ({ identityServer }: Scene): Signer => by(identityServer.issuerKey, 'ES256')
const byAttacker = ({ attackerKey }: Scene): Signer => by(attackerKey.privateJwk, 'ES256')
const pem = (jwk: object): string =>
  createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'pem', type: 'spki' }) as string
const der = (jwk: object): Uint8Array =>
  createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'der', type: 'spki' })
const issuerJwk = ({ identityServer }: Scene): object => identityServer.jwks.keys[0]!

const edKey = generateTestKeyPair('Ed25519')
const rsaKey = generateTestKeyPair('RS256')
const p384Key = generateTestKeyPair('ES384')

/** Order of P-256. */
const N = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
const one = Buffer.alloc(32, 0).fill(1, 31)
const raw =
  (...halves: readonly Uint8Array[]): Signer =>
  () =>
    Buffer.concat(halves)

const attacks: readonly Attack[] = [
  ...(['none', 'None', 'NONE', 'nOnE'] as const).flatMap((alg) => [
    wit(`a WIT with alg ${alg} and no signature`, 'WIMSE_WIT_ALGORITHM', { alg }, () => bytes(0)),
    wit(`a WIT with alg ${alg} and the signature of a good one`, 'WIMSE_WIT_ALGORITHM', { alg }, same),
    proof(`a proof with alg ${alg} and no signature`, 'WIMSE_WPT_ALGORITHM', { alg }, () => bytes(0)),
  ]),
  ...(['HS256', 'HS384', 'HS512'] as const).map((alg) =>
    wit(`a WIT with ${alg} under the public key in PEM`, 'WIMSE_WIT_ALGORITHM', { alg }, (scene) =>
      byMac(pem(issuerJwk(scene)), alg),
    ),
  ),
  wit('a WIT with HS256 under the public key in DER', 'WIMSE_WIT_ALGORITHM', { alg: 'HS256' }, (scene) =>
    byMac(der(issuerJwk(scene))),
  ),
  wit('a WIT with HS256 under the JWK as text', 'WIMSE_WIT_ALGORITHM', { alg: 'HS256' }, (scene) =>
    byMac(JSON.stringify(issuerJwk(scene))),
  ),
  wit('a WIT with HS256 under an empty secret', 'WIMSE_WIT_ALGORITHM', { alg: 'HS256' }, () => byMac('')),
  proof(
    'a proof with HS256 under the public key in PEM',
    'WIMSE_WPT_ALGORITHM',
    { alg: 'HS256' },
    ({ key }) => byMac(pem(key.publicJwk)),
  ),
  proof('a proof with HS256 under the WIT as secret', 'WIMSE_WPT_ALGORITHM', { alg: 'HS256' }, (_, good) =>
    byMac(good),
  ),
  ...(['ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const).map((alg) =>
    wit(`a WIT that calls its ES256 signature ${alg}`, 'WIMSE_WIT_KEY', { alg }, byIssuer),
  ),
  ...(['es256', 'ES256 ', 'ES256K', 'SHA256withECDSA', 'toString', '__proto__', 'ECDH-ES'] as const).map(
    (alg) => wit(`a WIT with alg ${JSON.stringify(alg)}`, 'WIMSE_WIT_ALGORITHM', { alg }, byIssuer),
  ),
  ...[
    ['a list', ['ES256']],
    ['null', null],
    ['a number', 256],
    ['an object', {}],
  ].map(([what, alg]) =>
    wit(`a WIT whose alg is ${what as string}`, 'WIMSE_WIT_ALGORITHM', { alg }, byIssuer),
  ),
  wit(
    'a WIT with two algorithms',
    'WIMSE_WIT_MALFORMED',
    '{"alg":"none","typ":"wit+jwt","alg":"ES256"}',
    byIssuer,
  ),
  wit(
    'a WIT with a second algorithm spelled in escapes',
    'WIMSE_WIT_MALFORMED',
    '{"alg":"none","typ":"wit+jwt","\\u0061lg":"ES256"}',
    byIssuer,
  ),
  wit('a WIT signed with ES384', 'WIMSE_WIT_KEY', { alg: 'ES384' }, () => by(p384Key.privateJwk, 'ES384')),
  wit('a WIT that the attacker signed', 'WIMSE_WIT_SIGNATURE', {}, byAttacker),
  ...(
    [
      ['jwk', ({ attackerKey }: Scene) => attackerKey.publicJwk],
      ['jku', () => 'https://evil.example/jwks.json'],
      ['jku', () => 'http://127.0.0.1:1/jwks.json'],
      ['x5u', () => 'https://evil.example/cert.pem'],
      ['x5c', ({ attackerKey }: Scene) => [Buffer.from(der(attackerKey.publicJwk)).toString('base64')]],
      ['x5t#S256', () => hashOf('certificate')],
    ] as const
  ).map(
    ([member, value], index): Attack => ({
      name: `a WIT that names its own key by ${member}${index === 2 ? ' on this machine' : ''}`,
      answer: 'WIMSE_WIT_SIGNATURE',
      request: async (scene) => {
        const forged = (good: string): string =>
          forge({ ...decode(good, 0), [member]: value(scene) }, decode(good, 1), byAttacker(scene))
        return get(fieldsOf(await scene.tokens({ wit: forged })))
      },
    }),
  ),
  ...(
    [
      ['SQL', "x' OR '1'='1"],
      ['a path', '../../../../dev/null'],
      ['a command', '$(touch /tmp/x)'],
      ['nothing', ''],
      ['an inherited name', 'constructor'],
      ['NUL', 'a\0b'],
      ['a URL', 'http://127.0.0.1:1/key'],
      ['a wildcard', '*'],
    ] as const
  ).map(([what, kid]) => wit(`a WIT whose kid is ${what}`, 'WIMSE_WIT_KEY', { kid }, byIssuer)),
  ...[
    ['a list', ['a']],
    ['a number', 0],
    ['null', null],
    ['an object', {}],
  ].map(([what, kid]) =>
    wit(`a WIT whose kid is ${what as string}`, 'WIMSE_WIT_MALFORMED', { kid }, byIssuer),
  ),
  wit('a WIT with the signature of another issuer', 'WIMSE_WIT_SIGNATURE', {}, ({ partner }) =>
    by(partner.issuerKey, 'ES256'),
  ),
  wit('a WIT with an empty signature', 'WIMSE_WIT_SIGNATURE', {}, () => bytes(0)),
  wit('a psychic signature (r = s = 0)', 'WIMSE_WIT_SIGNATURE', {}, () => bytes(64)),
  wit('a psychic signature (r = 0)', 'WIMSE_WIT_SIGNATURE', {}, () => raw(new Uint8Array(32), one)),
  wit('a psychic signature (s = 0)', 'WIMSE_WIT_SIGNATURE', {}, () => raw(one, new Uint8Array(32))),
  wit('a psychic signature (r = s = the order)', 'WIMSE_WIT_SIGNATURE', {}, () => raw(N, N)),
  wit('a signature of ones', 'WIMSE_WIT_SIGNATURE', {}, () => raw(one, one)),
  wit('a signature of the largest numbers', 'WIMSE_WIT_SIGNATURE', {}, () => bytes(64, 0xff)),
  wit('a signature in DER', 'WIMSE_WIT_SIGNATURE', {}, ({ identityServer }) =>
    byDer(identityServer.issuerKey),
  ),
  wit(
    'a signature cut short',
    'WIMSE_WIT_SIGNATURE',
    {},
    (_, good) => () => signatureOf(good).subarray(0, 63),
  ),
  wit(
    'a signature with a byte more',
    'WIMSE_WIT_SIGNATURE',
    {},
    (scene) => (input) => Buffer.concat([Buffer.from(byIssuer(scene)(input) as Uint8Array), Buffer.alloc(1)]),
  ),
  wit(
    'a signature with a byte in front',
    'WIMSE_WIT_SIGNATURE',
    {},
    (scene) => (input) => Buffer.concat([Buffer.alloc(1), Buffer.from(byIssuer(scene)(input) as Uint8Array)]),
  ),
  wit('a signature with its halves swapped', 'WIMSE_WIT_SIGNATURE', {}, (scene) => (input) => {
    const signature = Buffer.from(byIssuer(scene)(input) as Uint8Array)
    return Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])
  }),
  wit(
    'a signature padded as base64',
    'WIMSE_WIT_MALFORMED',
    {},
    (scene) => (input) => `${Buffer.from(byIssuer(scene)(input) as Uint8Array).toString('base64url')}==`,
  ),
  wit(
    'a signature with a space in it',
    'WIMSE_WIT_MALFORMED',
    {},
    (_, good) => () => good.split('.')[2]!.replace(/^.{9}/, '$& '),
  ),
  {
    name: 'the signature of another WIT of the caller',
    answer: 'WIMSE_WIT_SIGNATURE',
    request: async (scene) => {
      const other = await scene.tokens({ witClaims: { jti: 'other' } })
      const wit = (good: string): string =>
        forge(decode(good, 0), decode(good, 1), () => signatureOf(other.wit))
      return get(fieldsOf(await scene.tokens({ wit })))
    },
  },
  wit(
    'an RSA WIT that swaps PKCS1 for PSS',
    'WIMSE_WIT_KEY',
    { alg: 'PS256' },
    ({ rsa }) => by(rsa.issuerKey, 'PS256'),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA WIT signed with PSS and called PKCS1',
    'WIMSE_WIT_SIGNATURE',
    {},
    ({ rsa }) => by(rsa.issuerKey, 'PS256'),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA WIT with a stronger digest',
    'WIMSE_WIT_KEY',
    { alg: 'RS512' },
    ({ rsa }) => by(rsa.issuerKey, 'RS512'),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA WIT with an empty signature',
    'WIMSE_WIT_SIGNATURE',
    {},
    () => bytes(0),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA WIT with a signature of zeros',
    'WIMSE_WIT_SIGNATURE',
    {},
    () => bytes(256),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA WIT with the signature one',
    'WIMSE_WIT_SIGNATURE',
    {},
    () => () => Buffer.alloc(256).fill(1, 255),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA key used as if on a curve',
    'WIMSE_WIT_KEY',
    { alg: 'ES256' },
    () => bytes(64),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an RSA WIT with HS256 under the public key',
    'WIMSE_WIT_ALGORITHM',
    { alg: 'HS256' },
    ({ rsa }) => byMac(pem(rsa.jwks.keys[0]!)),
    {},
    ({ rsa }) => rsa,
  ),
  wit(
    'an Ed25519 WIT with a signature of zeros',
    'WIMSE_WIT_SIGNATURE',
    {},
    () => bytes(64),
    {},
    ({ ed }) => ed,
  ),
  wit(
    'an Ed25519 WIT with the neutral point for R',
    'WIMSE_WIT_SIGNATURE',
    {},
    () => () => {
      const signature = Buffer.alloc(64)
      signature[0] = 1
      return signature
    },
    {},
    ({ ed }) => ed,
  ),
  wit(
    'an Ed25519 WIT whose S has the order added',
    'WIMSE_WIT_SIGNATURE',
    {},
    ({ ed }) =>
      (input) =>
        withOrderAdded(Buffer.from(by(ed.issuerKey, 'Ed25519')(input) as Uint8Array)),
    {},
    ({ ed }) => ed,
  ),
  wit(
    'an Ed25519 WIT under its other name',
    'WIMSE_WIT_KEY',
    { alg: 'EdDSA' },
    ({ ed }) => by(ed.issuerKey, 'Ed25519'),
    {},
    ({ ed }) => ed,
  ),
  wit(
    'the curve of another Ed',
    'WIMSE_WIT_ALGORITHM',
    { alg: 'Ed448' },
    () => bytes(114),
    {},
    ({ ed }) => ed,
  ),
  wit('a WIT signed by the key it confirms', 'WIMSE_WIT_SIGNATURE', {}, ({ key }) =>
    by(key.privateJwk, 'ES256'),
  ),
  wit(
    'a WIT signed by the key it confirms, under that key’s name',
    'WIMSE_WIT_KEY',
    { kid: 'cnf' },
    ({ key }) => by(key.privateJwk, 'ES256'),
  ),
  wit('crit with an extension', 'WIMSE_WIT_CRITICAL', { crit: ['b64'], b64: false }, byIssuer),
  wit('crit that is empty', 'WIMSE_WIT_CRITICAL', { crit: [] }, byIssuer),
  proof('a proof that the attacker signed', 'WIMSE_WPT_SIGNATURE', {}, byAttacker),
  proof('a proof that the issuer signed', 'WIMSE_WPT_SIGNATURE', {}, byIssuer),
  {
    name: 'a proof that brings its own key',
    answer: 'WIMSE_WPT_SIGNATURE',
    request: async (scene) => {
      const { publicJwk } = scene.attackerKey
      const wpt = (good: string): string =>
        forge({ ...decode(good, 0), jwk: publicJwk }, decode(good, 1), byAttacker(scene))
      return get(fieldsOf(await scene.tokens({ wpt })))
    },
  },
  proof('a psychic proof (r = s = 0)', 'WIMSE_WPT_SIGNATURE', {}, () => bytes(64)),
  proof('a psychic proof (r = s = the order)', 'WIMSE_WPT_SIGNATURE', {}, () => raw(N, N)),
  proof('a proof signed in DER', 'WIMSE_WPT_SIGNATURE', {}, ({ key }) => byDer(key.privateJwk)),
  proof(
    'a proof that swaps PKCS1 for PSS',
    'WIMSE_WPT_ALGORITHM',
    { alg: 'PS256' },
    () => by(rsaKey.privateJwk, 'PS256'),
    () => rsaKey,
  ),
  proof(
    'a proof signed with PSS and called PKCS1',
    'WIMSE_WPT_SIGNATURE',
    {},
    () => by(rsaKey.privateJwk, 'PS256'),
    () => rsaKey,
  ),
  proof(
    'a proof under the other name of Ed25519',
    'WIMSE_WPT_ALGORITHM',
    { alg: 'EdDSA' },
    () => by(edKey.privateJwk, 'Ed25519'),
    () => edKey,
  ),
  proof('a proof on another curve', 'WIMSE_WPT_ALGORITHM', { alg: 'ES384' }, () =>
    by(p384Key.privateJwk, 'ES384'),
  ),
  proof('crit in the proof', 'WIMSE_WPT_CRITICAL', { crit: ['x'], x: 1 }, ({ key }) =>
    by(key.privateJwk, 'ES256'),
  ),
  {
    name: 'the key of another caller of the same issuer',
    answer: 'WIMSE_WPT_SIGNATURE',
    request: async (scene) => {
      const other = await scene.tokens({
        key: scene.attackerKey,
        witClaims: { sub: 'wimse://example.com/other' },
      })
      const { wit: stolen } = await scene.tokens()
      const wpt = forge(
        decode(other.wpt, 0),
        { ...decode(other.wpt, 1), wth: hashOf(stolen) },
        by(scene.attackerKey.privateJwk, 'ES256'),
      )
      return get(fieldsOf({ wit: stolen, wpt }))
    },
    controls: [
      goodWith(),
      goodWith(({ attackerKey: key }) => ({ key, witClaims: { sub: 'wimse://example.com/other' } })),
    ],
  },
  {
    name: 'the proof of another WIT',
    answer: 'WIMSE_WPT_WIT_HASH',
    request: async (scene) => {
      const [mine, stolen] = [
        await scene.tokens({ key: scene.attackerKey }),
        await scene.tokens({ witClaims: { jti: '2' } }),
      ]
      return get(fieldsOf({ wit: stolen.wit, wpt: mine.wpt }))
    },
    controls: [goodWith(({ attackerKey: key }) => ({ key })), goodWith({ witClaims: { jti: '2' } })],
  },
  {
    name: 'the WIT as its own proof',
    answer: 'WIMSE_WPT_TYPE',
    request: async (scene) => {
      const { wit } = await scene.tokens()
      return get(fieldsOf({ wit, wpt: wit }))
    },
  },
  {
    name: 'the proof as WIT',
    answer: 'WIMSE_WIT_TYPE',
    request: async (scene) => {
      const { wpt } = await scene.tokens()
      return get(fieldsOf({ wit: wpt, wpt }))
    },
  },
  {
    name: 'the two tokens exchanged',
    answer: 'WIMSE_WIT_TYPE',
    request: async (scene) => {
      const { wit, wpt } = await scene.tokens()
      return get(fieldsOf({ wit: wpt, wpt: wit }))
    },
  },
  ...(
    [
      ['an ID token', 'JWT'],
      ['an access token', 'at+jwt'],
      ['a DPoP proof', 'dpop+jwt'],
      ['a JWT-SVID', 'JOSE'],
      ['a logout token', 'logout+jwt'],
      ['a transaction token', 'txntoken+jwt'],
      ['a security event', 'secevent+jwt'],
      ['a token of no type', undefined],
    ] as const
  ).flatMap(([what, typ]) => [
    wit(`${what} of the identity server for a WIT`, 'WIMSE_WIT_TYPE', { typ }, byIssuer),
    proof(`${what} of the caller for a proof`, 'WIMSE_WPT_TYPE', { typ }, ({ key }) =>
      by(key.privateJwk, 'ES256'),
    ),
  ]),
  ...[
    ['a list', ['wit+jwt']],
    ['in another top level', 'text/wit+jwt'],
    ['with a parameter', 'wit+jwt;v=1'],
    ['with a space', 'wit+jwt '],
  ].map(([what, typ]) => wit(`a WIT whose type is ${what as string}`, 'WIMSE_WIT_TYPE', { typ }, byIssuer)),
  {
    name: 'an access token of the same issuer for a WIT',
    answer: 'WIMSE_WIT_TYPE',
    request: async (scene) => {
      const token = await scene.issuer.token({ sub: 'wimse://example.com/caller' })
      return get(fieldsOf({ wit: token, wpt: (await scene.tokens({ wit: () => token })).wpt }))
    },
  },
  {
    name: 'a WIT with four parts',
    answer: 'WIMSE_WIT_MALFORMED',
    request: async (scene) => get(fieldsOf(await scene.tokens({ wit: (good) => `${good}.${encode('x')}` }))),
  },
  {
    name: 'a WIT in five parts, as if encrypted',
    answer: 'WIMSE_WIT_MALFORMED',
    request: async (scene) => {
      const header = encode({ alg: 'dir', enc: 'A256GCM', typ: 'wit+jwt', zip: 'DEF' })
      return get(fieldsOf(await scene.tokens({ wit: () => `${header}..AAAA.AAAA.AAAA` })))
    },
  },
  {
    name: 'a WIT within a WIT',
    answer: 'WIMSE_WIT_MALFORMED',
    request: async (scene) => {
      const nested = (good: string): string =>
        forge({ ...decode(good, 0), cty: 'JWT' }, good, by(scene.identityServer.issuerKey, 'ES256'))
      return get(fieldsOf(await scene.tokens({ wit: nested })))
    },
  },
  {
    name: 'a WIT with a detached payload',
    answer: 'WIMSE_WIT_MALFORMED',
    request: async (scene) =>
      get(fieldsOf(await scene.tokens({ wit: (good) => good.replace(/\.[^.]+\./, '..') }))),
  },
  {
    name: 'a proof for this target whose audience is a claim of the header',
    answer: 'WIMSE_WPT_AUDIENCE',
    request: async (scene) =>
      get(
        fieldsOf(
          await scene.tokens({ wptHeader: { aud: `${ORIGIN}/stock` }, wptClaims: { aud: undefined } }),
        ),
      ),
  },
]

/** Adds the order of the group to S, which leaves the equation as it was. */
function withOrderAdded(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex')}`) + order
  const digits = Buffer.from(s.toString(16).padStart(64, '0'), 'hex')
  return Buffer.concat([signature.subarray(0, 32), digits.toReversed()])
}

export const algorithmConfusion: AttackTable = {
  name: 'confusion of algorithms, keys and tokens',
  attacks,
}
