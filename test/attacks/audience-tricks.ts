import type { HandMade } from '../fastify/hand-made.js'
import type { Attack, AttackTable, ServiceName } from './attack.js'
import { fieldsOf, get, goodWith, ORIGIN } from './scene.js'

const HOST = 'inventory.example.com'

/** A proof for this audience, sent to a target. */
const aud = (name: string, value: unknown, target = '/stock', service: ServiceName = 'plain'): Attack => ({
  name,
  answer: 'WIMSE_WPT_AUDIENCE',
  service,
  request: goodWith({ wptClaims: { aud: value } }, target),
  controls: [
    goodWith(
      {
        witClaims: {
          sub: target.startsWith('/admin') ? 'wimse://example.com/admin' : 'wimse://example.com/caller',
        },
        wptClaims: { aud: `${ORIGIN}${service === 'gateway' ? '/inventory' : ''}${target}` },
      },
      target,
    ),
  ],
})

const fromElsewhere = (tokens: HandMade): string =>
  get(
    [
      ...fieldsOf(tokens),
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Proto: https',
      'Forwarded: host=evil.example;proto=https',
    ],
    '/stock',
    'Host: evil.example',
  )

const attacks: readonly Attack[] = [
  aud('no audience', undefined),
  aud('an empty audience', ''),
  aud('null', null),
  aud('a number', 1),
  aud('true', true),
  aud('an object', { aud: `${ORIGIN}/stock` }),
  aud('an empty list', []),
  aud('two audiences', [`${ORIGIN}/stock`, 'https://evil.example/stock']),
  aud('the same audience twice', [`${ORIGIN}/stock`, `${ORIGIN}/stock`]),
  aud('a list within a list', [[`${ORIGIN}/stock`]]),
  aud('a list of one that is null', [null]),
  aud('two audiences in one text', `${ORIGIN}/stock https://evil.example/stock`),
  aud('another host', 'https://evil.example/stock'),
  aud('a host that ends like ours', `https://evil-${HOST}/stock`),
  aud('a host that begins like ours', `https://${HOST}.evil.example/stock`),
  aud('a host below ours', `https://a.${HOST}/stock`),
  aud('a host above ours', 'https://example.com/stock'),
  aud('our host with a dot at its end', `https://${HOST}./stock`),
  aud('our host with a letter of another script', `https://inventory.ex\u0430mple.com/stock`),
  aud('our host with wide letters', `https://${HOST.replace('e', '\uff45')}/stock`),
  aud('our host with an escape', `https://${HOST.replace('.', '%2e')}/stock`),
  aud('our host as a user of another', `https://${HOST}@evil.example/stock`),
  aud('a user in front of our host', `https://evil.example@${HOST}/stock`),
  aud('an empty user', `https://@${HOST}/stock`),
  aud('a user and a secret', `https://a:b@${HOST}/stock`),
  aud('our host behind a backslash', `https://evil.example\\@${HOST}/stock`),
  aud('our host in front of a backslash', `https://${HOST}\\.evil.example/stock`),
  aud('backslashes for slashes', `https:\\\\${HOST}\\stock`),
  aud('one slash', `https:/${HOST}/stock`),
  aud('three slashes', `https:///${HOST}/stock`),
  aud('no scheme', `//${HOST}/stock`),
  aud('a scheme of no protection', `http://${HOST}/stock`),
  aud('the scheme of a WebSocket', `wss://${HOST}/stock`),
  aud('a scheme nobody knows', `xhttps://${HOST}/stock`),
  aud('a URL within a URL', `blob:https://${HOST}/stock`),
  aud('another port', `https://${HOST}:8443/stock`),
  aud('the port of http', `https://${HOST}:80/stock`),
  aud('a port beyond what there is', `https://${HOST}:65979/stock`),
  aud('a port that is none', `https://${HOST}:x/stock`),
  aud('the origin alone', ORIGIN),
  aud('the origin and a slash', `${ORIGIN}/`),
  aud('the path alone', '/stock'),
  aud('another path', `${ORIGIN}/admin`),
  aud('a path in another case', `${ORIGIN}/Stock`),
  aud('a slash at the end of the audience', `${ORIGIN}/stock/`),
  aud('a slash at the end of the target', `${ORIGIN}/stock`, '/stock/'),
  aud('a path that begins like ours', `${ORIGIN}/stock`, '/stocks'),
  aud('a path below ours', `${ORIGIN}/stock`, '/stock/42'),
  aud('a path above ours', `${ORIGIN}/stock/42`, '/stock'),
  aud('two slashes in the audience', `${ORIGIN}//stock`),
  aud('two slashes in the target', `${ORIGIN}/stock`, '//stock'),
  aud('a slash that is escaped in the audience', `${ORIGIN}/a%2Fb`, '/a/b'),
  aud('a slash that is escaped in the target', `${ORIGIN}/a/b`, '/a%2Fb'),
  aud('a slash that is escaped twice', `${ORIGIN}/a%252Fb`, '/a%2Fb'),
  aud('a backslash that is escaped', `${ORIGIN}/a/b`, '/a%5Cb'),
  aud('a question mark that is escaped', `${ORIGIN}/stock`, '/stock%3Fx'),
  aud('a number sign that is escaped', `${ORIGIN}/stock`, '/stock%23x'),
  aud('NUL that is escaped', `${ORIGIN}/stock`, '/stock%00'),
  aud('the path in the query of the audience', `${ORIGIN}/?/stock`),
  aud('the path in the fragment of the audience', `${ORIGIN}/#/stock`),
  aud('the path in the query of the target', `${ORIGIN}/stock`, '/admin?/stock'),
  aud('a parameter of the path', `${ORIGIN}/stock`, '/stock;admin'),
  aud('a line break in the audience', `${ORIGIN}/st\nock`),
  aud('a tab in the audience', `${ORIGIN}/st\tock`),
  aud('a space behind the audience', `${ORIGIN}/stock `),
  aud('a letter beyond ASCII for its escape', `${ORIGIN}/\u00e9`, '/%C3%A9'),
  aud('an audience of 10,000 characters', `${ORIGIN}/stock?${'x'.repeat(8200)}`),
  aud('the path without the prefix of the gateway', `${ORIGIN}/stock`, '/stock', 'gateway'),
  aud('the prefix of another service behind the gateway', `${ORIGIN}/orders/stock`, '/stock', 'gateway'),
  aud('the prefix of the gateway twice', `${ORIGIN}/inventory/inventory/stock`, '/stock', 'gateway'),
  aud('a prefix that begins like that of the gateway', `${ORIGIN}/inventory2/stock`, '/stock', 'gateway'),
  aud('the prefix with its slash escaped', `${ORIGIN}/inventory%2Fstock`, '/stock', 'gateway'),
  {
    name: 'Host and X-Forwarded-* that fit the audience',
    answer: 'WIMSE_WPT_AUDIENCE',
    request: async (scene) =>
      fromElsewhere(await scene.tokens({ wptClaims: { aud: 'https://evil.example/stock' } })),
    controls: [async (scene) => fromElsewhere(await scene.tokens())],
  },
  {
    name: 'the proof of one path on another with the same handler',
    answer: 'WIMSE_WPT_AUDIENCE',
    request: async (scene) => get(fieldsOf(await scene.tokens()), '/else'),
    controls: [goodWith(), goodWith({}, '/else')],
  },
]

export const audienceTricks: AttackTable = { name: 'tricks with the audience', attacks }
