import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import { createTestAuthority } from '../https/test-authority.js'
import { type KeySetServer, startKeySetServer } from '../https/key-set-server.js'
import {
  createWorkplace,
  CREDENTIAL,
  issueTokens,
  namesACure,
  program,
  secretsIn,
  start,
  type Workplace,
} from './wimse.js'

let place: Workplace
let service: ProtectedService
let origin: string
let elsewhere: Server
const seenElsewhere: IncomingMessage[] = []
const authority = createTestAuthority()
let secure: KeySetServer

beforeAll(async () => {
  place = createWorkplace()
  await issueTokens(place)
  place.write('ca.pem', authority.ca)
  place.write('access.jwt', 'an-access-token')
  elsewhere = createServer((request, response) => {
    seenElsewhere.push(request)
    if (request.url === '/moved') response.writeHead(307, { location: `${origin}/stock/1` }).end()
    else if (request.url === '/bytes') response.end(Buffer.from([0xff, 0x00]))
    else if (request.url === '/long') sendLong(response)
    else if (request.url === '/cut') {
      response.setHeader('content-length', '10')
      response.write('half', () => request.socket.destroy())
    } else if (request.url === '/never') response.write('…')
    else if (request.url === '/silent') return
    else if (request.url === '/switch')
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
    else response.setHeader('content-type', 'application/problem+json').end('{"title":"\\u001b[2Jgone"}')
  }).listen(0, '127.0.0.1')
  secure = await startKeySetServer(authority.certificateFor('localhost'), { over: 'tls' })
  service = await startProtectedService({
    audience: 'http://inventory.local',
    trustDomains: {
      'wimse://example.com': { jwks: JSON.parse(place.read('jwks.json')) as { keys: object[] } },
    },
    revisions: ['wpt-01', 'wpt-02'],
    otherTokens: ['context-token'],
  })
  origin = `http://127.0.0.1:${service.port}`
})
afterAll(async () => {
  await service.app.close()
  await secure.close()
  elsewhere.closeAllConnections()
  elsewhere.close()
  place.remove()
})

/** Bytes that a connection took of a body of 64 MiB, counted as it takes them. */
let taken = 0
const LONG = 64 * 1_048_576

function sendLong(response: ServerResponse): void {
  taken = 0
  const chunk = Buffer.alloc(65_536, 'a')
  const more = (error?: Error | null): void => {
    if (taken === LONG) response.end()
    else if (!response.destroyed && !error) {
      taken += chunk.length
      response.write(chunk, more)
    }
  }
  more()
}

const other = (path: string): string => `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}${path}`
const call = (path: string, ...words: readonly string[]) =>
  place.wimse([
    'call',
    `${origin}${path}`,
    ...CREDENTIAL,
    '--audience',
    `http://inventory.local${path}`,
    ...words,
  ])

describe('wimse call', () => {
  it('is let in by a service, each time with a new proof (CLI-01, CLI-04)', async () => {
    for (const revision of ['wpt-01', 'wpt-01', 'wpt-02']) {
      expect(await call('/stock/42', '--revision', revision)).toEqual({
        code: 0,
        stdout: '{"caller":"wimse://example.com/checkout"}',
        stderr: 'HTTP/1.1 200 OK\n',
      })
    }
  })

  it('sends method, fields, tokens and a body, which may come from standard input', async () => {
    const before = service.parsedBodies()
    place.write('context.jwt', 'a-context-token')
    const tokens = ['--access-token-file', 'access.jwt', '--other-token', 'Context-Token=context.jwt']
    const result = await place.wimse(
      [
        'call',
        `${origin}/a`,
        ...CREDENTIAL,
        '--audience',
        'http://inventory.local/a',
        '-X',
        'PUT',
        '-d',
        '@-',
        '-i',
        ...tokens,
      ],
      'a body',
    )
    expect(result).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^HTTP\/1\.1 200 OK\n[^]*\n\n\{"caller"/),
    })
    expect(service.parsedBodies()).toBe(before + 1)
    expect(service.handled.at(-1)!.boundTokens).toEqual({
      accessToken: true,
      txnToken: false,
      otherTokens: ['context-token'],
    })
  })

  it('sends a body as a form, as curl does, unless told otherwise', async () => {
    await place.wimse(['call', other('/'), ...CREDENTIAL, '-d', 'a=1'])
    expect(seenElsewhere.at(-1)!.method).toBe('POST')
    expect(seenElsewhere.at(-1)!.headers['content-type']).toBe('application/x-www-form-urlencoded')
    await place.wimse(['call', other('/'), ...CREDENTIAL, '-d', '{}', '-H', 'content-type: application/json'])
    expect(seenElsewhere.at(-1)!.headers['content-type']).toBe('application/json')
  })

  it('waits as long as a timer can (the control)', async () => {
    expect(
      await place.wimse(['call', other('/bytes'), ...CREDENTIAL, '--max-time', '2147483']),
    ).toMatchObject({
      code: 0,
      stderr: 'HTTP/1.1 200 OK\n',
    })
  })

  it('leaves nothing to wait for where Node refuses a field', async () => {
    const program = `
      const { exchange } = await import(${JSON.stringify(new URL('../../packages/cli/dist/exchange.js', import.meta.url))})
      const url = new URL(${JSON.stringify(other('/never'))})
      await exchange({ url, method: 'GET', headers: [['Trailer', 'X']], body: null, maxTime: 60 }).catch(() => 0)`
    const begin = Date.now()
    const { code } = await start(process.execPath, ['--input-type=module', '--eval', program], place.folder)
    expect(code).toBe(0)
    expect(Date.now() - begin).toBeLessThan(20_000)
  })

  it('prints a refusal with its cure, and ends with 1', async () => {
    const refused = await place.wimse(['call', `${origin}/stock/42`, ...CREDENTIAL])
    expect(refused.code).toBe(1)
    expect(refused.stdout).toMatch(/^problem +The proof was made for another target\.\n/)
    expect(refused.stdout).toMatch(/^code +WIMSE_WPT_AUDIENCE$/m)
    expect(refused.stdout).toMatch(/^instance +urn:uuid:/m)
    expect(refused.stdout).toMatch(/^cure +Sign for the URL by which/m)
    const json = await place.wimse(['call', `${origin}/stock/42`, ...CREDENTIAL, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      command: 'call',
      status: 400,
      problem: { code: 'WIMSE_WPT_AUDIENCE', cure: expect.any(String) },
    })
  })

  it('follows no redirect and says so (CLI-03)', async () => {
    const before = service.log()
    const { code, stderr } = await place.wimse(['call', other('/moved'), ...CREDENTIAL])
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^HTTP\/1\.1 307 .*\nwimse: warning: this is a redirect/),
    })
    expect(service.log()).toBe(before)
  })

  it('takes no more of an answer than its reader does, and all of it in the end', async () => {
    const child = spawn(process.execPath, [program, 'call', other('/long'), ...CREDENTIAL], {
      cwd: place.folder,
    })
    await once(child.stderr, 'data')
    // Until it stands still, a moment at least.
    for (let before = -1; before !== taken; await new Promise((resolve) => setTimeout(resolve, 500))) {
      before = taken
    }
    expect(taken).toBeLessThan(LONG / 2)
    let length = 0
    child.stdout.on('data', (chunk: Buffer) => (length += chunk.length))
    await once(child, 'close')
    expect({ code: child.exitCode, length }).toEqual({ code: 0, length: LONG })
  })

  it('gives an answer up when nobody reads it any more, and ends as its status says', async () => {
    const child = spawn(process.execPath, [program, 'call', other('/long'), ...CREDENTIAL], {
      cwd: place.folder,
    })
    await once(child.stdout, 'data')
    child.stdout.destroy()
    await once(child, 'close')
    expect(child.exitCode).toBe(0)
    expect(taken).toBeLessThan(LONG)
  })

  it('keeps bytes as they are, and JSON valid', async () => {
    const { stdout } = await place.wimse(['call', other('/bytes'), ...CREDENTIAL, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      status: 200,
      body: '/wA=',
      bodyEncoding: 'base64',
      problem: null,
    })
  })

  it('spells what would move the cursor', async () => {
    const { stdout } = await place.wimse(['call', other('/problem'), ...CREDENTIAL])
    expect(stdout).toBe('problem   \\u{1b}[2Jgone\n')
  })

  it('speaks TLS, with an authority it is told of (CLI-06)', async () => {
    const url = `${secure.origin}/`
    expect(await place.wimse(['call', url, ...CREDENTIAL, '--cacert', 'ca.pem'])).toMatchObject({
      code: 0,
      stdout: '{"over":"tls"}',
    })
    const asked = secure.requests.length
    const distrusted = await place.wimse(['call', url, ...CREDENTIAL])
    expect(distrusted).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('--cacert') })
    expect(secure.requests).toHaveLength(asked)
  })

  it('checks the server also where NODE_TLS_REJECT_UNAUTHORIZED says not to (CLI-06)', async () => {
    const words = ['call', `${secure.origin}/`, ...CREDENTIAL]
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const asked = secure.requests.length
    expect(await place.wimse(words, '', env)).toMatchObject({ code: 4, stdout: '' })
    expect(secure.requests).toHaveLength(asked)
    expect(await place.wimse([...words, '--cacert', 'ca.pem'], '', env)).toMatchObject({ code: 0 })
    expect(secure.requests).toHaveLength(asked + 1)
  })

  it.for([
    ['empty', ''],
    ['without a certificate', 'no certificate'],
    ['of a certificate that is none', '-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n'],
  ] as const)('takes no authority from a file that is %s, and then asks nobody', async ([, text]) => {
    place.write('odd.pem', text)
    const asked = secure.requests.length
    const result = await place.wimse([
      'call',
      `${secure.origin}/`,
      ...CREDENTIAL,
      '--cacert',
      'odd.pem',
      '--json',
    ])
    expect(result.code).toBe(2)
    expect(JSON.parse(result.stdout)).toMatchObject({
      error: { code: 'INPUT', message: expect.stringContaining('--cacert: odd.pem') },
    })
    expect(secure.requests).toHaveLength(asked)
  })

  it.for([
    ['http beyond this machine', ['http://inventory.example.com/'], 1, 'WIMSE_URL_INSECURE'],
    [
      'a name and password in the URL',
      ['https://me:secret@inventory.example.com/'],
      2,
      'without user information',
    ],
    ['a port where nothing listens', ['http://127.0.0.1:1/'], 4, 'nothing listens'],
    ['a WIT among the fields', ['LOCAL', '-H', 'Workload-Identity-Token: x'], 1, 'WIMSE_HEADER_RESERVED'],
    ['another Host', ['LOCAL', '-H', 'Host: inventory'], 2, 'Host cannot be set'],
    ['fields behind the body', ['LOCAL', '-H', 'Trailer: X-Sum'], 2, 'Trailer cannot be set'],
    ['a server that closes in the middle', ['CUT'], 4, 'its answer was cut off: the connection was closed'],
    ['https where http is spoken', ['HTTPS'], 4, 'did not answer: there is no TLS, perhaps http'],
    ['http where https is spoken', ['HTTP'], 4, 'did not answer: '],
    ['no time to answer in', ['LOCAL', '--max-time', '0'], 2, '--max-time is not'],
    ['more time than a timer has', ['LOCAL', '--max-time', '2147484'], 2, 'from 1 to 2147483'],
    ['more time than a number has', ['LOCAL', '--max-time', '5000000'], 2, 'from 1 to 2147483'],
    ['a line break in a field', ['LOCAL', '-H', 'A: b\r\nHost: c'], 2, 'not a name, a colon'],
    [
      'a server that does not end',
      ['NEVER', '--max-time', '1'],
      4,
      'its answer was cut off: it was not there within 1 s',
    ],
    ['a server that says nothing', ['SILENT', '--max-time', '1'], 4, 'did not answer: no answer within 1 s'],
    ['a server that changes to another protocol', ['SWITCH'], 4, 'changed to another protocol'],
    ['a body that is not there', ['LOCAL', '-d', '@missing.txt'], 2, 'missing.txt: there is no such file'],
    ['a certificate and a body from standard input', ['LOCAL', '-d', '@-', '--cacert', '-'], 2, 'read once'],
    ['two inputs from standard input', ['LOCAL', '-d', '@-', '-H', '@-'], 2, 'can be read once'],
    ['no URL', [], 2, 'takes URL'],
  ] as const)('sends nothing more for %s', async ([, words, code, message]) => {
    const places: Readonly<Record<string, string>> = {
      LOCAL: origin,
      NEVER: other('/never'),
      SWITCH: other('/switch'),
      SILENT: other('/silent'),
      CUT: other('/cut'),
      HTTPS: other('/').replace('http:', 'https:'),
      HTTP: secure.origin.replace('https:', 'http:'),
    }
    const given = words.map((word) => places[word] ?? word)
    const handled = service.handled.length
    const result = await place.wimse(['call', ...given, ...CREDENTIAL])
    expect(result).toMatchObject({ code, stderr: expect.stringContaining(message) })
    expect(secretsIn(result.stdout + result.stderr)).toEqual([])
    expect(result.stderr).not.toContain('secret')
    expect(namesACure(result.stderr), result.stderr).toBe(true)
    expect(service.handled).toHaveLength(handled)
  })
})
