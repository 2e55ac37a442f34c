import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ALGORITHM_NAMES } from '../../packages/core/src/jws/algorithms.js'
import { createWorkplace, namesACure, secretsIn, type Workplace } from './wimse.js'

let place: Workplace
beforeEach(() => {
  place = createWorkplace()
})
afterEach(() => place.remove())

describe('wimse key', () => {
  it.for(ALGORITHM_NAMES)('makes a key for %s, with its thumbprint for an id', async (alg) => {
    const { code, stdout } = await place.wimse(['key', '--alg', alg, '--out', 'a.jwk'])
    expect(code).toBe(0)
    const [privateJwk, publicJwk] = [JSON.parse(place.read('a.jwk')), JSON.parse(stdout)] as JWK[]
    expect(privateJwk).toMatchObject({ ...publicJwk, alg, d: expect.any(String) })
    expect(publicJwk!.kid).toBe(await calculateJwkThumbprint(publicJwk!))
    expect(Object.keys(publicJwk!).filter((name) => /^(?:d|p|q|dp|dq|qi)$/.test(name))).toEqual([])
  })

  it.skipIf(process.platform === 'win32')('writes a file that nobody else can read', async () => {
    await place.wimse(['key', '--out', 'a.jwk'])
    expect(statSync(place.path('a.jwk')).mode & 0o777).toBe(0o600)
    place.write('b.jwk', 'old')
    await place.wimse(['key', '--out', 'b.jwk', '--force'])
    expect(statSync(place.path('b.jwk')).mode & 0o777).toBe(0o600)
  })

  it('touches no file that is there, unless told to', async () => {
    place.write('a.jwk', 'precious')
    const { code, stdout, stderr } = await place.wimse(['key', '--out', 'a.jwk'])
    expect({ code, stdout, kept: place.read('a.jwk') }).toEqual({ code: 2, stdout: '', kept: 'precious' })
    expect(stderr).toContain('--force')
    expect((await place.wimse(['key', '--out', 'a.jwk', '--force'])).code).toBe(0)
    expect(place.read('a.jwk')).toContain('"d"')
  })

  it('does not write through a link', async () => {
    symlinkSync(place.path('elsewhere'), place.path('a.jwk'))
    expect((await place.wimse(['key', '--out', 'a.jwk'])).code).toBe(2)
    expect(() => place.read('elsewhere')).toThrow('ENOENT')
  })

  it.skipIf(process.platform === 'win32')('with --force replaces nothing but files', async () => {
    execFileSync('mkfifo', [place.path('fifo')])
    mkdirSync(place.path('folder'))
    symlinkSync('fifo', place.path('link'))
    symlinkSync('nowhere', place.path('dangling.jwk'))
    place.write('old.jwk', 'old')
    symlinkSync('old.jwk', place.path('a.jwk'))
    for (const [name, what] of [
      ['fifo', 'not a file'],
      ['folder', 'not a file'],
      ['link', 'a link'],
      ['dangling.jwk', 'a link'],
      ['a.jwk', 'a link'],
    ] as const) {
      const before = lstatSync(place.path(name)).ino
      const { code, stdout, stderr } = await place.wimse(['key', '--out', name, '--force'])
      expect({ code, stdout, ino: lstatSync(place.path(name)).ino }).toEqual({
        code: 2,
        stdout: '',
        ino: before,
      })
      expect(stderr).toContain(`${name} is ${what} and was not touched`)
    }
    expect([existsSync(place.path('nowhere')), place.read('old.jwk')]).toEqual([false, 'old'])
    expect((await place.wimse(['key', '--out', 'old.jwk', '--force'])).code).toBe(0)
    expect(place.read('old.jwk')).toContain('"d"')
    expect(readdirSync(place.folder).sort()).toEqual([
      'a.jwk',
      'dangling.jwk',
      'fifo',
      'folder',
      'link',
      'old.jwk',
    ])
  })

  it('takes - for standard output, as inputs take it for standard input', async () => {
    const { code, stdout } = await place.wimse(['key', '--out', '-'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ d: expect.any(String) })
    const json = await place.wimse(['key', '--out', '-', '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ file: null, privateKey: { d: expect.any(String) } })
    expect(await place.wimse(['key', '--out', '-', '--force'])).toMatchObject({ code: 2, stdout: '' })
    expect(readdirSync(place.folder)).toEqual([])
  })

  it('prints the private key where no file is named, which is to ask for it', async () => {
    const { code, stdout } = await place.wimse(['key', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      command: 'key',
      file: null,
      privateKey: { d: expect.any(String) },
    })
  })

  it('prints the public half of a key, of every kind, and nothing private', async () => {
    for (const alg of ['ES256', 'RS256', 'EdDSA']) {
      const made = await place.wimse(['key', '--alg', alg, '--out', `${alg}.jwk`])
      const { code, stdout } = await place.wimse(['key', '--public', `${alg}.jwk`])
      expect({ code, stdout }).toEqual({ code: 0, stdout: made.stdout })
      const set = await place.wimse(['key', '--public', '-', '--set'], place.read(`${alg}.jwk`))
      expect(JSON.parse(set.stdout)).toEqual({ keys: [JSON.parse(stdout)] })
    }
  })

  it.for([
    [['--alg', 'HS256'], '--alg is not'],
    [['--set'], '--set is for public keys'],
    [['--force'], '--force has no meaning'],
    [['--public', 'a.jwk', '--out', 'b.jwk'], '--out has no meaning beside --public'],
    [['--kid', ''], '--kid is empty'],
    [['--public', 'a.jwk', '--kid', ''], '--kid is empty'],
    [['--public', 'missing.jwk'], 'missing.jwk: there is no such file'],
    [['--public', 'secret.jwk'], 'is a secret'],
    [['--public', 'broken.jwk'], 'is neither a JWK nor PEM'],
    [['--public', 'off-curve.jwk'], 'is not a key that can be used'],
    [['--public', 'broken.pem'], 'is not a key in PEM'],
    [['--public', '.'], 'it is a folder'],
    [['--public', 'long.jwk'], 'longer than 1048576 bytes'],
    [['--public', '-'], 'standard input is longer than 1048576 bytes'],
    [['--out', 'nowhere/a.jwk'], 'cannot be written'],
    [['--alg', 'ES256', '--alg', 'ES384'], '--alg is given more than once'],
    [['surplus'], 'takes no operands'],
  ] as const)('refuses %j', async ([words, message]) => {
    place.write('secret.jwk', '{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}')
    place.write('broken.jwk', '{"kty":"EC","kty":"EC"}')
    place.write('off-curve.jwk', '{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}')
    place.write('broken.pem', '-----BEGIN PUBLIC KEY-----\nAA==\n')
    const long = ' '.repeat(1_048_577)
    place.write('long.jwk', long)
    const { code, stdout, stderr } = await place.wimse(['key', ...words], words.at(-1) === '-' ? long : '')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(namesACure(stderr), stderr).toBe(true)
    expect(secretsIn(stderr)).toEqual([])
  })
})
