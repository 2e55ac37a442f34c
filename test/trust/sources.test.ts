import { execFileSync } from 'node:child_process'
import {
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createTrustBundleSource,
  readTrustBundle,
  type TrustBundleSource,
  type TrustBundleSourceOptions,
} from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { createTestAuthority } from '../https/test-authority.js'
import { answering, type MoodyServer, startMoodyServer } from './moody-server.js'

const key = (kid: string): object => ({ ...generateTestKeyPair('ES256').publicJwk, kid })
const [a, b] = [key('a'), key('b')]
const authority = createTestAuthority()

const open: TrustBundleSource[] = []
afterEach(async () => {
  for (const source of open.splice(0)) await source.close?.()
})

/** The ids of the keys a source gives, or why it gives none. */
async function kidsOf(options: TrustBundleSourceOptions): Promise<string> {
  return kidsFrom(sourceOf(options))
}

/** The same, of a source that does not ask again later. */
async function kidsOnce(options: TrustBundleSourceOptions): Promise<string> {
  const source = createTrustBundleSource(options)
  const kids = await kidsFrom(source)
  await source.close!()
  return kids
}

function sourceOf(options: TrustBundleSourceOptions): TrustBundleSource {
  const source = createTrustBundleSource(options)
  open.push(source)
  return source
}

async function kidsFrom(source: TrustBundleSource): Promise<string> {
  try {
    const bundle = await source.bundleFor('wimse://example.com')
    return bundle.keys.map(({ kid }) => kid).join()
  } catch (error) {
    const { cause } = error as Error
    return `none: ${cause instanceof Error ? cause.message : (error as Error).message}`
  }
}

/** A server that answers at one URL alone, how many have asked it, and its end, which cuts all of them off. */
async function startStalledServer(): Promise<{
  readonly jwksUri: string
  readonly answeredUri: string
  readonly asked: () => number
  readonly stop: () => Promise<void>
}> {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    if (request.url === '/answered') answering({ keys: [a] })(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    jwksUri: `${origin}/jwks.json`,
    answeredUri: `${origin}/answered`,
    asked: () => asked,
    stop: async () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const switchProtocols: MoodyServer['answer'] = (_request, { socket }) => {
  socket!.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
}

async function eventually(source: TrustBundleSource, kids: string): Promise<void> {
  for (let attempt = 0; attempt < 300 && (await kidsFrom(source)) !== kids; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await kidsFrom(source)).toBe(kids)
}

describe('jwksUri, against a real https server (BCP-09, CNF-10)', () => {
  let server: MoodyServer
  let elsewhere: MoodyServer
  beforeAll(async () => {
    server = await startMoodyServer(authority)
    elsewhere = await startMoodyServer(authority)
    elsewhere.answer = answering({ keys: [b] })
  })
  afterAll(async () => Promise.all([server.stop(), elsewhere.stop()]))
  beforeEach(() => {
    server.answer = answering({ keys: [a] })
  })

  const kidsWith = async (more: Partial<TrustBundleSourceOptions> = {}): Promise<string> =>
    kidsOf({ jwksUri: `${server.origin}/jwks.json`, ca: authority.ca, timeoutMs: 1000, ...more })

  it('gives the keys of the set (the control)', async () => expect(await kidsWith()).toBe('a'))

  it('gives the wit-svid keys of a SPIFFE bundle', async () => {
    server.answer = answering({
      keys: [
        { ...a, use: 'x509-svid' },
        { ...b, use: 'wit-svid' },
      ],
      spiffe_sequence: 1,
    })
    expect(await kidsWith()).toBe('b')
  })

  it('trusts no certificate but one of the authority', async () => {
    expect(await kidsWith({ ca: createTestAuthority().ca })).toMatch(/^none: /)
    expect(await kidsOf({ jwksUri: `${server.origin}/jwks.json` })).toMatch(/^none: /)
  })

  it('checks the host name', async () => {
    const { port } = new URL(server.origin)
    expect(await kidsWith({ jwksUri: `https://localhost:${port}/jwks.json` })).toMatch(
      /^none: .*(localhost|altnames)/i,
    )
  })

  for (const [what, answer] of [
    ['garbage', (_request, response) => response.end('<html>')],
    ['an error', answering({ keys: [a] }, 500)],
    ['no content', answering({ keys: [a] }, 204)],
    ['twenty megabytes', (_request, response) => response.end(`{"keys":[],"x":"${'x'.repeat(20_000_000)}"}`)],
    [
      'twenty megabytes in drops',
      (_request, response) => {
        response.writeHead(200)
        const timer = setInterval(() => response.write(' '.repeat(200_000)), 1)
        response.on('close', () => clearInterval(timer))
      },
    ],
    ['nothing, ever', () => undefined],
    ['another protocol', switchProtocols],
    [
      'a drop now and then',
      (_request, response) => {
        response.writeHead(200)
        const timer = setInterval(() => response.write(' '), 50)
        response.on('close', () => clearInterval(timer))
      },
    ],
    [
      'half an answer',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 1000 })
        response.write('{"keys":[')
        setTimeout(() => response.destroy(), 20)
      },
    ],
  ] satisfies [string, MoodyServer['answer']][]) {
    it(`takes ${what} for no answer, within its time`, async () => {
      server.answer = answer
      const start = performance.now()
      expect(await kidsWith()).toMatch(/^none: /)
      expect(performance.now() - start).toBeLessThan(3000)
    })
  }

  it('follows a redirect within the origin, and none to another, nor a circle', async () => {
    const redirectTo =
      (location: string): MoodyServer['answer'] =>
      (request, response) => {
        if (request.url === '/there') answering({ keys: [a] })(request, response)
        else response.writeHead(302, { location }).end()
      }
    server.answer = redirectTo('/there')
    expect(await kidsWith()).toBe('a')
    server.answer = redirectTo(`${server.origin}/there`)
    expect(await kidsWith()).toBe('a')
    for (const location of [
      `${elsewhere.origin}/there`,
      server.origin.replace('https', 'http'),
      '//evil.example/',
      'file:///etc/passwd',
      '/jwks.json',
    ]) {
      server.answer = redirectTo(location)
      expect(await kidsWith()).toMatch(/^none: /)
    }
    expect(elsewhere.requests).toEqual([])
  })

  it('does not wait for turns behind servers that stall', async () => {
    const stalled = await startStalledServer()
    let ended = 0
    const waiting = Array.from({ length: 600 }, async () => {
      const kids = await kidsOnce({ jwksUri: stalled.jwksUri, timeoutMs: 20_000 })
      ended++
      return kids
    })
    expect(await kidsWith({ timeoutMs: 10_000 })).toBe('a')
    expect(ended).toBe(0)
    await stalled.stop()
    expect(new Set((await Promise.all(waiting)).map((kids) => kids.slice(0, 5)))).toEqual(new Set(['none:']))
  })

  it('counts waiting for a turn as part of the time a fetch may take', async () => {
    const stalled = await startStalledServer()
    const waiting = Array.from({ length: 200 }, async () =>
      kidsOnce({ jwksUri: stalled.jwksUri, timeoutMs: 1000 }),
    )
    expect(new Set((await Promise.all(waiting)).map((kids) => kids.slice(0, 5)))).toEqual(new Set(['none:']))
    // Who has no time left does not wait for a turn either: the next has one at once.
    expect(await kidsOnce({ jwksUri: stalled.answeredUri, timeoutMs: 4000 })).toBe('a')
    // With a time of its own from its turn on, each would have asked in the end.
    expect(stalled.asked()).toBeLessThan(100)
    await stalled.stop()
  })

  it('opens few connections to one server at a time, and gets every set', async () => {
    let [open, most] = [0, 0]
    const busy = createServer((_request, response) => {
      most = Math.max(most, ++open)
      setTimeout(() => {
        open--
        response.end(JSON.stringify({ keys: [a] }))
      }, 50)
    })
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve))
    const jwksUri = `http://127.0.0.1:${(busy.address() as AddressInfo).port}/jwks.json`
    const all = await Promise.all(
      Array.from({ length: 500 }, async () => kidsOf({ jwksUri, timeoutMs: 20_000 })),
    )
    busy.close()
    expect(new Set(all)).toEqual(new Set(['a']))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(32)
  })

  it('takes its turn back from a server that changes to another protocol', async () => {
    server.answer = switchProtocols
    const refused = await Promise.all(Array.from({ length: 40 }, async () => kidsWith({ timeoutMs: 10_000 })))
    expect(new Set(refused)).toEqual(new Set(['none: answered 101']))
    server.answer = answering({ keys: [a] })
    expect(await kidsWith({ timeoutMs: 10_000 })).toBe('a')
  })

  it('is not talked out of checking certificates by the environment', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      expect(await kidsOf({ jwksUri: `${server.origin}/jwks.json` })).toMatch(/^none: /)
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    }
  })

  it('hangs up when it is closed', async () => {
    const hungUp = new Promise<void>((resolve) => {
      server.answer = (_request, response) => response.on('close', resolve)
    })
    const source = createTrustBundleSource({ jwksUri: `${server.origin}/jwks.json`, ca: authority.ca })
    const asked = kidsFrom(source)
    const before = server.requests.length
    while (server.requests.length === before) await new Promise((resolve) => setTimeout(resolve, 5))
    const start = performance.now()
    await source.close!()
    expect(await asked).toMatch(/closed/)
    await hungUp
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('has a new key within one look, and ten thousand unknown ids cost one', async () => {
    const source = sourceOf({ jwksUri: `${server.origin}/jwks.json`, ca: authority.ca })
    expect(await kidsFrom(source)).toBe('a')
    const before = server.requests.length
    for (let id = 0; id < 10_000; id++) await source.refreshedFor!('wimse://example.com')
    expect(server.requests.length - before).toBe(1)
  })

  it('serves on while the issuer is down, and has its new keys when it is back', async () => {
    const source = sourceOf({
      jwksUri: `${server.origin}/jwks.json`,
      ca: authority.ca,
      cooldown: 1,
      timeoutMs: 200,
    })
    expect(await kidsFrom(source)).toBe('a')
    await server.stop()
    await source.refreshedFor!('wimse://example.com')
    expect(await kidsFrom(source)).toBe('a')
    server.answer = answering({ keys: [b] })
    await server.start()
    expect(await kidsFrom(source)).toBe('a')
    // Whoever comes with the new key has it looked for again, once the cooldown is over.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await source.refreshedFor!('wimse://example.com')
    expect(await kidsFrom(source)).toBe('b')
  })

  it('is ready once the keys are there, however long the issuer takes to start', async () => {
    await server.stop()
    const source = sourceOf({
      jwksUri: `${server.origin}/jwks.json`,
      ca: authority.ca,
      cooldown: 1,
      timeoutMs: 200,
    })
    let ready = false
    const waiting = (async () => {
      await source.ready!()
      ready = true
    })()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(ready).toBe(false)
    await server.start()
    await waiting
    expect(await kidsFrom(source)).toBe('a')
  })
})

describe('issuerMetadata, against a real https server', () => {
  let server: MoodyServer
  let keys: MoodyServer
  const WELL_KNOWN = '/.well-known/oauth-authorization-server'
  beforeAll(async () => {
    server = await startMoodyServer(authority)
    keys = await startMoodyServer(authority)
    keys.answer = answering({ keys: [b] })
  })
  afterAll(async () => Promise.all([server.stop(), keys.stop()]))

  const kidsWith = async (
    metadata: object,
    path = WELL_KNOWN,
    more: Partial<TrustBundleSourceOptions> = {},
  ): Promise<string> => {
    server.answer = (request, response) =>
      answering(request.url === '/jwks' ? { keys: [a] } : metadata)(request, response)
    return kidsOf({ issuerMetadata: server.origin + path, ca: authority.ca, timeoutMs: 1000, ...more })
  }

  it('gives the keys that jwks_uri names, for an issuer with and without a path, in either style', async () => {
    const jwks_uri = `${server.origin}/jwks`
    expect(await kidsWith({ issuer: server.origin, jwks_uri })).toBe('a')
    expect(await kidsWith({ issuer: `${server.origin}/tenant`, jwks_uri }, `${WELL_KNOWN}/tenant`)).toBe('a')
    expect(
      await kidsWith(
        { issuer: `${server.origin}/tenant`, jwks_uri },
        '/tenant/.well-known/openid-configuration',
      ),
    ).toBe('a')
  })

  it('refuses the metadata of another issuer', async () => {
    const jwks_uri = `${server.origin}/jwks`
    for (const issuer of [
      'https://evil.example',
      `${server.origin}/`,
      `${server.origin}/tenant`,
      undefined,
      7,
    ]) {
      expect(await kidsWith({ issuer, jwks_uri })).toMatch(/another issuer/)
    }
  })

  it('takes an issuer that ends in a slash from an OpenID Connect URL, which does not tell', async () => {
    const jwks_uri = `${server.origin}/jwks`
    const openid = '/.well-known/openid-configuration'
    expect(await kidsWith({ issuer: `${server.origin}/`, jwks_uri }, openid)).toBe('a')
    expect(await kidsWith({ issuer: `${server.origin}/t/`, jwks_uri }, `/t${openid}`)).toBe('a')
    for (const issuer of [`${server.origin}//`, `${server.origin}/t`, 'https://evil.example/']) {
      expect(await kidsWith({ issuer, jwks_uri }, openid)).toMatch(/another issuer/)
    }
    expect(await kidsWith({ issuer: `${server.origin}/t/`, jwks_uri }, `${WELL_KNOWN}/t`)).toMatch(
      /another issuer/,
    )
  })

  it('has one time for both documents', async () => {
    server.answer = (request, response) => {
      const document =
        request.url === '/jwks' ? { keys: [a] } : { issuer: server.origin, jwks_uri: `${server.origin}/jwks` }
      setTimeout(() => answering(document)(request, response), 300)
    }
    const options = { issuerMetadata: server.origin + WELL_KNOWN, ca: authority.ca }
    expect(await kidsOf({ ...options, timeoutMs: 450 })).toMatch(/^none: .*450 ms/)
    expect(await kidsOf({ ...options, timeoutMs: 3000 })).toBe('a')
  })

  it('follows jwks_uri to origins that were allowed, and to no other', async () => {
    const metadata = { issuer: server.origin, jwks_uri: `${keys.origin}/jwks` }
    expect(await kidsWith(metadata)).toMatch(/not allowed/)
    expect(keys.requests).toEqual([])
    expect(await kidsWith(metadata, WELL_KNOWN, { allowedOrigins: [keys.origin] })).toBe('b')
    for (const jwks_uri of ['/jwks', 'http://127.0.0.1/jwks', 'file:///etc/passwd', undefined, 7]) {
      expect(await kidsWith({ issuer: server.origin, jwks_uri })).toMatch(/^none: /)
    }
  })
})

describe('jwksFile, on a real disk', () => {
  let folder: string
  let file: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'jwks-'))
    file = join(folder, 'jwks.json')
    writeFileSync(file, JSON.stringify({ keys: [a] }))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('gives the new keys soon after the file was replaced, written over, or its link turned', async () => {
    const source = sourceOf({ jwksFile: file })
    expect(await kidsFrom(source)).toBe('a')
    writeFileSync(`${file}.new`, JSON.stringify({ keys: [b] }))
    renameSync(`${file}.new`, file)
    await eventually(source, 'b')
    writeFileSync(file, JSON.stringify({ keys: [a, b] }))
    await eventually(source, 'a,b')
    unlinkSync(file)
    writeFileSync(join(folder, 'elsewhere.json'), JSON.stringify({ keys: [a] }))
    symlinkSync(join(folder, 'elsewhere.json'), file)
    await eventually(source, 'a')
  })

  it('keeps the old keys while the file is half written, empty or gone', async () => {
    const source = sourceOf({ jwksFile: file, cooldown: 1 })
    expect(await kidsFrom(source)).toBe('a')
    const whole = JSON.stringify({ keys: [b] })
    for (const part of [whole.slice(0, 40), '', null]) {
      if (part === null) unlinkSync(file)
      else writeFileSync(file, part)
      await new Promise((resolve) => setTimeout(resolve, 150))
      expect(await kidsFrom(source)).toBe('a')
    }
    writeFileSync(file, whole)
    await eventually(source, 'b')
  })

  it('has no keys where there is no file', async () => {
    expect(await kidsOf({ jwksFile: join(folder, 'nowhere.json') })).toMatch(/^none: .*ENOENT/)
  })

  it('does not read a file beyond its limit', async () => {
    writeFileSync(file, JSON.stringify({ keys: [a], x: 'x'.repeat(5000) }))
    expect(await kidsOf({ jwksFile: file, maxBytes: 4096 })).toMatch(/^none: .*4096/)
    const before = process.memoryUsage().rss
    truncateSync(file, 1_500_000_000)
    expect(await kidsOf({ jwksFile: file, maxBytes: 4096 })).toMatch(/^none: .*4096/)
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000)
  })

  it('reads a file up to its very limit', async () => {
    const text = JSON.stringify({ keys: [a] })
    for (const length of [text.length, 65_536, 131_072, 200_000]) {
      writeFileSync(file, text.padEnd(length))
      expect(await kidsOf({ jwksFile: file, maxBytes: length })).toBe('a')
      expect(await kidsOf({ jwksFile: file, maxBytes: length - 1 })).toMatch(/^none: .*longer than/)
    }
  })

  it.skipIf(process.platform === 'win32')(
    'does not wait for a pipe, nor read a device or folder',
    async () => {
      const source = sourceOf({ jwksFile: file, cooldown: 1 })
      expect(await kidsFrom(source)).toBe('a')
      execFileSync('mkfifo', [`${file}.pipe`])
      renameSync(`${file}.pipe`, file)
      const start = performance.now()
      await source.refreshedFor!('wimse://example.com')
      expect(performance.now() - start).toBeLessThan(1000)
      expect(await kidsFrom(source)).toBe('a')
      writeFileSync(`${file}.new`, JSON.stringify({ keys: [b] }))
      renameSync(`${file}.new`, file)
      await eventually(source, 'b')
      for (const path of ['/dev/zero', '/dev/null', folder]) {
        expect(await kidsOf({ jwksFile: path })).toMatch(/^none: .*not a regular file/)
      }
    },
  )
})

describe('createTrustBundleSource()', () => {
  const right: Readonly<Record<string, unknown>> = {
    maxStale: 60,
    cooldown: 5,
    timeoutMs: 5000,
    maxBytes: 4096,
    allowedOrigins: ['https://b.example'],
    ca: authority.ca,
    allowInsecure: true,
  }
  const wrong: readonly (readonly [names: string, options: object])[] = [
    ['exactly one', {}],
    ['exactly one', { jwks: { keys: [a] }, jwksUri: 'https://a.example' }],
    ['jwksUri', { jwksUri: 'http://a.example' }],
    ['jwksUri', { jwksUri: 'https://user@a.example' }],
    ['jwksUri', { jwksUri: 'a.example' }],
    ['jwksUri', { jwksUri: 7 }],
    ['jwksFile', { jwksFile: '' }],
    ['issuerMetadata', { issuerMetadata: 'https://a.example/metadata' }],
    ['issuerMetadata', { issuerMetadata: 'https://a.example/.well-known/oauth-authorization-server?x' }],
    ['issuerMetadata', { issuerMetadata: 'http://a.example/.well-known/oauth-authorization-server' }],
    [
      'allowedOrigins',
      { issuerMetadata: 'https://a.example/.well-known/openid-configuration', allowedOrigins: ['b'] },
    ],
    ['allowInsecure', { jwksUri: 'http://a.example', allowInsecure: 'yes' }],
    ['maxStale', { jwksUri: 'https://a.example', maxStale: -1 }],
    ['cooldown', { jwksUri: 'https://a.example', cooldown: 0 }],
    ['timeoutMs', { jwksUri: 'https://a.example', timeoutMs: Number.NaN }],
    ['maxBytes', { jwksUri: 'https://a.example', maxBytes: 1.5 }],
    ['ca', { jwksUri: 'https://a.example', ca: [7] }],
    ['ca', { jwksUri: 'https://a.example', ca: 'not a pem' }],
    ['ca', { jwksUri: 'https://a.example', ca: [] }],
    ['ca', { jwksUri: 'https://a.example', ca: [authority.ca, authority.ca.replace(/M/g, 'N')] }],
    ['bundleFor', { source: {} }],
    ['cooldwn', { jwksUri: 'https://a.example', cooldwn: 5 }],
    ...(
      [
        ['jwks', { keys: [] }, 'maxStale cooldown timeoutMs maxBytes allowedOrigins ca allowInsecure'],
        ['jwksFile', '/a', 'allowedOrigins ca allowInsecure'],
        ['jwksUri', 'https://a.example', 'allowedOrigins'],
        [
          'source',
          { bundleFor: () => null },
          'maxStale cooldown timeoutMs maxBytes allowedOrigins ca allowInsecure',
        ],
      ] as const
    ).flatMap(([way, value, without]) =>
      without.split(' ').map((name): (typeof wrong)[number] => [name, { [way]: value, [name]: right[name] }]),
    ),
    ...Object.keys(right).map((name): (typeof wrong)[number] => [
      name,
      { issuerMetadata: 'https://a.example/.well-known/openid-configuration', ...right, [name]: {} },
    ]),
  ]
  for (const [names, options] of wrong) {
    it(`throws for ${JSON.stringify(options).slice(0, 80)}, and names ${names}`, () => {
      expect(() => createTrustBundleSource(options)).toThrow(names)
      expect(() => createTrustBundleSource(options)).toThrow(TypeError)
    })
  }

  it('takes every option where it has a meaning', () => {
    for (const options of [
      { issuerMetadata: 'https://a.example/.well-known/openid-configuration', ...right },
      { jwksUri: 'https://a.example', ...right, allowedOrigins: undefined },
      { jwksFile: '/a', ...right, allowedOrigins: undefined, ca: undefined, allowInsecure: undefined },
      { jwksUri: 'https://a.example', ca: `# ours\n${authority.ca}\n${createTestAuthority().ca}` },
    ]) {
      expect(createTrustBundleSource(options as TrustBundleSourceOptions)).toHaveProperty('bundleFor')
    }
  })

  it('goes on when its listener throws or rejects, with a key set that never changes too', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    for (const onEvent of [
      () => {
        throw new Error('a bug of the listener')
      },
      () => Promise.reject(new Error('a bug of the listener')) as never,
    ]) {
      const source = createTrustBundleSource({ jwks: { keys: [a, {}] } }, { onEvent })
      expect(await kidsFrom(source)).toBe('a')
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  it('takes http on loopback, and elsewhere when told so', () => {
    for (const options of [
      { jwksUri: 'http://127.0.0.1/jwks' },
      { jwksUri: 'http://[::1]/jwks' },
      { jwksUri: 'http://a.example', allowInsecure: true },
    ]) {
      expect(createTrustBundleSource(options)).toHaveProperty('bundleFor')
    }
  })
})

describe('a key set with very many keys', () => {
  const edwards = (count: number, kid = (index: number): string | undefined => String(index)): object[] =>
    Array.from({ length: count }, (_, index) => ({
      ...generateTestKeyPair('Ed25519').publicJwk,
      ...(kid(index) === undefined ? {} : { kid: kid(index) }),
    }))

  it('counts as a failure beyond 256 keys, and says so', async () => {
    const keys = edwards(257)
    expect(await kidsOf({ jwks: { keys: keys.slice(1) } })).toBe(
      keys
        .slice(1)
        .map((_, i) => i + 1)
        .join(),
    )
    expect(() => createTrustBundleSource({ jwks: { keys } })).toThrow(/more than 256 keys/)
    // What is no key of ours does not count.
    const others = Array.from({ length: 1000 }, () => ({ kty: 'oct', k: 'AA' }))
    expect(await kidsOf({ jwks: { keys: [...others, ...keys.slice(1)] } })).toMatch(/^1,2,/)
  })

  it('does not keep the process from its work', () => {
    const [one] = edwards(1)
    const keys = Array.from({ length: 11_000 }, (_, index) => ({ ...one, kid: String(index) }))
    const start = performance.now()
    expect(() => createTrustBundleSource({ jwks: { keys } })).toThrow(/more than 256 keys/)
    expect(performance.now() - start).toBeLessThan(500)
  })

  it('knows keys that a token cannot tell apart, with and without ids', async () => {
    const names = (keys: readonly object[]): readonly string[] => readTrustBundle({ keys }).skipped
    const [first, second] = edwards(2, () => undefined)
    const ids = (id: string): object[] => [
      { ...first, kid: id },
      { ...second, kid: id },
    ]
    for (const keys of [[first!, second!], ids('x'), ids('null'), ids('')]) {
      expect(names(keys)).toEqual([expect.stringContaining('keys[1]')])
    }
    expect(names([first!, { ...second, kid: 'x' }])).toEqual([])
    expect(
      names([
        { ...first, alg: 'EdDSA', kid: 'x' },
        { ...second, alg: 'Ed25519', kid: 'x' },
      ]),
    ).toEqual([])
    expect(
      names([
        { ...first, alg: undefined, kid: 'x' },
        { ...second, alg: 'EdDSA', kid: 'x' },
      ]),
    ).toHaveLength(1)
  })
})
