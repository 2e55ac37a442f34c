import type { Attack, AttackTable, Request } from './attack.js'
import { by, decode, encode, forge } from './forge.js'
import { fieldsOf, get, type Scene } from './scene.js'
import type { Change, HandMade } from '../fastify/hand-made.js'

type Parts = { good: HandMade; scene: Scene }

/** A token within a claim, a header or a field that a refusal may tell of; the whole log must not have it. */
const within = (name: string, answer: string, change: (parts: Parts) => Change): Attack => ({
  name,
  answer,
  request: besideGood(change),
  controls: [besideGood(() => ({}))],
})

/** The good tokens come along in a field that nobody reads, so that they count among the secrets. */
function besideGood(change: (parts: Parts) => Change): Request {
  return async (scene) => {
    const good = await scene.tokens()
    return get([
      ...fieldsOf(await scene.tokens(change({ good, scene }))),
      `X-Session-Token: ${good.wit} ${good.wpt} ${JSON.stringify(scene.key.privateJwk)}`,
    ])
  }
}

/** Of a token whose header and claims anyone can guess it is all there is to know. */
const signatureOf = (token: string): string => token.slice(token.lastIndexOf('.') + 1)

const attacks: readonly Attack[] = [
  within('a token for an audience', 'WIMSE_WPT_AUDIENCE', ({ good }) => ({ wptClaims: { aud: good.wit } })),
  within('tokens in a list of audiences', 'WIMSE_WPT_AUDIENCE', ({ good }) => ({
    wptClaims: { aud: [good.wit, good.wpt] },
  })),
  within('a token in the query of an audience', 'WIMSE_WPT_AUDIENCE', ({ good }) => ({
    wptClaims: { aud: `https://evil.example/a?access_token=${good.wit}` },
  })),
  within('a token in the path of an audience', 'WIMSE_WPT_AUDIENCE', ({ good }) => ({
    wptClaims: { aud: `https://evil.example/${good.wit}` },
  })),
  within('a signature alone for a kid', 'WIMSE_WIT_KEY', ({ good }) => ({
    witHeader: { kid: signatureOf(good.wpt) },
  })),
  within('a signature alone in the path of an audience', 'WIMSE_WPT_AUDIENCE', ({ good }) => ({
    wptClaims: { aud: `https://evil.example/${signatureOf(good.wit)}` },
  })),
  within('a signature alone for a type of proof', 'WIMSE_WPT_TYPE', ({ good, scene }) => ({
    wpt: (own) =>
      forge(
        { ...decode(own, 0), typ: signatureOf(good.wit) },
        decode(own, 1),
        by(scene.key.privateJwk, 'ES256'),
      ),
  })),
  within('a token for a kid', 'WIMSE_WIT_KEY', ({ good }) => ({ witHeader: { kid: good.wpt } })),
  within('a token for a type of WIT', 'WIMSE_WIT_TYPE', ({ good, scene }) => ({
    wit: (own) =>
      forge(
        { ...decode(own, 0), typ: good.wpt },
        decode(own, 1),
        by(scene.identityServer.issuerKey, 'ES256'),
      ),
  })),
  within('a token for an algorithm', 'WIMSE_WIT_ALGORITHM', ({ good, scene }) => ({
    wit: (own) =>
      forge(
        { ...decode(own, 0), alg: good.wpt },
        decode(own, 1),
        by(scene.identityServer.issuerKey, 'ES256'),
      ),
  })),
  within('a token for a type of proof', 'WIMSE_WPT_TYPE', ({ good, scene }) => ({
    wpt: (own) =>
      forge({ ...decode(own, 0), typ: good.wit }, decode(own, 1), by(scene.key.privateJwk, 'ES256')),
  })),
  within('a token for a subject', 'WIMSE_WIT_SUBJECT', ({ good }) => ({ witClaims: { sub: good.wit } })),
  within('a token in a trust domain', 'WIMSE_WIT_SUBJECT', ({ good }) => ({
    witClaims: { sub: `wimse://${good.wit}` },
  })),
  within('a token for an end', 'WIMSE_WIT_LIFETIME', ({ good }) => ({ witClaims: { exp: good.wpt } })),
  within('a token for the end of a proof', 'WIMSE_WPT_LIFETIME', ({ good }) => ({
    wptClaims: { exp: good.wpt },
  })),
  within('a token for a beginning', 'WIMSE_WPT_NOT_YET_VALID', ({ good }) => ({
    wptClaims: { nbf: good.wit },
  })),
  within('a token for a hash', 'WIMSE_WPT_WIT_HASH', ({ good }) => ({ wptClaims: { wth: good.wit } })),
  within('a token for a jti', 'WIMSE_WPT_JTI', ({ good }) => ({ wptClaims: { jti: good.wit + good.wpt } })),
  within('a token for a name in oth', 'WIMSE_WPT_OTHER_TOKEN_HASH', ({ good }) => ({
    wptClaims: { oth: { [encode(good.wpt).toLowerCase()]: 'x' } },
  })),
  within('a token for a cnf', 'WIMSE_WIT_CONFIRMATION', ({ good }) => ({ witClaims: { cnf: good.wit } })),
  within('a token for a curve', 'WIMSE_WIT_CONFIRMATION', ({ good, scene }) => ({
    witClaims: { cnf: { jwk: { ...scene.key.publicJwk, crv: good.wit } } },
  })),
  within('a private key in the WIT', 'WIMSE_WIT_CONFIRMATION', ({ scene }) => ({
    witClaims: { cnf: { jwk: scene.key.privateJwk } },
  })),
  within('a WIT cut in the middle', 'WIMSE_WIT_MALFORMED', () => ({
    wit: (own) => own.slice(0, own.length / 2),
  })),
  within('a proof cut in the middle', 'WIMSE_WPT_MALFORMED', () => ({
    wpt: (own) => own.slice(0, own.length / 2),
  })),
  within('a WIT with its parts in another order', 'WIMSE_WIT_MALFORMED', () => ({
    wit: (own) => own.split('.').toReversed().join('.'),
  })),
  within('a WIT and a proof in one', 'WIMSE_WIT_MALFORMED', ({ good }) => ({
    wit: (own) => `${own}.${good.wpt}`,
  })),
]

export const leaks: AttackTable = { name: 'having tokens written down', attacks }
