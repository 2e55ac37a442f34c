import { describe, expect, it } from 'vitest'
import { explain, parsePastedRequest, webCrypto } from 'wimse/explain'

const WIT = ['Workload-Identity-Token', 'a.b.c'] as const
const WPT = ['Workload-Proof-Token', 'd.e.f'] as const
const URL = 'https://inventory.example.com/stock/42?all=1'

describe('parsePastedRequest() reads a curl command', () => {
  const good = { method: 'GET', url: URL, target: null, headers: [WIT, WPT], isPartial: false, notes: [] }
  const spellings: Readonly<Record<string, string>> = {
    'in one line': `curl -H 'Workload-Identity-Token: a.b.c' -H 'Workload-Proof-Token: d.e.f' '${URL}'`,
    'with long options': `curl --header "Workload-Identity-Token: a.b.c" --header="Workload-Proof-Token: d.e.f" --url ${URL.replaceAll('?', '\\?')}`,
    'over several lines, behind a prompt': `$ curl '${URL}' \\\n  -H 'Workload-Identity-Token: a.b.c' \\\r\n  -H'Workload-Proof-Token:d.e.f'`,
    "with $'…' as browsers copy it": `curl $'https:\\u002f\\x2finventory.example.com/stock/42?all=1' -H $'Workload-Identity-Token: a.b.c' -H $'Workload-Proof-Token: d.e.f' --compressed`,
    'with switches in one word': `curl -sSiH 'Workload-Identity-Token: a.b.c' -H 'Workload-Proof-Token: d.e.f' -o out.json --max-time 3 '${URL}'`,
    'with carets, as browsers copy it for cmd.exe': `curl ^"${URL.replace(/[:?&]/g, '^$&')}^" ^\r\n  -H ^"Workload-Identity-Token: a.b.c^" ^\r\n  -H ^"Workload-Proof-Token: d.e.f^" ^\r\n  --data-raw ^"^{^\\^"a^\\^":1^}^^^\n\n^" -G`,
    'with quotes and carets, as they did before': `curl "${URL}" ^\n  -H "Workload-Identity-Token: a.b.c" ^\n  -H "Workload-Proof-Token: d.e.f"`,
    'with quotes inside a word': `curl https://inventory'.example'.com"/stock/42?all=1" -H Workload-Identity-Token:\\ a.b.c -H 'Workload-Proof-Token: 'd.e.f`,
  }
  for (const [how, text] of Object.entries(spellings)) {
    it(how, () => expect(parsePastedRequest(text)).toEqual(good))
  }

  it('knows the method by -X, by data and by -I', () => {
    const methodOf = (options: string) => parsePastedRequest(`curl ${options} ${URL}`).method
    expect([methodOf('-X PUT'), methodOf('-XDELETE'), methodOf("-d '{}'"), methodOf('-I')]).toEqual([
      'PUT',
      'DELETE',
      'POST',
      'HEAD',
    ])
    expect([methodOf("-G -d 'a=1'"), methodOf('--request PATCH --json {}')]).toEqual(['GET', 'PATCH'])
  })

  it('sends a bearer token as curl does, and fields that are empty or taken away', () => {
    const { headers, notes } = parsePastedRequest(`curl --oauth2-bearer t -H 'X-Empty;' -H 'Accept:' ${URL}`)
    expect(headers).toEqual([
      ['Authorization', 'Bearer t'],
      ['X-Empty', ''],
    ])
    expect(notes).toHaveLength(1)
  })

  it('says what it left out, and repeats no value', () => {
    const text = `curl --frobnicate secret -u me:secret -H @secret -H secret ${URL} https://secret.example | jq .secret`
    const { url, headers, notes } = parsePastedRequest(text)
    expect({ url, headers }).toEqual({ url: URL, headers: [] })
    expect(notes).toHaveLength(6)
    expect(notes.join()).toContain('--frobnicate')
    expect(notes.join()).not.toContain('secret')
  })

  it('lets a field take the place of --oauth2-bearer, as curl does', () => {
    const { headers } = parsePastedRequest(`curl --oauth2-bearer t -H 'authorization: WPT d.e.f' ${URL}`)
    expect(headers).toEqual([['authorization', 'WPT d.e.f']])
    expect(parsePastedRequest(`curl --oauth2-bearer t -H 'Authorization:' ${URL}`).headers).toEqual([])
  })

  it('takes no caret in single quotes for one of cmd.exe', () => {
    const text = `curl 'http://h:1/x^y' -H 'If-Match: ^"v1"' -H 'B: 1^2'`
    expect(parsePastedRequest(text)).toMatchObject({
      url: 'http://h:1/x^y',
      headers: [
        ['If-Match', '^"v1"'],
        ['B', '1^2'],
      ],
    })
  })

  it('takes dot segments out of the path as curl does, unless told otherwise', () => {
    const sent = (path: string, options = ''): string | null =>
      parsePastedRequest(`curl ${options} 'http://h:1/${path}'`).url
    // What curl 7.88 sends.
    const paths: Readonly<Record<string, string>> = {
      'a/../stock/42': 'stock/42',
      'a/./b/.': 'a/b/',
      'a/..': '',
      '..//x': '/x',
      'a/%2e%2e/stock': 'a/%2e%2e/stock',
      'a//../b': 'a/b',
      '../../x?q=/../y': 'x?q=/../y',
      'a/b/..?x': 'a/?x',
      '...': '...',
    }
    for (const [written, target] of Object.entries(paths)) expect(sent(written)).toBe(`http://h:1/${target}`)
    expect(sent('a/../b', '--path-as-is')).toBe('http://h:1/a/../b')
    expect(parsePastedRequest("curl 'http://h?/../x'").url).toBe('http://h?/../x')
  })

  it('says where more fields may have been sent', () => {
    const isPartial = (options: string): boolean =>
      parsePastedRequest(`curl --silent ${options} ${URL}`).isPartial
    const unread = ['-H @fields.txt', '--header @-', '-K cfg', '-sK cfg', '--config cfg', "-H 'a: b"]
    expect(unread.filter((options) => !isPartial(options))).toEqual([])
    expect(["-H 'a: @b'", '-d @body.json', '-k', '-o cfg'].filter(isPartial)).toEqual([])
    expect(parsePastedRequest('curl -K cfg http://h/a').url).toBe('http://h/a')
  })

  it('assumes http as curl does, and stops at a quote that is never closed', () => {
    expect(parsePastedRequest('curl localhost:4402/stock').url).toBe('http://localhost:4402/stock')
    const { notes } = parsePastedRequest("curl localhost -H 'a: b")
    expect(notes).toEqual([expect.stringContaining('quote')])
    expect(parsePastedRequest('curl -H').headers).toEqual([])
  })
})

describe('parsePastedRequest() reads lines', () => {
  it('of the head of a request, and nothing behind it', () => {
    const text = `POST /stock/42 HTTP/1.1\r\nHost: h\r\nworkload-identity-token:  a.b.c\t\r\n\r\n{"a": "b"}`
    expect(parsePastedRequest(text)).toEqual({
      method: 'POST',
      url: null,
      target: '/stock/42',
      headers: [
        ['Host', 'h'],
        ['workload-identity-token', 'a.b.c'],
      ],
      isPartial: false,
      notes: ['what follows the head was not read'],
    })
  })

  it('of header fields alone, repeated ones too', () => {
    const { headers, method, target } = parsePastedRequest(`\n${WIT.join(': ')}\n${WIT.join(': ')}\n`)
    expect({ headers, method, target }).toEqual({ headers: [WIT, WIT], method: null, target: null })
  })

  it('as curl -v and browsers show them', () => {
    const shown = parsePastedRequest('> GET /a HTTP/2\n> Host: h\n> \n')
    expect(shown).toMatchObject({ method: 'GET', target: '/a', headers: [['Host', 'h']], notes: [] })
    const pseudo = parsePastedRequest(':method: GET\n:path: /a?b\n:authority: h\nx: y')
    expect(pseudo).toMatchObject({ method: 'GET', target: '/a?b', headers: [['x', 'y']] })
  })

  it('in absolute form, which gives the URL', () => {
    expect(parsePastedRequest(`GET ${URL} HTTP/1.1\nx: y`)).toMatchObject({ url: URL, target: URL })
  })

  it('and never throws at anything', () => {
    for (const text of ['', '\n\n', ':', 'a', "curl '", 'curl ', '\\', '{"a":1}', 'a b: c', "curl $'\\x"]) {
      const { headers, notes } = parsePastedRequest(text)
      expect(headers).toEqual([])
      expect(notes.join()).not.toContain('{')
    }
  })
})

describe('what is long', () => {
  const time = async (text: string): Promise<number> => {
    const start = performance.now()
    const { headers } = parsePastedRequest(text)
    await explain({ url: URL, headers }, { now: 0 }, webCrypto())
    return performance.now() - start
  }
  /** The least of some, which is what it takes when nothing else is in the way. */
  const leastTime = async (text: string): Promise<number> => {
    const times: number[] = []
    for (let round = 0; round < 5; round++) times.push(await time(text))
    return Math.min(...times)
  }
  const repeated: readonly (readonly [what: string, text: (times: number) => string, times: number])[] = [
    ['lines of one name', (times) => 'a: b\n'.repeat(times), 2500],
    ['fields of a curl command', (times) => `curl ${'-H a:b '.repeat(times)}`, 2500],
    ['data of a curl command', (times) => `curl ${'-d a=b '.repeat(times)}`, 20_000],
    ['URLs of a curl command', (times) => `curl ${'--url a '.repeat(times)}`, 10_000],
    ['switches in one word', (times) => `curl -${'s'.repeat(times)}`, 40_000],
    ['characters in one word', (times) => `curl ${'a'.repeat(times)}`, 40_000],
  ]
  for (const [what, text, times] of repeated) {
    it(`takes no more than its share of time: ${what}`, async () => {
      const once = await leastTime(text(times))
      // Sixteen times as much where it grows with the square.
      expect(await leastTime(text(4 * times))).toBeLessThan(8 * once + 50)
    })
  }
})
