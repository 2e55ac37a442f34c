import type { Attack, AttackTable, Request, ServiceName } from './attack.js'
import { authorizationOf, fieldsOf, get, goodWith, type Scene } from './scene.js'
import { hashOf, type HandMade } from '../fastify/hand-made.js'

type Make = (parts: {
  tokens: HandMade
  bearer: string
  scene: Scene
}) => readonly string[] | Promise<readonly string[]>

/** Fields made of good tokens and a good bearer token of a caller that has no WIT yet. */
const on = (service: ServiceName, name: string, answer: string, make: Make): Attack => ({
  name: service === 'plain' ? name : `${name} (${service})`,
  answer,
  service,
  ...(service in CONTROLS ? { controls: CONTROLS[service] } : {}),
  request: async (scene) => {
    const tokens = await scene.tokens()
    const bearer = await scene.issuer.token({ sub: 'wimse://example.com/old' })
    return get(await make({ tokens, bearer, scene }))
  },
})

/** The same move beside another good request. */
const beside = (controls: readonly Request[], attack: Attack): Attack => ({ ...attack, controls })

const bearerAlone: Request = async (scene) => get([await bearerOf(scene, {})])
/** Good tokens and a bearer token that they cover. */
const covering =
  (scheme: string): Request =>
  async (scene) => {
    const bearer = await scene.issuer.token({ sub: 'wimse://example.com/old' })
    return goodWith({ wptClaims: { ath: hashOf(bearer) } }, '/stock', [`Authorization: ${scheme} ${bearer}`])(
      scene,
    )
  }
const goodBeside: Request = async (scene) =>
  get([...fieldsOf(await scene.tokens()), await bearerOf(scene, {})])
const coveredTransaction = goodWith({ wptClaims: { tth: hashOf('a') } }, '/stock', ['Txn-Token: a'])
const coveredSession = goodWith({ wptClaims: { oth: { 'x-session-token': hashOf('a') } } }, '/stock', [
  'X-Session-Token: a',
])
/** Of services where another request is meant than the one that is let in anyway. */
const CONTROLS: { readonly [Name in ServiceName]?: readonly Request[] } = {
  'other tokens': [goodWith(), coveredSession],
  transition: [bearerAlone],
}

const bearerOf = async ({ issuer }: Scene, claims: object, header: object = {}): Promise<string> =>
  `Authorization: Bearer ${await issuer.token({ sub: 'wimse://example.com/old', ...claims }, { ...header })}`

const attacks: readonly Attack[] = [
  on('plain', 'a bearer token where a WIT is needed', 'WIMSE_WIT_MISSING', ({ bearer }) => [
    `Authorization: Bearer ${bearer}`,
  ]),
  on('plain', 'no credential', 'WIMSE_WIT_MISSING', () => []),
  on('plain', 'the WIT without a proof', 'WIMSE_WPT_MISSING', ({ tokens }) => [fieldsOf(tokens)[0]]),
  on('plain', 'the proof without a WIT', 'WIMSE_WIT_MISSING', ({ tokens }) => [fieldsOf(tokens)[1]]),
  on('plain', 'an empty WIT', 'WIMSE_WIT_MALFORMED', ({ tokens }) => fieldsOf({ ...tokens, wit: '' })),
  on('plain', 'an empty proof', 'WIMSE_WPT_MALFORMED', ({ tokens }) => fieldsOf({ ...tokens, wpt: '' })),
  on('plain', 'the WIT as a bearer token', 'WIMSE_WIT_MISSING', ({ tokens }) => [
    `Authorization: Bearer ${tokens.wit}`,
  ]),
  beside(
    [covering('Bearer')],
    on(
      'plain',
      'an access token that no proof covers',
      'WIMSE_WPT_ACCESS_TOKEN_HASH',
      ({ tokens, bearer }) => [...fieldsOf(tokens), `Authorization: Bearer ${bearer}`],
    ),
  ),
  beside(
    [covering('DPoP')],
    on('plain', 'a DPoP token that no proof covers', 'WIMSE_WPT_ACCESS_TOKEN_HASH', ({ tokens, bearer }) => [
      ...fieldsOf(tokens),
      `Authorization: DPoP ${bearer}`,
    ]),
  ),
  beside(
    [covering('Bearer')],
    on('plain', 'an access token that was taken away', 'WIMSE_WPT_ACCESS_TOKEN_HASH', async ({ scene }) =>
      fieldsOf(await scene.tokens({ wptClaims: { ath: hashOf('token') } })),
    ),
  ),
  beside(
    [covering('Bearer')],
    on(
      'plain',
      'an access token that was exchanged',
      'WIMSE_WPT_ACCESS_TOKEN_HASH',
      async ({ scene, bearer }) => [
        ...fieldsOf(await scene.tokens({ wptClaims: { ath: hashOf('token') } })),
        `Authorization: Bearer ${bearer}`,
      ],
    ),
  ),
  beside(
    [coveredTransaction],
    on(
      'plain',
      'a transaction token that no proof covers',
      'WIMSE_WPT_TXN_TOKEN_HASH',
      ({ tokens, bearer }) => [...fieldsOf(tokens), `Txn-Token: ${bearer}`],
    ),
  ),
  beside(
    [coveredTransaction],
    on('plain', 'a transaction token that was taken away', 'WIMSE_WPT_TXN_TOKEN_HASH', async ({ scene }) =>
      fieldsOf(await scene.tokens({ wptClaims: { tth: hashOf('token') } })),
    ),
  ),
  beside(
    [coveredTransaction],
    on('plain', 'two transaction tokens', 'WIMSE_WPT_TXN_TOKEN_HASH', async ({ scene }) => [
      ...fieldsOf(await scene.tokens({ wptClaims: { tth: hashOf('a') } })),
      'Txn-Token: a',
      'Txn-Token: b',
    ]),
  ),
  on('other tokens', 'a session that no proof covers', 'WIMSE_WPT_OTHER_TOKEN_HASH', ({ tokens, bearer }) => [
    ...fieldsOf(tokens),
    `X-Session-Token: ${bearer}`,
  ]),
  on('other tokens', 'an empty session that no proof covers', 'WIMSE_WPT_OTHER_TOKEN_HASH', ({ tokens }) => [
    ...fieldsOf(tokens),
    'X-Session-Token:',
  ]),
  on('other tokens', 'a session twice', 'WIMSE_WPT_OTHER_TOKEN_HASH', async ({ scene }) => [
    ...fieldsOf(await scene.tokens({ wptClaims: { oth: { 'x-session-token': hashOf('a') } } })),
    'X-Session-Token: a',
    'X-Session-Token: b',
  ]),
  on('other tokens', 'a session that was taken away', 'WIMSE_WPT_OTHER_TOKEN_HASH', async ({ scene }) =>
    fieldsOf(await scene.tokens({ wptClaims: { oth: { 'x-session-token': hashOf('a') } } })),
  ),
  on(
    'other tokens',
    'a session covered by its name in upper case',
    'WIMSE_WPT_OTHER_TOKEN_HASH',
    async ({ scene }) => [
      ...fieldsOf(await scene.tokens({ wptClaims: { oth: { 'X-Session-Token': hashOf('a') } } })),
      'X-Session-Token: a',
    ],
  ),
  on('other tokens', 'oth that is a list', 'WIMSE_WPT_OTHER_TOKEN_HASH', async ({ scene }) =>
    fieldsOf(await scene.tokens({ wptClaims: { oth: [] } })),
  ),
  on('other tokens', 'oth that names an inherited field', 'WIMSE_WPT_OTHER_TOKEN_HASH', async ({ scene }) =>
    fieldsOf(await scene.tokens({ wptClaims: { oth: { constructor: hashOf('') } } })),
  ),
  on('plain', 'a proof in Authorization where none is taken', 'WIMSE_WPT_MISSING', ({ tokens }) =>
    authorizationOf(tokens),
  ),
  on('wpt-02', 'a proof in its own field where none is taken', 'WIMSE_WPT_MISSING', ({ tokens }) =>
    fieldsOf(tokens),
  ),
  on('wpt-02', 'no credential', 'WIMSE_WPT_MISSING', () => []),
  on('wpt-02', 'a proof and a bearer token', 'WIMSE_WPT_REPEATED', ({ tokens, bearer }) => [
    ...authorizationOf(tokens),
    `Authorization: Bearer ${bearer}`,
  ]),
  on('wpt-02', 'a bearer token and a proof in one field', 'WIMSE_WPT_MISSING', ({ tokens, bearer }) => [
    fieldsOf(tokens)[0],
    `Authorization: Bearer ${bearer}, WPT ${tokens.wpt}`,
  ]),
  on('wpt-02', 'a proof and a bearer token in one field', 'WIMSE_WPT_MALFORMED', ({ tokens, bearer }) => [
    fieldsOf(tokens)[0],
    `Authorization: WPT ${tokens.wpt}, Bearer ${bearer}`,
  ]),
  on('wpt-02', 'a proof as a parameter', 'WIMSE_WPT_MALFORMED', ({ tokens }) => [
    fieldsOf(tokens)[0],
    `Authorization: WPT token="${tokens.wpt}"`,
  ]),
  on('wpt-02', 'an empty proof', 'WIMSE_WPT_MALFORMED', ({ tokens }) => [
    fieldsOf(tokens)[0],
    'Authorization: WPT',
  ]),
  on('wpt-02', 'a proof behind a no-break space', 'WIMSE_WPT_ACCESS_TOKEN_HASH', ({ tokens }) => [
    fieldsOf(tokens)[0],
    `Authorization: WPT\xa0${tokens.wpt}`,
  ]),
  beside(
    [bearerAlone, covering('Bearer')],
    on(
      'transition',
      'a bad proof beside a good bearer token',
      'WIMSE_WPT_MALFORMED',
      ({ tokens, bearer }) => [...fieldsOf({ ...tokens, wpt: 'x' }), `Authorization: Bearer ${bearer}`],
    ),
  ),
  beside(
    [bearerAlone, covering('Bearer')],
    on('transition', 'an empty WIT beside a good bearer token', 'WIMSE_WPT_MISSING', ({ bearer }) => [
      'Workload-Identity-Token:',
      `Authorization: Bearer ${bearer}`,
    ]),
  ),
  beside(
    [bearerAlone, covering('Bearer')],
    on('transition', 'an empty proof beside a good bearer token', 'WIMSE_WIT_MISSING', ({ bearer }) => [
      'Workload-Proof-Token:',
      `Authorization: Bearer ${bearer}`,
    ]),
  ),
  beside(
    [bearerAlone, covering('Bearer')],
    on(
      'transition',
      'a WIT without a proof beside a good bearer token',
      'WIMSE_WPT_MISSING',
      ({ tokens, bearer }) => [fieldsOf(tokens)[0], `Authorization: Bearer ${bearer}`],
    ),
  ),
  beside(
    [bearerAlone, goodWith(), covering('Bearer')],
    on(
      'transition',
      'good tokens beside a bearer token they do not cover',
      'WIMSE_WPT_ACCESS_TOKEN_HASH',
      ({ tokens, bearer }) => [...fieldsOf(tokens), `Authorization: Bearer ${bearer}`],
    ),
  ),
  on('transition', 'the WIT as a bearer token', 'WIMSE_BEARER_INVALID', ({ tokens }) => [
    `Authorization: Bearer ${tokens.wit}`,
  ]),
  on('transition', 'the proof as a bearer token', 'WIMSE_BEARER_INVALID', ({ tokens }) => [
    `Authorization: Bearer ${tokens.wpt}`,
  ]),
  on('transition', 'a bearer token that is bound to a key', 'WIMSE_BEARER_INVALID', async ({ scene }) => [
    await bearerOf(scene, { cnf: { jkt: 'x' } }),
  ]),
  on('transition', 'a bearer token of a caller that has moved', 'WIMSE_BEARER_REFUSED', async ({ scene }) => [
    await bearerOf(scene, { sub: 'wimse://example.com/caller' }),
  ]),
  on(
    'transition',
    'a bearer token of a caller that has moved, respelled',
    'WIMSE_BEARER_INVALID',
    async ({ scene }) => [await bearerOf(scene, { sub: 'wimse://EXAMPLE.com/caller' })],
  ),
  on('transition', 'a bearer token that calls itself a WIT', 'WIMSE_BEARER_INVALID', async ({ scene }) => [
    await bearerOf(scene, {}, { typ: 'application/WIT+jwt' }),
  ]),
  on('transition', 'a bearer token of another issuer', 'WIMSE_BEARER_INVALID', async ({ scene }) => [
    await bearerOf(scene, { iss: 'https://evil.example' }),
  ]),
  on('transition', 'a bearer token for another service', 'WIMSE_BEARER_INVALID', async ({ scene }) => [
    await bearerOf(scene, { aud: 'https://evil.example' }),
  ]),
  on('transition', 'a bearer token that has ended', 'WIMSE_BEARER_INVALID', async ({ scene }) => [
    await bearerOf(scene, { exp: scene.clock() - 1 }),
  ]),
  on('transition', 'a bearer token without an end', 'WIMSE_BEARER_INVALID', async ({ scene }) => [
    await bearerOf(scene, { exp: undefined }),
  ]),
  on(
    'transition',
    'a bearer token that names a workload nobody trusts',
    'WIMSE_BEARER_INVALID',
    async ({ scene }) => [await bearerOf(scene, { sub: 'wimse://evil.example/a' })],
  ),
  on('transition', 'a bearer token with stray bits', 'WIMSE_BEARER_INVALID', ({ bearer }) => [
    `Authorization: Bearer ${bearer}=`,
  ]),
  on('transition', 'a bearer token cut in two', 'WIMSE_BEARER_INVALID', ({ bearer }) => [
    `Authorization: Bearer ${bearer.replace('.', ' .')}`,
  ]),
  on('transition', 'two bearer tokens', 'WIMSE_BEARER_INVALID', ({ bearer }) => [
    `Authorization: Bearer ${bearer}`,
    `Authorization: Bearer ${bearer}`,
  ]),
  on('transition', 'a bearer token under another scheme', 'WIMSE_BEARER_MISSING', ({ bearer }) => [
    `Authorization: DPoP ${bearer}`,
  ]),
  {
    name: 'a bearer token in the query (transition)',
    answer: 'WIMSE_BEARER_MISSING',
    service: 'transition',
    // Fastify logs a target with its query: no part of this token is one of the control.
    request: async ({ issuer }) => {
      const claims = { sub: 'wimse://example.com/old', jti: 'in-the-query' }
      return get([], `/stock?access_token=${await issuer.token(claims, { typ: 'application/at+jwt' })}`)
    },
    controls: [bearerAlone],
  },
  on('bearer', 'a WIT and a proof where a bearer token decides', 'WIMSE_BEARER_MISSING', ({ tokens }) =>
    fieldsOf(tokens),
  ),
  on('bearer', 'the WIT as a bearer token', 'WIMSE_BEARER_INVALID', ({ tokens }) => [
    `Authorization: Bearer ${tokens.wit}`,
  ]),
  beside(
    [goodBeside],
    on(
      'bearer',
      'a bad bearer token beside a good WIT and proof',
      'WIMSE_BEARER_INVALID',
      ({ tokens, bearer }) => [...fieldsOf(tokens), `Authorization: Bearer ${bearer}x`],
    ),
  ),
]

export const downgrade: AttackTable = { name: 'ways down to less', attacks }
