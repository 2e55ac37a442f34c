import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sent } from '../attacks/attack.js'
import { by, bytes, decode, encode, forge } from '../attacks/forge.js'
import {
  type AttackedService,
  createScene,
  fieldsOf,
  get,
  ORIGIN,
  type Scene,
  startAttackedService,
} from '../attacks/scene.js'
import { exchange } from '../attacks/wire.js'
import { type Change, hashOf } from '../fastify/hand-made.js'

/**
 * The checks of `fapi2-security-profile-final-dpop-negative-tests` of the OpenID conformance suite, in its
 * order, each carried over to what it means for WIT and proof.
 */
interface Row {
  /** What the suite tries. */
  readonly original: string
  /** What that is here. */
  readonly here: string
  readonly answer: string
  readonly request: (scene: Scene) => Promise<Sent>
}

const ACCESS_TOKEN = 'an-access-token'
const AUTHORIZATION = `Authorization: Bearer ${ACCESS_TOKEN}`

/** A call with an access token that its proof covers, but for the change. */
const call = async (scene: Scene, change: Change = {}): Promise<string> =>
  get([
    ...fieldsOf(
      await scene.tokens({ ...change, wptClaims: { ath: hashOf(ACCESS_TOKEN), ...change.wptClaims } }),
    ),
    AUTHORIZATION,
  ])

const row = (original: string, here: string, answer: string, change: (scene: Scene) => Change): Row => ({
  original,
  here,
  answer,
  request: async (scene) => call(scene, change(scene)),
})

const withoutMember = (members: object, name: string): object =>
  Object.fromEntries(Object.entries(members).filter(([one]) => one !== name))

const ROWS: readonly Row[] = [
  {
    original: 'header name all in upper case: accepted',
    here: 'both field names all in upper case',
    answer: '200',
    request: async (scene) =>
      (await call(scene)).replace(/Workload-\w+-Token:/g, (name) => name.toUpperCase()),
  },
  {
    original: 'more than one DPoP header',
    here: 'more than one proof field',
    answer: 'WIMSE_WPT_REPEATED',
    request: async (scene) => (await call(scene)).replace(/(Workload-Proof-Token: .*\r\n)/, '$1$1'),
  },
  row('not a well-formed JWT', 'a proof cut short by its signature', 'WIMSE_WPT_MALFORMED', () => ({
    wpt: (good) => good.slice(0, good.lastIndexOf('.')),
  })),
  row('typ is missing', 'the same', 'WIMSE_WPT_TYPE', () => ({ wptHeader: { typ: undefined } })),
  row('alg is missing', 'the same', 'WIMSE_WPT_ALGORITHM', ({ key }) => ({
    wpt: (good) =>
      forge(
        withoutMember(decode(good, 0), 'alg') as { typ: string },
        decode(good, 1),
        by(key.privateJwk, 'ES256'),
      ),
  })),
  row('jwk is missing', 'cnf.jwk of the WIT is missing', 'WIMSE_WIT_CONFIRMATION', () => ({
    witClaims: { cnf: {} },
  })),
  row('jti is missing', 'the same', 'WIMSE_WPT_JTI', () => ({ wptClaims: { jti: undefined } })),
  row('htm is missing', 'a proof names no method; one without it is good', '200', () => ({})),
  row('htu is missing', 'aud is missing', 'WIMSE_WPT_AUDIENCE', () => ({ wptClaims: { aud: undefined } })),
  row('iat is missing', 'exp is missing', 'WIMSE_WPT_LIFETIME', () => ({ wptClaims: { exp: undefined } })),
  row('ath is missing', 'the same', 'WIMSE_WPT_ACCESS_TOKEN_HASH', () => ({ wptClaims: { ath: undefined } })),
  row('typ is another', 'the same', 'WIMSE_WPT_TYPE', () => ({ wptHeader: { typ: 'dpop+jwt' } })),
  row(
    'RS256, which the profile forbids',
    'an algorithm other than that of cnf.jwk',
    'WIMSE_WPT_ALGORITHM',
    () => ({
      wpt: (good) => good.replace(/^[^.]+/, encode({ ...decode(good, 0), alg: 'RS256' })),
    }),
  ),
  row('alg is none', 'the same', 'WIMSE_WPT_ALGORITHM', () => ({
    wpt: (good) => forge({ ...decode(good, 0), alg: 'none' }, decode(good, 1), bytes(0)),
  })),
  row('the signature is not valid', 'the same', 'WIMSE_WPT_SIGNATURE', () => ({
    wpt: (good) =>
      forge(decode(good, 0), { ...decode(good, 1), more: 1 }, () =>
        Buffer.from(good.split('.')[2]!, 'base64url'),
      ),
  })),
  row('jwk holds a private key', 'cnf.jwk holds a private key', 'WIMSE_WIT_CONFIRMATION', ({ key }) => ({
    witClaims: { cnf: { jwk: key.privateJwk } },
  })),
  row('htm is another method', 'a proof names no method; a claim that does is not looked at', '200', () => ({
    wptClaims: { htm: 'PUT' },
  })),
  row('htu with query and fragment: accepted', 'aud with query and fragment', '200', () => ({
    wptClaims: { aud: `${ORIGIN}/stock?a=b#c` },
  })),
  {
    original: 'htu without the query of the request: accepted',
    here: 'aud without the query of the request',
    answer: '200',
    request: async (scene) => (await call(scene)).replace('/stock', '/stock?a=b'),
  },
  row('htu is another URL', 'aud is another URL', 'WIMSE_WPT_AUDIENCE', () => ({
    wptClaims: { aud: 'https://www.certification.example/stock' },
  })),
  row('iat an hour ahead', 'exp an hour ahead', 'WIMSE_WPT_LIFETIME', ({ clock }) => ({
    wptClaims: { exp: clock() + 3600 },
  })),
  row('iat an hour ahead', 'nbf an hour ahead', 'WIMSE_WPT_NOT_YET_VALID', ({ clock }) => ({
    wptClaims: { nbf: clock() + 3600 },
  })),
  row('iat an hour ago', 'exp an hour ago', 'WIMSE_WPT_EXPIRED', ({ clock }) => ({
    wptClaims: { exp: clock() - 3600 },
  })),
  {
    original: 'the second use of a jti',
    here: 'the same, by a new proof of the same workload',
    answer: 'WIMSE_WPT_REPLAYED',
    request: async (scene) => {
      const jti = randomUUID()
      await scene.spend(await call(scene, { wptClaims: { jti } }))
      return call(scene, { wptClaims: { jti } })
    },
  },
  row('ath is another hash', 'the same', 'WIMSE_WPT_ACCESS_TOKEN_HASH', () => ({
    wptClaims: { ath: hashOf('another') },
  })),
  row(
    'signed with a key that the token is not bound to',
    'signed with a key that the WIT does not confirm',
    'WIMSE_WPT_SIGNATURE',
    ({ attackerKey }) => ({
      wptKey: attackerKey.privateJwk,
    }),
  ),
  row('unknown members of header and claims: accepted', 'the same', '200', () => ({
    wptHeader: { extra: 'a' },
    wptClaims: { extra: { b: [1] } },
  })),
  row('htu with scheme and host in upper case: accepted', 'aud with them', '200', () => ({
    wptClaims: { aud: `${ORIGIN.toUpperCase()}/stock` },
  })),
  row('htu with the default port: accepted', 'aud with it', '200', () => ({
    wptClaims: { aud: `${ORIGIN}:443/stock` },
  })),
  {
    original: 'no DPoP header',
    here: 'no proof field',
    answer: 'WIMSE_WPT_MISSING',
    request: async (scene) => (await call(scene)).replace(/Workload-Proof-Token: .*\r\n/, ''),
  },
  {
    original: 'no DPoP header, and the access token as a bearer token',
    here: 'the access token alone, as a bearer token',
    answer: 'WIMSE_WIT_MISSING',
    request: async () => get([AUTHORIZATION]),
  },
  {
    original: 'no DPoP header, and the access token as a bearer token',
    here: 'the WIT as a bearer token',
    answer: 'WIMSE_WIT_MISSING',
    request: async (scene) => get([`Authorization: Bearer ${(await scene.tokens()).wit}`]),
  },
  row('a good proof, after all this: accepted', 'the same', '200', () => ({})),
]

describe('the negative tests for DPoP of the OpenID conformance suite, for WIT and proof', () => {
  let scene: Scene
  let service: AttackedService
  const outcomeOf = async (sent: Sent): Promise<string> => {
    const answers = await exchange(service.port, sent)
    expect(answers).toHaveLength(1)
    return answers[0]!.outcome
  }
  beforeAll(async () => {
    scene = await createScene(async (sent) => expect(await outcomeOf(sent)).toBe('200'))
    service = await startAttackedService('plain', scene)
  })
  afterAll(() => service.app.close())

  for (const { original, here, answer, request } of ROWS) {
    it(`${original} → ${here}: ${answer}`, async () => {
      expect(await outcomeOf(await call(scene))).toBe('200')
      const sent = await request(scene)
      const handledBefore = service.handled()
      expect(await outcomeOf(sent)).toBe(answer)
      expect(service.handled()).toBe(handledBefore + (answer === '200' ? 1 : 0))
    })
  }
})
