import { hashOf } from '../fastify/hand-made.js'
import type { Attack, AttackTable, Request } from './attack.js'
import { authorizationOf, fieldsOf, get, goodWith, http2, type Scene } from './scene.js'

type Fields = (tokens: { wit: string; wpt: string }) => readonly string[]

/** A request with fields of one's own making of good tokens. */
const fields = (name: string, answer: string, make: Fields, control: Request = goodWith()): Attack => ({
  name,
  answer,
  request: async (scene) => get(make(await scene.tokens())),
  controls: [control],
})

/** A good request to another target, or with another request line. */
const target = (name: string, answer: string, line: string): Attack => ({
  name,
  answer,
  request: async (scene) => get(fieldsOf(await scene.tokens()), line),
})

/** A good request whose whole text is changed. */
const text = (name: string, answer: string, change: (good: string, scene: Scene) => string): Attack => ({
  name,
  answer,
  request: async (scene) => change(get(fieldsOf(await scene.tokens())), scene),
})

type Frames = (
  good: (readonly [string, string])[],
  tokens: { wit: string; wpt: string },
) => [string, string][]

const frames = (name: string, answer: string, make: Frames): Attack => ({
  name,
  answer,
  service: 'h2c',
  request: async (scene) => {
    const tokens = await scene.tokens()
    return make(http2(tokens), tokens)
  },
})

const NODE_20 = process.versions.node.startsWith('20.')

/** A good request with a body. */
const withBody =
  (fields: readonly string[], body: string): Request =>
  async (scene) =>
    `${get([...fieldsOf(await scene.tokens()), 'Content-Type: text/plain', ...fields]).replace('GET', 'POST')}${body}`

const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `a${index}: 1`)

const twoRequests: Request = async (scene) => {
  const first = get(fieldsOf(await scene.tokens())).replace('Connection: close\r\n', '')
  return first + get(fieldsOf(await scene.tokens()))
}

const H2C = ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']

const attacks: readonly Attack[] = [
  fields('the WIT field twice', 'WIMSE_WIT_REPEATED', (t) => [...fieldsOf(t), fieldsOf(t)[0]]),
  fields('the WIT field twice, the second in lower case', 'WIMSE_WIT_REPEATED', (t) => [
    ...fieldsOf(t),
    `workload-identity-token: ${t.wit}`,
  ]),
  fields('the WIT field twice, the first empty', 'WIMSE_WIT_REPEATED', (t) => [
    'Workload-Identity-Token:',
    ...fieldsOf(t),
  ]),
  fields('the WIT field twice, the last empty', 'WIMSE_WIT_REPEATED', (t) => [
    ...fieldsOf(t),
    'WORKLOAD-IDENTITY-TOKEN:',
  ]),
  fields('the WIT field three times', 'WIMSE_WIT_REPEATED', (t) => [
    'Workload-Identity-Token: a',
    ...fieldsOf(t),
    'Workload-Identity-Token: b',
  ]),
  fields('the proof field twice', 'WIMSE_WPT_REPEATED', (t) => [...fieldsOf(t), fieldsOf(t)[1]]),
  fields('the proof field twice, with mixed case', 'WIMSE_WPT_REPEATED', (t) => [
    `wORKLOAD-pROOF-tOKEN: ${t.wpt}`,
    ...fieldsOf(t),
  ]),
  fields('the proof field twice, one empty', 'WIMSE_WPT_REPEATED', (t) => [
    ...fieldsOf(t),
    'Workload-Proof-Token:',
  ]),
  fields('two WITs joined by a comma', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: `${t.wit},${t.wit}` }),
  ),
  fields('two WITs joined as Node joins them', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: `${t.wit}, ${t.wit}` }),
  ),
  fields('a comma behind the WIT', 'WIMSE_WIT_MALFORMED', (t) => fieldsOf({ ...t, wit: `${t.wit},` })),
  fields('a comma in front of the WIT', 'WIMSE_WIT_MALFORMED', (t) => fieldsOf({ ...t, wit: `,${t.wit}` })),
  fields('a WIT with a parameter', 'WIMSE_WIT_MALFORMED', (t) => fieldsOf({ ...t, wit: `${t.wit};q=1` })),
  fields('a WIT in quotes', 'WIMSE_WIT_MALFORMED', (t) => fieldsOf({ ...t, wit: `"${t.wit}"` })),
  fields('a WIT with a scheme', 'WIMSE_WIT_MALFORMED', (t) => fieldsOf({ ...t, wit: `Bearer ${t.wit}` })),
  fields('a WIT with a space in it', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: t.wit.replace('.', '. ') }),
  ),
  fields('a WIT with a tab in it', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: t.wit.replace('.', '\t.') }),
  ),
  fields('a no-break space behind the WIT', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: `${t.wit}\xa0` }),
  ),
  fields('a letter beyond ASCII in the WIT', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: t.wit.replace('e', '\xe9') }),
  ),
  fields('a letter beyond ASCII in the proof', 'WIMSE_WPT_MALFORMED', (t) =>
    fieldsOf({ ...t, wpt: t.wpt.replace('e', '\xe9') }),
  ),
  fields('a WIT in percent-encoding', 'WIMSE_WIT_MALFORMED', (t) =>
    fieldsOf({ ...t, wit: t.wit.replaceAll('.', '%2E') }),
  ),
  fields('the JSON serialization of the WIT', 'WIMSE_WIT_MALFORMED', (t) => {
    const [header = '', payload = '', signature = ''] = t.wit.split('.')
    return fieldsOf({ ...t, wit: JSON.stringify({ payload, protected: header, signature }) })
  }),
  fields('the WIT field folded over two lines', '400', (t) => fieldsOf({ ...t, wit: `\r\n ${t.wit}` })),
  fields('the proof field folded behind its value', '400', (t) => fieldsOf({ ...t, wpt: `${t.wpt}\r\n\tx` })),
  fields('a space in front of the colon', '400', ({ wit, wpt }) => [
    `Workload-Identity-Token : ${wit}`,
    `Workload-Proof-Token: ${wpt}`,
  ]),
  fields('a space in front of the field name', '400', (t) => [` ${fieldsOf(t)[0]}`, fieldsOf(t)[1]]),
  fields('NUL in the WIT', '400', (t) => fieldsOf({ ...t, wit: `${t.wit}\0` })),
  fields('NUL in a field name', '400', (t) => [`Workload-\0${fieldsOf(t)[0].slice(9)}`, fieldsOf(t)[1]]),
  fields('a control character in the WIT', '400', (t) => fieldsOf({ ...t, wit: `\x01${t.wit}` })),
  fields('DEL in the proof', '400', (t) => fieldsOf({ ...t, wpt: `${t.wpt}\x7f` })),
  fields('a bare carriage return in the WIT', '400', (t) => fieldsOf({ ...t, wit: `${t.wit}\rX: 1` })),
  fields('a bare line feed in the WIT', '400', (t) => fieldsOf({ ...t, wit: `${t.wit}\nX: 1` })),
  fields('underscores for the dashes', 'WIMSE_WIT_MISSING', ({ wit, wpt }) => [
    `Workload_Identity_Token: ${wit}`,
    `Workload_Proof_Token: ${wpt}`,
  ]),
  fields('an underscore in the proof field alone', 'WIMSE_WPT_MISSING', ({ wit, wpt }) => [
    `Workload-Identity-Token: ${wit}`,
    `Workload-Proof_Token: ${wpt}`,
  ]),
  fields('X- in front of the field names', 'WIMSE_WIT_MISSING', (t) => fieldsOf(t).map((one) => `X-${one}`)),
  fields('the tokens in cookies', 'WIMSE_WIT_MISSING', ({ wit, wpt }) => [
    `Cookie: Workload-Identity-Token=${wit}; Workload-Proof-Token=${wpt}`,
  ]),
  fields('the tokens in Proxy-Authorization', 'WIMSE_WIT_MISSING', ({ wpt }) => [
    `Proxy-Authorization: WPT ${wpt}`,
  ]),
  fields('a field that names what should count as headers', 'WIMSE_WIT_MISSING', (t) => [
    `__proto__: ${t.wit}`,
    `constructor: ${t.wpt}`,
  ]),
  fields('a second proof in Authorization', 'WIMSE_WPT_REPEATED', (t) => [
    ...fieldsOf(t),
    authorizationOf(t)[1],
  ]),
  fields('a second proof in Authorization, its scheme in odd case', 'WIMSE_WPT_REPEATED', (t) => [
    ...fieldsOf(t),
    `Authorization: wPt\t${t.wpt}`,
  ]),
  {
    name: 'two Authorization fields',
    answer: 'WIMSE_WPT_ACCESS_TOKEN_HASH',
    request: goodWith({ wptClaims: { ath: hashOf('a') } }, '/stock', [
      'Authorization: Bearer a',
      'Authorization: Bearer b',
    ]),
    controls: [goodWith({ wptClaims: { ath: hashOf('a') } }, '/stock', ['Authorization: Bearer a'])],
  },
  // Node 20 drops what is beyond a thousand, later ones refuse it.
  fields(
    'a second WIT behind a thousand fields',
    NODE_20 ? 'WIMSE_TARGET_INVALID' : '431',
    (t) => [...fieldsOf(t), ...many(1100), fieldsOf(t)[0]],
    goodWith({}, '/stock', many(900)),
  ),
  fields(
    'a head larger than Node reads',
    '431',
    (t) => [...fieldsOf(t), `X: ${'x'.repeat(17_000)}`],
    goodWith({}, '/stock', [`X: ${'x'.repeat(13_000)}`]),
  ),
  fields('two Host fields', 'WIMSE_TARGET_INVALID', (t) => ['Host: evil.example', ...fieldsOf(t)]),
  {
    name: 'the target that a proxy would have been asked for',
    answer: 'WIMSE_WPT_AUDIENCE',
    request: async (scene) =>
      get([...fieldsOf(await scene.tokens()), 'X-Original-URL: /stock', 'X-Rewrite-URL: /stock'], '/admin'),
    controls: [goodWith({}, '/stock', ['X-Original-URL: /stock', 'X-Rewrite-URL: /stock'])],
  },
  {
    name: 'Content-Length and Transfer-Encoding',
    answer: '400',
    request: withBody(['Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    controls: [
      withBody(['Content-Length: 5'], '0\r\n\r\n'),
      withBody(['Transfer-Encoding: chunked'], '0\r\n\r\n'),
    ],
  },
  {
    name: 'two lengths that differ',
    answer: '400',
    request: withBody(['Content-Length: 0', 'Content-Length: 4'], 'body'),
    controls: [withBody(['Content-Length: 0'], ''), withBody(['Content-Length: 4'], 'body')],
  },
  {
    name: 'a length with a sign',
    answer: '400',
    request: withBody(['Content-Length: +4'], 'body'),
    controls: [withBody(['Content-Length: 4'], 'body')],
  },
  {
    name: 'a transfer coding behind chunked',
    answer: '400',
    request: withBody(['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'),
    controls: [withBody(['Transfer-Encoding: chunked'], '0\r\n\r\n')],
  },
  {
    name: 'the WIT in a trailer',
    answer: 'WIMSE_WIT_MISSING',
    request: async (scene) => {
      const [wit, wpt] = fieldsOf(await scene.tokens())
      const head = get([wpt, 'Content-Type: text/plain', 'Transfer-Encoding: chunked']).replace('GET', 'POST')
      return `${head}1\r\nx\r\n0\r\n${wit}\r\n\r\n`
    },
    controls: [withBody(['Transfer-Encoding: chunked'], '1\r\nx\r\n0\r\nX-Trailer: x\r\n\r\n')],
  },
  {
    name: 'a second request without tokens behind a good one',
    answer: 'WIMSE_WIT_MISSING',
    letIn: 1,
    request: async (scene) => {
      const good = get(fieldsOf(await scene.tokens())).replace('Connection: close\r\n', '')
      return good + get([])
    },
    controls: [twoRequests],
  },
  {
    name: 'a second request with the tokens of the first',
    answer: 'WIMSE_WPT_REPLAYED',
    letIn: 1,
    request: async (scene) => {
      const good = get(fieldsOf(await scene.tokens()))
      return good.replace('Connection: close\r\n', '') + good
    },
    controls: [twoRequests],
  },
  {
    name: 'a request hidden in the body of one that is refused',
    answer: 'WIMSE_WIT_MISSING',
    request: async (scene) => {
      const hidden = get(fieldsOf(await scene.tokens()))
      const fields = [`Content-Length: ${hidden.length}`, 'Content-Type: text/plain']
      return get(fields).replace('GET', 'POST') + hidden
    },
    controls: [
      async (scene) => {
        const hidden = get(fieldsOf(await scene.tokens()))
        return withBody([`Content-Length: ${hidden.length}`], hidden)(scene)
      },
    ],
  },
  fields('an upgrade to h2c without tokens', 'WIMSE_WIT_MISSING', () => H2C, goodWith({}, '/stock', H2C)),
  fields(
    'no tokens but Expect',
    'WIMSE_WIT_MISSING',
    () => ['Expect: 100-continue'],
    goodWith({}, '/stock', ['Expect: 100-continue']),
  ),
  target('an absolute target of this service', 'WIMSE_TARGET_INVALID', 'https://inventory.example.com/stock'),
  target('an absolute target of another host', 'WIMSE_TARGET_INVALID', 'http://evil.example/stock'),
  target('dot segments in the target', 'WIMSE_TARGET_INVALID', '/admin/../stock'),
  target('escaped dot segments in the target', 'WIMSE_TARGET_INVALID', '/admin/%2e%2E/stock'),
  target('a backslash in the target', 'WIMSE_TARGET_INVALID', '/admin\\..\\stock'),
  target('a fragment in the target', 'WIMSE_TARGET_INVALID', '/stock#admin'),
  target('an authority in the path', 'WIMSE_WPT_AUDIENCE', '//inventory.example.com/stock'),
  target('an escape that is none', '400', '/stock%zz'),
  target('a letter beyond ASCII in the target', '400', '/stock\xe9'),
  target('a tab in the target', '400', '/sto\tck'),
  target('a space in the target', '400', '/stock /admin'),
  text('no Host at all', '400', (good) => good.replace(/Host:.*\r\n/, '')),
  text('an HTTP version that does not exist', '400', (good) => good.replace('HTTP/1.1', 'HTTP/9.9')),
  text('lines that end in a line feed alone', '400', (good) => good.replaceAll('\r\n', '\n')),
  text('a line break in front of the field name', '400', (good) =>
    good.replace('Workload-I', '\r\r\nWorkload-I'),
  ),
  text('CONNECT', 'closed', (good) => good.replace('GET', 'CONNECT')),
  frames('two WITs over HTTP/2', 'WIMSE_WIT_REPEATED', (good, { wit }) => [
    ...(good as [string, string][]),
    ['workload-identity-token', wit],
  ]),
  frames('two proofs over HTTP/2', 'WIMSE_WPT_REPEATED', (good, { wpt }) => [
    ...(good as [string, string][]),
    ['workload-proof-token', wpt],
  ]),
  frames('a WIT as a pseudo field', 'RST_STREAM', (good, { wit }) => [
    [':workload-identity-token', wit],
    ...(good.filter(([name]) => name !== 'workload-identity-token') as [string, string][]),
  ]),
  frames('two paths', 'RST_STREAM', (good) => [[':path', '/admin'], ...(good as [string, string][])]),
  frames('a pseudo field behind the others', 'RST_STREAM', (good) => [
    ...(good as [string, string][]),
    [':path', '/admin'],
  ]),
  frames('a field name in upper case', 'RST_STREAM', (good) =>
    good.map(([name, value]) => [name.replace('workload-identity', 'Workload-Identity'), value]),
  ),
  frames('a field of the connection', 'RST_STREAM', (good) => [
    ...(good as [string, string][]),
    ['transfer-encoding', 'chunked'],
  ]),
  frames('an authority in the path over HTTP/2', 'WIMSE_WPT_AUDIENCE', (good) =>
    good.map(([name, value]) => [name, name === ':path' ? '//evil.example/stock' : value]),
  ),
]

export const headerSmuggling: AttackTable = { name: 'header smuggling', attacks }
