import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeySetServer, startKeySetServer } from '../https/key-set-server.js'
import { createTestAuthority } from '../https/test-authority.js'
import {
  createWorkplace,
  CREDENTIAL,
  issueTokens,
  namesACure,
  proofIn,
  secretsIn,
  TRUST,
  type Workplace,
} from './wimse.js'

const NOW = 1_760_000_000
const URL_CALLED = 'https://inventory.example.com/stock/42'
const authority = createTestAuthority()
let server: KeySetServer
let place: Workplace
beforeAll(async () => {
  server = await startKeySetServer(authority.certificateFor('localhost'))
  place = createWorkplace()
  await issueTokens(place, NOW)
  server.answer = JSON.parse(place.read('jwks.json')) as object
  place.write('ca.pem', [authority.ca].flat().join('\n'))
  place.write('access.jwt', 'an-access-token\n')
  place.write('txn.jwt', 'a-transaction-token')
  place.write('context.jwt', 'a-context-token')
})
afterAll(async () => {
  await server.close()
  place.remove()
})

const at = (seconds: number): readonly string[] => ['--now', String(seconds)]
const sign = async (...words: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await place.wimse(['wpt', 'sign', ...CREDENTIAL, ...at(NOW), ...words])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

describe('wimse wit issue', () => {
  it('binds an identifier to the public half of a key', async () => {
    const wit = place.read('checkout.wit').trim()
    const { d, ...jwk } = JSON.parse(place.read('checkout.jwk')) as Record<string, string>
    expect(d).toBeTypeOf('string')
    expect(decodeProtectedHeader(wit)).toMatchObject({ typ: 'wit+jwt', alg: 'ES256' })
    expect(decodeJwt(wit)).toMatchObject({
      sub: 'wimse://example.com/checkout',
      exp: NOW + 3600,
      cnf: { jwk },
    })
  })

  it('takes lifetime, issuer and claims, which are JSON where they can be', async () => {
    const { stdout } = await place.wimse(
      [
        'wit',
        'issue',
        '--issuer-key',
        'issuer.jwk',
        '--subject',
        'spiffe://example.org/a',
        ...at(NOW),
        '--confirmation-key',
        '-',
        '--lifetime',
        '60',
        '--issuer',
        'https://id.example',
        '--claim',
        'region=eu',
        '--claim',
        'n=3',
        '--claim',
        'roles=["a","b"]',
        '--claim',
        'e===',
        '--claim',
        'exact={"a":-0.5,"b":[1e3,12.50,9007199254740991],"c":{"a":"\\u00e9"}}',
        '--claim',
        'word=1e400 apples',
      ],
      place.read('checkout.jwk'),
    )
    expect(decodeJwt(stdout.trim())).toMatchObject({
      exp: NOW + 60,
      iss: 'https://id.example',
      region: 'eu',
      n: 3,
      roles: ['a', 'b'],
      e: '==',
      exact: { a: -0.5, b: [1000, 12.5, 9_007_199_254_740_991], c: { a: 'é' } },
      word: '1e400 apples',
    })
  })

  it('prints the token where --out is -', async () => {
    const keys = ['--issuer-key', 'issuer.jwk', '--confirmation-key', 'checkout.jwk']
    const words = ['wit', 'issue', ...keys, '--subject', 'wimse://example.com/a', '--out', '-']
    const { code, stdout } = await place.wimse(words)
    expect(code).toBe(0)
    expect(decodeJwt(stdout.trim())).toMatchObject({ sub: 'wimse://example.com/a' })
    expect(() => place.read('-')).toThrow('ENOENT')
  })

  it.for([
    [['--subject', 'wimse://Example.com/a'], '--subject is not a workload identifier'],
    [['--subject', 'example.com/c'], 'For example wimse://example.com/checkout'],
    [['--claim', 'sub=another'], '--claim must not contain sub'],
    [['--lifetime', '0'], '--lifetime must be a number from 1'],
    [['--issuer-key', 'nameless.jwk'], '--issuer-key must have an asymmetric signature alg'],
    [['--confirmation-key', 'nameless.jwk'], '--confirmation-key: '],
    [['--claim', 'nothing'], '--claim is not a name'],
    [['--claim', 'a=1', '--claim', 'a=2'], 'one claim twice'],
    [['--claim', 'id=12345678901234567890'], '--claim id would not stay as it is'],
    [['--claim', 'n=1e400'], '--claim n would not stay as it is'],
    [['--claim', 'n=[0.1000000000000000055511151231257827]'], '--claim n would not stay as it is'],
    [['--claim', 'n=1e-400'], '--claim n would not stay as it is'],
    [['--claim', 'o={"a":1,"a":2}'], '--claim o is nothing that a service reads'],
    [['--claim', 'o={"a":{"__proto__":2}}'], '--claim o is nothing that a service reads'],
    [['--claim', 's="\\ud800"'], '--claim s is nothing that a service reads'],
    [['--claim', '__proto__={"a":1}'], '--claim __proto__ is nothing that a service reads'],
    [['--lifetime', 'an hour'], '--lifetime is not a whole number'],
    [['--issuer-key', 'issuer.pem'], 'does not say its algorithm'],
    [['--issuer-key', 'wrong-alg.jwk'], 'cannot sign as its alg says'],
    [['--issuer-key', 'wrong-half.jwk'], 'cannot sign as its alg says'],
    [['--issuer-key', 'jwks.json'], 'is a set of keys'],
    [['--force'], '--force has no meaning'],
    [['--issuer-key', '-', '--confirmation-key', '-'], 'standard input can be read once'],
  ] as const)('refuses %j', async ([words, message]) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const issuer = JSON.parse(place.read('issuer.jwk')) as object
    place.write('nameless.jwk', JSON.stringify({ ...issuer, alg: undefined }))
    place.write('wrong-alg.jwk', JSON.stringify({ ...issuer, alg: 'EdDSA' }))
    place.write('wrong-half.jwk', JSON.stringify({ ...issuer, d: 'SECRET' }))
    place.write('issuer.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }) as string)
    const good = {
      '--issuer-key': 'issuer.jwk',
      '--subject': 'wimse://example.com/a',
      '--confirmation-key': 'checkout.jwk',
    }
    const others = Object.entries(good)
      .filter(([name]) => !(words as readonly string[]).includes(name))
      .flat()
    const { code, stdout, stderr } = await place.wimse(['wit', 'issue', ...others, ...words])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(namesACure(stderr), stderr).toBe(true)
    expect(stderr).not.toContain('SECRET')
    expect(secretsIn(stderr)).toEqual([])
  })
})

describe('wimse wit verify', () => {
  const verify = (...words: readonly string[]) => place.wimse(['wit', 'verify', 'checkout.wit', ...words])

  it('accepts a token from a file, from standard input, and from the command line with a warning', async () => {
    expect(await verify(...TRUST, ...at(NOW))).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^ok +wit\.signature .*\n[^]*\naccepted\n$/m),
    })
    const token = place.read('checkout.wit')
    for (const words of [[], ['-']]) {
      const piped = await place.wimse(['wit', 'verify', ...words, ...TRUST, ...at(NOW)], token)
      expect(piped).toMatchObject({ code: 0, stderr: '' })
    }
    const bare = await place.wimse(['wit', 'verify', token.trim(), ...TRUST, ...at(NOW)])
    expect(bare).toMatchObject({ code: 0, stderr: expect.stringContaining('every process of this machine') })
    expect(secretsIn(bare.stderr)).toEqual([])
  })

  it('fetches the keys over https from an authority it is told of, and not over http from elsewhere', async () => {
    const url = `${server.origin}/jwks.json`
    const trusting = ['--jwks', url, '--trust-domain', 'wimse://example.com', ...at(NOW)]
    expect(await verify(...trusting, '--cacert', 'ca.pem')).toMatchObject({ code: 0, stderr: '' })
    expect(await verify(...trusting)).toMatchObject({ code: 4, stdout: '' })
    const insecure = await verify('--jwks', 'http://identity.example.com/jwks', ...TRUST.slice(2))
    expect(insecure).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('use https') })
  })

  it('takes certificates from a file that has one, and for a URL alone', async () => {
    const trusting = ['--jwks', `${server.origin}/jwks.json`, ...TRUST.slice(2), ...at(NOW), '--json']
    place.write('empty.pem', '')
    place.write('odd.pem', 'no certificate')
    for (const file of ['empty.pem', 'odd.pem']) {
      const { code, stdout } = await verify(...trusting, '--cacert', file)
      expect(code).toBe(2)
      expect(JSON.parse(stdout)).toMatchObject({
        error: { code: 'INPUT', message: expect.stringContaining(`--cacert: ${file}`) },
      })
    }
    const { code, stdout } = await verify(...TRUST, ...at(NOW), '--cacert', 'ca.pem', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'USAGE', message: expect.stringContaining('--cacert has no meaning') },
    })
  })

  it.for([
    ['a key set without keys', 'a.json', ['checkout.wit', '--jwks', 'a.json'], 'the key set: a.json'],
    [
      'a key set that is no JSON',
      'a.json',
      ['checkout.wit', '--jwks', 'checkout.wit'],
      'not one JSON object',
    ],
    ['an empty token', 'empty.wit', ['empty.wit', '--jwks', 'jwks.json'], 'empty.wit is empty'],
  ] as const)('says of %s what to do', async ([, name, words, message]) => {
    place.write(name, name.endsWith('.json') ? '{"no":"keys"}' : '\n')
    const { code, stdout, stderr } = await place.wimse(['wit', 'verify', ...words, ...TRUST.slice(2)])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(namesACure(stderr), stderr).toBe(true)
  })

  it.for([
    ['it has expired', ['--now', String(NOW + 3605)], 'WIMSE_WIT_EXPIRED'],
    ['its trust domain is another', ['--trust-domain', 'wimse://example.org'], 'WIMSE_WIT_TRUST_DOMAIN'],
    ['its key is none of the set', ['--jwks', 'other.json'], 'WIMSE_WIT_KEY'],
    ['it lives too long', ['--max-token-lifetime', '60'], 'WIMSE_WIT_LIFETIME'],
    [
      'it is held to the SPIFFE profile and for another domain',
      ['--trust-domain', 'spiffe://example.com', '--wit-svid'],
      'WIMSE_WIT_TRUST_DOMAIN',
    ],
  ] as const)('refuses it when %s: %s', async ([, words, code]) => {
    const other = await place.wimse(['key', '--out', 'other.jwk', '--set', '--force'])
    place.write('other.json', other.stdout)
    const good = { '--jwks': 'jwks.json', '--trust-domain': 'wimse://example.com', '--now': String(NOW) }
    const others = Object.entries(good)
      .filter(([name]) => !(words as readonly string[]).includes(name))
      .flat()
    const result = await verify(...others, ...words)
    expect(result).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(new RegExp(`\nrefused: ${code}.*\n$`)),
    })
    expect(result.stdout).toMatch(/^ +cure +\S/m)
    const json = await verify(...others, ...words, '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ verdict: 'refused', code, cure: expect.any(String) })
  })
})

describe('wimse wpt sign, then wimse wpt verify', () => {
  const verify = async (fields: string, words: readonly string[]) =>
    place.wimse(['wpt', 'verify', '--wit', 'checkout.wit', ...words], proofIn(fields))
  const good = ['--url', URL_CALLED, ...TRUST, ...at(NOW)]

  it('prints the two fields to add, of which the proof is accepted (CLI-01)', async () => {
    const fields = await sign('--url', URL_CALLED)
    expect(fields).toMatch(/^Workload-Identity-Token: \S+\nWorkload-Proof-Token: \S+\n$/)
    expect(await verify(fields, good)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/accepted\n$/),
    })
    const { stdout } = await verify(fields, [...good, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      command: 'wpt verify',
      verdict: 'accepted',
      workload: { id: 'wimse://example.com/checkout', boundTokens: { accessToken: false } },
    })
  })

  it('speaks wpt-02 too', async () => {
    const fields = await sign('--url', URL_CALLED, '--revision', 'wpt-02')
    expect(fields).toMatch(/^Workload-Identity-Token: \S+\nAuthorization: WPT \S+\n$/)
    expect(await verify(fields, [...good, '--revision', 'wpt-02'])).toMatchObject({ code: 0 })
  })

  it('covers the other tokens of the request, from files (CLI-02)', async () => {
    const tokens = [
      '--access-token-file',
      'access.jwt',
      '--txn-token-file',
      'txn.jwt',
      '--other-token',
      'Context-Token=context.jwt',
    ]
    const fields = await sign('--url', URL_CALLED, ...tokens)
    expect(decodeJwt(proofIn(fields))).toMatchObject({
      ath: expect.any(String),
      tth: expect.any(String),
      oth: { 'context-token': expect.any(String) },
    })
    expect(fields).not.toContain('an-access-token')
    expect(await verify(fields, [...good, ...tokens])).toMatchObject({ code: 0 })
    const { stdout } = await verify(fields, [...good, ...tokens.slice(2), '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'refused',
      code: 'WIMSE_WPT_ACCESS_TOKEN_HASH',
      status: 400,
    })
  })

  it.for([
    ['https://bücher.example/lager', 'https://xn--bcher-kva.example/lager'],
    ['https://shop.example/bücher/größe 1', 'https://shop.example/b%C3%BCcher/gr%C3%B6%C3%9Fe%201'],
    ['https://shop.example:443', 'https://shop.example/'],
    ['https://SHOP.example/<a>?b=ü', 'https://shop.example/%3Ca%3E'],
    [' https://shop.example\\a\\b\t/c', 'https://shop.example/a/b/c'],
  ])('means the same URL by %s', async ([url, aud]) => {
    const fields = await sign('--url', url!)
    expect(decodeJwt(proofIn(fields)).aud).toBe(aud)
    expect(await verify(fields, ['--url', url!, ...TRUST, ...at(NOW)])).toMatchObject({ code: 0, stderr: '' })
    const elsewhere = await verify(fields, ['--url', `${url!.split('?')[0]}/x`, ...TRUST, ...at(NOW)])
    expect(elsewhere).toMatchObject({ code: 1 })
  })

  it.for([
    ['wit verify', ['--clock-tolerance', '61'], '--clock-tolerance must be a number from 0 to 60'],
    ['wit verify', ['--max-token-lifetime', '0'], '--max-token-lifetime must be'],
    ['wit verify', ['--issuer', ''], '--issuer must be'],
    ['wpt verify', ['--max-proof-lifetime', '0'], '--max-proof-lifetime must be'],
    ['wpt verify', ['--audience', `${URL_CALLED}/path`], '--audience must be origins'],
    ['wpt sign', ['--lifetime', '301'], '--lifetime must be'],
    ['wpt sign', ['--other-token', 'Authorization=access.jwt'], '--other-token: authorization is not'],
  ] as const)('in wimse %s names the option of the command line: %j', async ([name, words, message]) => {
    const required = {
      'wit verify': ['checkout.wit', ...TRUST],
      'wpt verify': ['proof.wpt', '--wit', 'checkout.wit', '--url', URL_CALLED, ...TRUST],
      'wpt sign': [...CREDENTIAL, '--url', URL_CALLED],
    }[name]
    place.write('proof.wpt', proofIn(await sign('--url', URL_CALLED)))
    const { code, stdout } = await place.wimse([
      ...name.split(' '),
      ...required,
      ...words,
      ...at(NOW),
      '--json',
    ])
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'USAGE', message: expect.stringMatching(new RegExp(`^${message}`)) },
    })
  })

  it.for([
    ['of another URL', ['--url', 'https://inventory.example.com/stock/43'], 'WIMSE_WPT_AUDIENCE'],
    ['of another origin', ['--url', URL_CALLED, '--audience', 'https://other.example'], 'WIMSE_WPT_AUDIENCE'],
    ['that has expired', ['--url', URL_CALLED, '--now', String(NOW + 66)], 'WIMSE_WPT_EXPIRED'],
    [
      'that lives too long',
      ['--url', URL_CALLED, '--max-proof-lifetime', '10', '--clock-tolerance', '0'],
      'WIMSE_WPT_LIFETIME',
    ],
    [
      'of a path that reads in two ways',
      ['--url', 'https://inventory.example.com/a/../stock/42'],
      'WIMSE_TARGET_INVALID',
    ],
  ] as const)('refuses a proof %s: %s', async ([, words, code]) => {
    const moment = (words as readonly string[]).includes('--now') ? [] : at(NOW)
    const { stdout, code: exit } = await verify(await sign('--url', URL_CALLED), [
      ...TRUST,
      ...moment,
      ...words,
      '--json',
    ])
    expect(exit).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'refused', code, workload: null })
  })

  it.for([
    [
      'a key of somebody else',
      ['--key', 'issuer.jwk', '--wit', 'checkout.wit', '--url', URL_CALLED],
      'WIMSE_CREDENTIAL_MISMATCH',
    ],
    [
      'http beyond this machine',
      [...CREDENTIAL, '--url', 'http://inventory.example.com/'],
      'WIMSE_URL_INSECURE',
    ],
    [
      'a WIT that has expired',
      [...CREDENTIAL, '--url', URL_CALLED, '--now', String(NOW + 3600)],
      'WIMSE_CREDENTIAL_EXPIRED',
    ],
    [
      'an access token beside wpt-02',
      [
        ...CREDENTIAL,
        '--url',
        URL_CALLED,
        '--revision',
        'wpt-02',
        '--access-token-file',
        'access.jwt',
        ...at(NOW),
      ],
      'WIMSE_BEARER_CONFLICT',
    ],
  ] as const)('signs nothing with %s: %s (CLI-05, CLI-06)', async ([, words, code]) => {
    const { code: exit, stdout, stderr } = await place.wimse(['wpt', 'sign', ...words])
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toContain(code)
    expect(secretsIn(stderr)).toEqual([])
    const json = await place.wimse(['wpt', 'sign', ...words, '--json'])
    expect(JSON.parse(json.stdout)).toEqual({
      error: { code, message: expect.any(String), cure: expect.any(String) },
    })
  })

  it('repeats no token or key that was given where a path belongs (CLI-09)', async () => {
    const wit = place.read('checkout.wit').trim()
    const key = place.read('checkout.jwk')
    for (const [option, value] of [
      ['--wit', wit],
      ['--key', key],
      ['--access-token-file', '16_mAd0GiwaZokU26_0902100'],
    ] as const) {
      const others = CREDENTIAL.filter((word, index) => word !== option && CREDENTIAL[index - 1] !== option)
      const { code, stdout, stderr } = await place.wimse([
        'wpt',
        'sign',
        ...others,
        '--url',
        URL_CALLED,
        option,
        value,
      ])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(secretsIn(stderr)).toEqual([])
      expect(stderr).not.toContain('16_mAd0')
    }
  })

  it('repeats no key and no random token either, though base64 has slashes as paths have (CLI-09)', async () => {
    const body = (type: 'sec1' | 'pkcs8'): string =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' })
        .privateKey.export({ format: 'pem', type })
        .toString()
        .replaceAll(/-----.*-----|\n/g, '')
    const random = (): string => randomBytes(32).toString('base64')
    const secrets: readonly (readonly [option: string, secret: string])[] = [
      ['--key', madeUntil(() => body('sec1'), /[^/]\/[^/]/)],
      ['--key', madeUntil(() => body('pkcs8'), /[^/]\/[^/]/)],
      ['--access-token-file', madeUntil(random, /^[^/]+\/[^/]/)],
      ['--access-token-file', `/${random().replaceAll('/', '+')}`],
      ['--access-token-file', randomBytes(12).toString('base64')],
      ['--access-token-file', randomBytes(32).toString('hex')],
    ]
    for (const [option, secret] of secrets) {
      const others = option === '--key' ? CREDENTIAL.slice(0, 2) : CREDENTIAL
      const { code, stderr } = await place.wimse([
        'wpt',
        'sign',
        ...others,
        '--url',
        URL_CALLED,
        option,
        secret,
      ])
      expect(code).toBe(2)
      expect(stderr).toContain('what was given for it: ')
      expect(stderr).not.toContain(secret.slice(0, 12))
    }
  })

  it.for([
    'missing.jwk',
    'kéy.jwk',
    'ключ.pem',
    'keys/checkout-2026.jwk',
    './checkout',
    '../checkout',
    '/run/secrets/checkout',
    '~/checkout',
  ])('names %s, which is a path (the control)', async (path) => {
    const words = ['wpt', 'sign', ...CREDENTIAL.slice(0, 2), '--url', URL_CALLED, '--key', path]
    expect(await place.wimse(words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`wimse: the key: ${path}: there is no such file`),
    })
  })

  it('names what is there, whatever it is called (the control)', async () => {
    place.write('checkout', 'no key')
    const words = ['wpt', 'sign', ...CREDENTIAL.slice(0, 2), '--url', URL_CALLED, '--key', 'checkout']
    expect((await place.wimse(words)).stderr).toContain('the key: checkout is neither a JWK nor PEM')
  })

  it.skipIf(process.platform === 'win32')('warns of a key that others can read', async () => {
    const { chmodSync } = await import('node:fs')
    chmodSync(place.path('checkout.jwk'), 0o644)
    const { code, stderr } = await place.wimse([
      'wpt',
      'sign',
      ...CREDENTIAL,
      '--url',
      URL_CALLED,
      ...at(NOW),
    ])
    chmodSync(place.path('checkout.jwk'), 0o600)
    expect(code).toBe(0)
    expect(stderr).toContain('chmod 600')
  })
})

function madeUntil(make: () => string, wanted: RegExp): string {
  for (;;) {
    const made = make()
    if (wanted.test(made)) return made
  }
}
