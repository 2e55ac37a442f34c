import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createWorkplace,
  CREDENTIAL,
  issueTokens,
  namesACure,
  secretsIn,
  TRUST,
  type Workplace,
} from './wimse.js'

const NOW = 1_760_000_000
const URL_CALLED = 'https://inventory.example.com/stock/42'
const at = (seconds: number): readonly string[] => ['--now', String(seconds)]
let place: Workplace
let fields: string
beforeAll(async () => {
  place = createWorkplace()
  await issueTokens(place, NOW)
  fields = (await place.wimse(['wpt', 'sign', ...CREDENTIAL, '--url', URL_CALLED, ...at(NOW)])).stdout
})
afterAll(() => place.remove())

const bare = (): string => fields.replaceAll(/^[\w-]+: /gm, '')

describe('wimse inspect', () => {
  it.for([
    [
      'a curl command',
      () =>
        `curl ${fields
          .trim()
          .split('\n')
          .map((line) => `-H '${line}'`)
          .join(' ')} ${URL_CALLED}`,
      [],
    ],
    [
      'the head of a request',
      () => `GET /stock/42 HTTP/1.1\r\n${fields}`,
      ['--audience', 'https://inventory.example.com'],
    ],
    ['header lines', () => fields, ['--url', URL_CALLED]],
    ['bare tokens', bare, ['--url', URL_CALLED]],
    [
      'bare tokens the other way round',
      () => bare().trim().split('\n').toReversed().join('\n'),
      ['--url', URL_CALLED],
    ],
  ] as const)('reads %s', async ([, text, words]) => {
    const accepted = await place.wimse(['inspect', ...TRUST, ...words, ...at(NOW)], text())
    expect(accepted).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/\naccepted\n$/) })
    expect(secretsIn(accepted.stdout)).toEqual([])
    const late = await place.wimse(['inspect', ...TRUST, ...words, ...at(NOW + 70)], text())
    expect(late).toMatchObject({ code: 1, stdout: expect.stringContaining('refused: 400 WIMSE_WPT_EXPIRED') })
    expect(late.stdout).toMatch(
      /^FAIL +proof\.expiry .*\n(?: +.*\n)* +time +2025-10-09T08:54:20Z, 10 s ago\n(?: +.*\n)* +cure +Sign right before/m,
    )
  })

  it('finds the proof where wpt-02 has it', async () => {
    const words = ['wpt', 'sign', ...CREDENTIAL, '--url', URL_CALLED, '--revision', 'wpt-02', ...at(NOW)]
    const { stdout } = await place.wimse(words)
    const result = await place.wimse(['inspect', ...TRUST, '--url', URL_CALLED, '--json', ...at(NOW)], stdout)
    expect(JSON.parse(result.stdout)).toMatchObject({ verdict: 'accepted', revision: 'wpt-02' })
  })

  it('stays open, with 3, where nobody said whom to trust or which URL was called', async () => {
    const inspect = async (words: readonly string[], text: string) => {
      const { code, stdout } = await place.wimse(['inspect', ...words, '--json', ...at(NOW)], text)
      const { verdict, unless } = JSON.parse(stdout) as { verdict: string; unless: string[] }
      return { code, verdict, unless }
    }
    expect(await inspect(['--url', URL_CALLED], fields)).toEqual({
      code: 3,
      verdict: 'undecided',
      unless: ['WIMSE_WIT_TRUST_DOMAIN', 'WIMSE_WIT_KEY', 'WIMSE_WIT_SIGNATURE'],
    })
    expect(await inspect(TRUST, fields)).toEqual({
      code: 3,
      verdict: 'undecided',
      unless: ['WIMSE_TARGET_INVALID', 'WIMSE_WPT_AUDIENCE'],
    })
    expect(await inspect(TRUST, bare().split('\n')[0]!)).toEqual({ code: 0, verdict: 'accepted', unless: [] })
  })

  const options = (lines: string): string =>
    lines
      .trim()
      .split('\n')
      .map((line) => `-H '${line}'`)
      .join(' ')

  it('leaves open, with 3, what fields in a file could change', async () => {
    const inspect = async (text: string) => {
      const { code, stdout } = await place.wimse(['inspect', ...TRUST, '--json', ...at(NOW)], text)
      const { verdict, unless } = JSON.parse(stdout) as { verdict: string; unless: string[] }
      return { code, verdict, unless }
    }
    const missing = { code: 1, verdict: 'refused', unless: [] }
    expect(await inspect(`curl --silent ${URL_CALLED}`)).toEqual(missing)
    for (const unread of ['-H @fields.txt', '-K cfg', '--config cfg']) {
      const { code, verdict, unless } = await inspect(`curl --silent ${unread} ${URL_CALLED}`)
      expect({ code, verdict }).toEqual({ code: 3, verdict: 'undecided' })
      expect(unless).toEqual(expect.arrayContaining(['WIMSE_WIT_MISSING', 'WIMSE_WPT_MISSING']))
    }
    expect(await inspect('curl -K cfg')).toMatchObject({ code: 3, verdict: 'undecided' })

    const pair = options(fields)
    expect(await inspect(`curl ${pair} ${URL_CALLED}`)).toMatchObject({ code: 0 })
    expect(await inspect(`curl -H @more ${pair} ${URL_CALLED}`)).toEqual({
      code: 3,
      verdict: 'undecided',
      unless: [
        'WIMSE_TARGET_INVALID',
        'WIMSE_WPT_REPEATED',
        'WIMSE_WPT_ACCESS_TOKEN_HASH',
        'WIMSE_WIT_REPEATED',
        'WIMSE_WPT_TXN_TOKEN_HASH',
        'WIMSE_WPT_OTHER_TOKEN_HASH',
      ],
    })
    // What fails whatever else was sent.
    const elsewhere = await inspect(`curl -H @more ${pair} ${URL_CALLED}/other`)
    expect(elsewhere).toMatchObject({ code: 1, verdict: 'refused' })
  })

  it('reads the URL as curl sends it', async () => {
    const inspect = async (more: string) => {
      const text = `curl ${more} ${options(fields)} ${URL_CALLED.replace('/stock', '/a/../stock')}`
      return (await place.wimse(['inspect', ...TRUST, ...at(NOW)], text)).stdout
    }
    expect(await inspect('')).toMatch(/\naccepted\n$/)
    expect(await inspect('--path-as-is')).toContain('refused: 400 WIMSE_TARGET_INVALID')
  })

  it('tells what it did not read, and gives its JSON the shape that is documented', async () => {
    const text = `curl --frobnicate -H 'Workload-Proof-Token: nonsense' ${URL_CALLED}`
    const { code, stdout, stderr } = await place.wimse(['inspect', '--json', ...at(NOW)], text)
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'wimse: warning: --frobnicate was ignored\n' })
    const document = JSON.parse(stdout) as { checks: object[] }
    expect(Object.keys(document)).toEqual([
      'command',
      'verdict',
      'code',
      'unless',
      'status',
      'title',
      'cure',
      'now',
      'revision',
      'notes',
      'checks',
      'wit',
      'wpt',
    ])
    expect(document).toMatchObject({ verdict: 'refused', code: 'WIMSE_WIT_MISSING', status: 400, now: NOW })
    expect(document.checks.length).toBeGreaterThan(40)
  })

  it('spells what would move the cursor of whoever reads it', async () => {
    const claims = Buffer.from('{"sub":"\\u001b[2Jred\\u202e","exp":1}').toString('base64url')
    const wit = `${Buffer.from('{"typ":"wit+jwt","alg":"ES256"}').toString('base64url')}.${claims}.AA`
    const { stdout } = await place.wimse(['inspect'], wit)
    expect(stdout).toContain('\\u{1b}[2Jred\\u{202e}')
    // oxlint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\u001b\u202e]/)
  })

  it.for([
    ['', [], 'nothing to inspect'],
    ['what is this', [], 'neither a curl command'],
    ['x', ['--jwks', 'https://identity.example.com/jwks.json'], 'fetches nothing'],
    ['A: b', ['--issuer', 'https://id.example'], 'Name it with --trust-domain'],
    ['A: b', ['--trust-domain', 'example.com'], '--trust-domain is not'],
    ['A: b', ['--clock-tolerance', '3600'], '--clock-tolerance'],
    ['A: b', ['--now', 'yesterday'], '--now is not'],
    ['A: b', ['--revision', 'wpt-09'], '--revision is not'],
  ] as const)('cannot be asked about %j with %j', async ([text, words, message]) => {
    const { code, stdout, stderr } = await place.wimse(['inspect', ...words], text)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(namesACure(stderr), stderr).toBe(true)
  })
})
