import { randomUUID } from 'node:crypto'
import type { Attack, AttackTable } from './attack.js'
import { authorizationOf, fieldsOf, get, goodWith, ORIGIN, type Scene } from './scene.js'
import type { HandMade } from '../fastify/hand-made.js'

const REPLAYED = 'WIMSE_WPT_REPLAYED'

/** A proof that was used, and comes again in some other way. */
const again = (
  name: string,
  answer: string,
  make: (spent: HandMade, scene: Scene) => string | Promise<string>,
  service: Attack['service'] = 'plain',
): Attack => ({
  name,
  answer,
  service,
  request: async (scene) => {
    const tokens = await scene.tokens()
    await scene.spend(get(fieldsOf(tokens)))
    return make(tokens, scene)
  },
  // Where its spelling alone is no reason, the same is let in the first time.
  controls: [answer === REPLAYED ? async (scene) => make(await scene.tokens(), scene) : goodWith()],
})

/** The same, with the last character of a part changed in bits that mean nothing. */
function respelled(token: string): string {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = ALPHABET.indexOf(token.at(-1)!)
  return token.slice(0, -1) + ALPHABET[last ^ 1]!
}

/** A second proof with the `jti` of the first, both made by one workload. */
const sameJti = (
  name: string,
  answer: string,
  change: Parameters<Scene['tokens']>[0],
  target = '/stock',
): Attack => ({
  name,
  answer,
  request: async (scene) => {
    const jti = randomUUID()
    await scene.spend(get(fieldsOf(await scene.tokens({ wptClaims: { jti } }))))
    return get(fieldsOf(await scene.tokens({ ...change, wptClaims: { jti, ...change?.wptClaims } })), target)
  },
  controls: [goodWith(), goodWith(change, target)],
})

const attacks: readonly Attack[] = [
  again('the same request', REPLAYED, (spent) => get(fieldsOf(spent))),
  again('the same proof with another method', REPLAYED, (spent) =>
    get(fieldsOf(spent)).replace('GET', 'DELETE'),
  ),
  again('the same proof with a query', REPLAYED, (spent) => get(fieldsOf(spent), '/stock?all=1')),
  again('the same proof with its path escaped', REPLAYED, (spent) => get(fieldsOf(spent), '/%73tock')),
  again('the same proof with a body', REPLAYED, (spent) =>
    get(fieldsOf(spent)).replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n'),
  ),
  again('the same proof under another Host', REPLAYED, (spent) => get(fieldsOf(spent), '/stock', 'Host: a')),
  again('the same proof in fields of another case', REPLAYED, ({ wit, wpt }) =>
    get([`workload-proof-token:   ${wpt}  `, `WORKLOAD-IDENTITY-TOKEN:${wit}`]),
  ),
  again(
    'the same proof in Authorization',
    REPLAYED,
    (spent) => get(authorizationOf(spent)),
    'both revisions',
  ),
  {
    name: 'the same proof, first in Authorization',
    answer: REPLAYED,
    service: 'both revisions',
    request: async (scene) => {
      const tokens = await scene.tokens()
      await scene.spend(get(authorizationOf(tokens)))
      return get(fieldsOf(tokens))
    },
    controls: [goodWith(), async (scene) => get(authorizationOf(await scene.tokens()))],
  },
  again('the same proof with stray bits in its signature', 'WIMSE_WPT_MALFORMED', ({ wit, wpt }) =>
    get(fieldsOf({ wit, wpt: respelled(wpt) })),
  ),
  again('the same proof with padding', 'WIMSE_WPT_MALFORMED', ({ wit, wpt }) =>
    get(fieldsOf({ wit, wpt: `${wpt}==` })),
  ),
  again('the same proof in base64', 'WIMSE_WPT_MALFORMED', ({ wit, wpt }) =>
    get(fieldsOf({ wit, wpt: `${wpt.slice(0, -1).replaceAll('-', '+').replaceAll('_', '/')}+` })),
  ),
  again('the same proof with a WIT spelled otherwise', 'WIMSE_WIT_MALFORMED', ({ wit, wpt }) =>
    get(fieldsOf({ wit: respelled(wit), wpt })),
  ),
  again('the mirrored signature of the same proof', REPLAYED, ({ wit, wpt }) =>
    get(fieldsOf({ wit, wpt: mirrored(wpt) })),
  ),
  sameJti('the same jti in a new proof', REPLAYED, {}),
  sameJti('the same jti for another path', REPLAYED, { wptClaims: { aud: `${ORIGIN}/else` } }, '/else'),
  sameJti('the same jti under a new WIT of the caller', REPLAYED, { witClaims: { jti: 'new' } }),
  sameJti('the same jti with a longer life', REPLAYED, { wptHeader: { kid: 'x' } }),
  {
    name: 'one proof fifty times at once',
    answer: REPLAYED,
    times: 50,
    letIn: 1,
    request: async (scene) => get(fieldsOf(await scene.tokens())),
  },
  {
    name: 'one proof fifty times at once, its WIT known',
    answer: REPLAYED,
    times: 50,
    letIn: 1,
    request: async (scene) => {
      const tokens = await scene.tokens()
      await scene.spend(get(fieldsOf(await scene.tokens({ wit: () => tokens.wit }))))
      return get(fieldsOf(tokens))
    },
  },
  {
    name: 'one proof twenty times over one connection',
    answer: REPLAYED,
    letIn: 1,
    request: async (scene) => {
      const last = get(fieldsOf(await scene.tokens()))
      return last.replace('Connection: close\r\n', '').repeat(19) + last
    },
    controls: [
      async (scene) => {
        const all = await Promise.all(
          Array.from({ length: 20 }, async () => get(fieldsOf(await scene.tokens()))),
        )
        return all.map((one, index) => (index < 19 ? one.replace('Connection: close\r\n', '') : one)).join('')
      },
    ],
  },
  {
    name: 'the clock set back',
    answer: REPLAYED,
    request: async (scene) => {
      const sent = get(fieldsOf(await scene.tokens()))
      await scene.spend(sent)
      scene.clock.advance(-60)
      return sent
    },
  },
  {
    name: 'the clock set ahead, as far as the proof lives',
    answer: REPLAYED,
    request: async (scene) => {
      const sent = get(fieldsOf(await scene.tokens()))
      await scene.spend(sent)
      scene.clock.advance(239)
      return sent
    },
  },
  {
    name: 'the clock set ahead to the end of the proof',
    answer: 'WIMSE_WPT_EXPIRED',
    request: async (scene) => {
      const sent = get(fieldsOf(await scene.tokens()))
      await scene.spend(sent)
      scene.clock.advance(240)
      return sent
    },
  },
  {
    name: 'the clock set far ahead and back',
    answer: 'WIMSE_WPT_EXPIRED',
    request: async (scene) => {
      const sent = get(fieldsOf(await scene.tokens({ wptClaims: { exp: scene.clock() + 60 } })))
      await scene.spend(sent)
      scene.clock.advance(120)
      await scene.spend(get(fieldsOf(await scene.tokens())))
      scene.clock.advance(-100)
      return sent
    },
  },
  ...(
    [
      ['no jti', undefined],
      ['an empty jti', ''],
      ['a jti that is a number', 1],
      ['a jti that is a list', ['a']],
      ['a jti that is null', null],
      ['a jti of 257 characters', 'x'.repeat(257)],
    ] as const
  ).map(
    ([name, jti]): Attack => ({
      name,
      answer: 'WIMSE_WPT_JTI',
      request: async (scene) => get(fieldsOf(await scene.tokens({ wptClaims: { jti } }))),
    }),
  ),
  ...(
    [
      ['a proof without an end', undefined, 'WIMSE_WPT_LIFETIME'],
      ['a proof whose end is a text', '9999999999', 'WIMSE_WPT_LIFETIME'],
      ['a proof whose end is null', null, 'WIMSE_WPT_LIFETIME'],
      ['a proof that lives for ever', 9e15, 'WIMSE_WPT_LIFETIME'],
      ['a proof that ended before time', -1, 'WIMSE_WPT_EXPIRED'],
    ] as const
  ).map(
    ([name, exp, answer]): Attack => ({
      name,
      answer,
      request: async (scene) => get(fieldsOf(await scene.tokens({ wptClaims: { exp } }))),
    }),
  ),
  ...(['exp', 'nbf'] as const).map(
    (claim): Attack => ({
      name: `a proof whose ${claim} is beyond all numbers`,
      answer: claim === 'exp' ? 'WIMSE_WPT_LIFETIME' : 'WIMSE_WPT_NOT_YET_VALID',
      request: async (scene) => get(fieldsOf(await scene.tokens({ wptClaims: { [claim]: 1e300 } }))),
    }),
  ),
]

/** The other signature that verifies: s taken from the order of P-256. */
function mirrored(token: string): string {
  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')
  const s = N - BigInt(`0x${signature.subarray(32).toString('hex')}`)
  const other = Buffer.concat([
    signature.subarray(0, 32),
    Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
  ])
  return token.slice(0, token.lastIndexOf('.') + 1) + other.toString('base64url')
}

export const replay: AttackTable = { name: 'replays and races', attacks }
