import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bash, createWorkplace, CREDENTIAL, issueTokens, secretsIn, TRUST, type Workplace } from './wimse.js'

let place: Workplace
beforeAll(async () => {
  place = createWorkplace()
  await issueTokens(place)
  mkdirSync(place.path('folder'))
})
afterAll(() => place.remove())

const VERIFY = ['wit', 'verify', 'checkout.wit', ...TRUST]
const SIGN = ['wpt', 'sign', ...CREDENTIAL, '--url', 'http://127.0.0.1/']

describe.skipIf(process.platform === 'win32')('an input that is no file', () => {
  const trust = TRUST.join(' ')

  it.for([
    ['a file (the control)', `wimse wit verify checkout.wit ${trust}`],
    ['a pipe', `wimse wit verify <(cat checkout.wit) ${trust}`],
    [
      'a pipe that is slow',
      `wimse wit verify <(head -c 9 checkout.wit; sleep 1; tail -c +10 checkout.wit) ${trust}`,
    ],
    [
      'two pipes',
      `wimse wit verify <(cat checkout.wit) --jwks <(cat jwks.json) ${trust.replace('--jwks jwks.json', '')}`,
    ],
    ['standard input by its path', `cat checkout.wit | wimse wit verify /dev/stdin ${trust}`],
    ['standard input by its number', `wimse wit verify /dev/fd/0 ${trust} < checkout.wit`],
    ['a key in a pipe', `wimse ${SIGN.join(' ')}`.replace('checkout.jwk', '<(cat checkout.jwk)')],
  ] as const)('is read: %s', async ([, line]) => {
    expect(await bash(place, line)).toMatchObject({ code: 0, stderr: '' })
  })

  it('is read to a limit', async () => {
    const { code, stderr } = await bash(place, `wimse wit verify /dev/zero ${trust}`)
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('the WIT: /dev/zero: longer than 1048576 bytes'),
    })
  })

  it('is standard input once', async () => {
    const line = `wimse wit verify /dev/stdin --jwks - ${trust.replace('--jwks jwks.json', '')} < checkout.wit`
    expect(await bash(place, line)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('can be read once'),
    })
  })
})

describe('an input that cannot be read', () => {
  it.for([
    ['a folder', 'folder', 'the WIT: folder: it is a folder'],
    ['a token too long for a name', `e${'x'.repeat(4096)}`, 'the name of a file is expected'],
  ] as const)('is told apart: %s', async ([, word, message]) => {
    const { code, stderr } = await place.wimse(['wit', 'verify', word, ...TRUST])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) })
    expect(stderr).not.toContain('xxxx')
  })
})

describe('a key set', () => {
  it('may begin with a byte order mark, as keys and tokens may', async () => {
    for (const name of ['jwks.json', 'checkout.jwk', 'checkout.wit']) {
      place.write(`mark-${name}`, `\uFEFF${place.read(name)}`)
    }
    const marked = (words: readonly string[]): readonly string[] =>
      words.map((word) => word.replace(/^(?=jwks|checkout\.)/, 'mark-'))
    expect(await place.wimse(marked(VERIFY))).toMatchObject({ code: 0, stderr: '' })
    expect(await place.wimse(marked(SIGN))).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('a key in PEM', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  it.for(['pkcs8', 'sec1'] as const)('that is encrypted is told as such: %s', async (type) => {
    const encryption = { cipher: 'aes-128-cbc', passphrase: 'secret' } as const
    place.write('encrypted.pem', privateKey.export({ format: 'pem', type, ...encryption }).toString())
    place.write('plain.pem', privateKey.export({ format: 'pem', type }).toString())
    for (const words of [
      [...SIGN.slice(0, 4), '--url', 'http://127.0.0.1/', '--key', 'encrypted.pem'],
      ['key', '--public', 'encrypted.pem'],
    ]) {
      const { code, stdout, stderr } = await place.wimse(words)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('the key: encrypted.pem is encrypted')
      expect(stderr).toContain('openssl pkey -in encrypted.pem')
      expect(secretsIn(stderr)).toEqual([])
    }
    expect(await place.wimse(['key', '--public', 'plain.pem'])).toMatchObject({ code: 0 })
  })

  it('is decrypted as its error says', async () => {
    const encryption = { cipher: 'aes-128-cbc', passphrase: 'secret' } as const
    place.write('a.pem', privateKey.export({ format: 'pem', type: 'pkcs8', ...encryption }).toString())
    const { stderr } = await place.wimse(['key', '--public', 'a.pem'])
    const [, command] = /`(openssl [^`]*)`/.exec(stderr)!
    execFileSync('bash', ['-c', `${command} -passin pass:secret`], { cwd: place.folder })
    expect(await place.wimse(['key', '--public', 'plain.pem'])).toMatchObject({ code: 0 })
  })

  it('makes a JWK that can be trusted, with --alg', async () => {
    place.write('plain.pem', privateKey.export({ format: 'pem', type: 'sec1' }).toString())
    const { code, stdout } = await place.wimse(['key', '--public', 'plain.pem', '--alg', 'ES256'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      ...privateKey.export({ format: 'jwk' }),
      d: undefined,
      alg: 'ES256',
    })
    place.write('plain.jwk', stdout)
    const issue = ['wit', 'issue', '--issuer-key', 'issuer.jwk', '--subject', 'wimse://example.com/a']
    const wit = await place.wimse([...issue, '--confirmation-key', 'plain.jwk'])
    expect(wit).toMatchObject({ code: 0, stderr: '' })
    place.write('plain.wit', wit.stdout)
    const sign = ['wpt', 'sign', '--wit', 'plain.wit', '--key', 'plain.pem', '--url', 'http://127.0.0.1/']
    expect(await place.wimse(sign)).toMatchObject({ code: 0, stderr: '' })
  })

  it.for([
    ['ES384', 'plain.pem'],
    ['RS256', 'plain.pem'],
    ['EdDSA', 'plain.pem'],
    ['ES384', 'checkout.jwk'],
  ] as const)('is not of %s because it is said so: %s', async ([alg, file]) => {
    place.write('plain.pem', privateKey.export({ format: 'pem', type: 'sec1' }).toString())
    expect(await place.wimse(['key', '--public', file, '--alg', alg])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`the key: ${file} is not of ${alg}`),
    })
  })
})
