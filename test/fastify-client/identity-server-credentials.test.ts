import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { createIdentityServer } from '@wimse-demo/identity-server'
import {
  type CredentialEvent,
  type CredentialSource,
  identityServerCredentials,
  type IdentityServerCredentialsOptions,
  SigningError,
} from 'fastify-wimse-client'
import { fixedClock, generateTestKeyPair } from 'wimse-testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestAuthority } from '../https/test-authority.js'
import { freePort } from '../redis/redis-server.js'
import { type MoodyIdentityServer, startMoodyIdentityServer } from './moody-identity-server.js'
import { startRecordingServer } from './recording-server.js'

const SECRET = 'the-secret-of-checkout'
const subject = 'wimse://example.com/checkout'

let folder: string
let bootstrapFile: string
let events: CredentialEvent[]
const sources: CredentialSource[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootstrap-'))
  bootstrapFile = join(folder, 'secret')
  writeFileSync(bootstrapFile, `${SECRET}\n`)
  events = []
})
afterEach(async () => {
  for (const source of sources.splice(0)) await source.close?.()
  rmSync(folder, { recursive: true, force: true })
})

function sourceOf(url: string, options: Partial<IdentityServerCredentialsOptions> = {}): CredentialSource {
  const source = identityServerCredentials({
    url,
    bootstrapFile,
    subject,
    onEvent: (event) => events.push(event),
    ...options,
  })
  sources.push(source)
  return source
}

async function codeOf(promise: unknown): Promise<string> {
  try {
    await promise
    return 'there is one'
  } catch (error) {
    return (error as SigningError).code
  }
}

describe('identityServerCredentials(), with the identity server over https', () => {
  const authority = createTestAuthority()
  let url: string
  let app: Awaited<ReturnType<typeof createIdentityServer>>
  beforeAll(async () => {
    const origin = `https://localhost:${await freePort()}`
    url = `${origin}/wit`
    app = await createIdentityServer({
      trustDomain: 'wimse://example.com',
      url: origin,
      secrets: { [subject]: SECRET },
      tls: authority.certificateFor('localhost'),
      log: { level: 'silent' },
    })
    await app.listen({ host: 'localhost', port: Number(new URL(origin).port) })
  })
  afterAll(() => app.close())

  for (const algorithm of ['ES256', 'ES384', 'Ed25519'] as const) {
    it(`gets an identity for a new key of ${algorithm}`, async () => {
      const source = sourceOf(url, { ca: authority.ca, algorithm })
      const credential = await source.current()
      expect(credential.subject).toBe(subject)
      expect(await source.current()).toBe(credential)
      expect(events).toEqual([{ type: 'refreshed', subject, expiresAt: credential.expiresAt }])
    })
  }

  it('gives its bootstrap credential to nobody whose certificate is not right', async () => {
    for (const [odd, ca] of [
      [url, createTestAuthority().ca],
      [url, undefined],
      [url.replace('localhost', '127.0.0.1'), authority.ca],
    ] as const) {
      const source = sourceOf(odd, { timeoutMs: 300, ...(ca === undefined ? {} : { ca }) })
      expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
      expect(events.at(-1)).toMatchObject({
        type: 'failed',
        reason: expect.stringContaining('cannot be reached'),
      })
    }
  })

  it('is refused with another bootstrap credential, and says so without it', async () => {
    writeFileSync(bootstrapFile, 'another-secret-of-mine')
    const source = sourceOf(url, { ca: authority.ca, timeoutMs: 300 })
    const failure: unknown = await Promise.resolve(source.current()).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SigningError)
    expect(events[0]).toEqual({ type: 'failed', reason: 'the identity server answered 401' })
    expect(inspect([failure, events], { depth: 9 })).not.toContain('another-secret')
  })
})

describe('identityServerCredentials(), whatever the identity server does (CLI-07, CLI-05)', () => {
  let server: MoodyIdentityServer
  const clock = fixedClock(1_800_000_000)
  beforeEach(async () => {
    server = await startMoodyIdentityServer(clock)
  })
  afterEach(async () => server.close())
  const open = (options: Partial<IdentityServerCredentialsOptions> = {}): CredentialSource =>
    sourceOf(server.url, { now: clock, timeoutMs: 400, ...options })
  const untilEvents = async (count: number): Promise<void> => {
    for (let tries = 0; tries < 500 && events.length < count; tries++) await sleep(10)
    expect(events.length).toBeGreaterThanOrEqual(count)
  }

  it('asks with the bootstrap credential and a request by a new key, whose private half it keeps', async () => {
    await open().current()
    const [{ bearer, body }] = server.requests as [{ bearer: string; body: string }]
    expect(bearer).toBe(SECRET)
    expect(Object.keys(JSON.parse(body) as object)).toEqual(['request'])
    expect(
      Buffer.from((JSON.parse(body) as { request: string }).request.split('.')[1]!, 'base64url').toString(),
    ).not.toContain('"d"')
  })

  it('asks once for many who wait', async () => {
    const source = open()
    const credentials = await Promise.all(Array.from({ length: 50 }, async () => source.current()))
    expect(new Set(credentials).size).toBe(1)
    expect(server.requests).toHaveLength(1)
  })

  it('renews by two thirds of the lifetime, never before half of it, with a new key each time', async () => {
    const source = open()
    const first = await source.current()
    clock.advance(1999)
    expect(await source.current()).toBe(first)
    await sleep(50)
    expect(server.requests).toHaveLength(1)
    clock.advance(401)
    // The old one serves while the new one is on its way.
    expect(await source.current()).toBe(first)
    await untilEvents(2)
    const second = await source.current()
    expect(second.keyThumbprint).not.toBe(first.keyThumbprint)
    expect(second.expiresAt).toBe(first.expiresAt + 2400)
  })

  it('renews by itself when nobody asks', async () => {
    server.mood = { lifetime: 4 }
    const started = performance.now()
    const from = clock()
    await open({ now: () => from + (performance.now() - started) / 1000 }).current()
    await untilEvents(2)
    await sleep(1200)
    expect(events.length).toBeGreaterThanOrEqual(3)
    expect(events.map(({ type }) => type)).not.toContain('failed')
  })

  it('does not have a fleet renew at once', async () => {
    const fleet = Array.from({ length: 12 }, () => open())
    await Promise.all(fleet.map(async (source) => source.current()))
    clock.advance(1980)
    const renewedAt: number[] = []
    for (let second = 2000; second <= 2400; second += 20) {
      clock.advance(20)
      const before = server.requests.length
      await Promise.all(fleet.map(async (source) => source.current()))
      await sleep(20)
      if (server.requests.length > before) renewedAt.push(second)
    }
    await untilEvents(24)
    expect(server.requests).toHaveLength(24)
    expect(renewedAt.length).toBeGreaterThan(2)
  })

  it('serves the old one while the server fails, until it expires, and never after', async () => {
    const source = open()
    const first = await source.current()
    server.mood = { status: 503 }
    clock.advance(2500)
    expect(await source.current()).toBe(first)
    await untilEvents(2)
    clock.advance(1099)
    expect(await source.current()).toBe(first)
    clock.advance(1)
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_EXPIRED')
    // By now nobody waits to be told.
    const before = performance.now()
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_EXPIRED')
    expect(performance.now() - before).toBeLessThan(200)
    server.mood = {}
    for (let tries = 0; tries < 300 && (await codeOf(source.current())) !== 'there is one'; tries++)
      await sleep(20)
    expect((await source.current()).expiresAt).toBeGreaterThan(first.expiresAt)
  })

  it('backs off from a server that fails', async () => {
    server.mood = { status: 500 }
    const source = open({ timeoutMs: 1500 })
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
    await sleep(200)
    expect(server.requests.length).toBeGreaterThanOrEqual(3)
    expect(server.requests.length).toBeLessThanOrEqual(6)
  })

  it('leaves it alone for as long as it asks to be', async () => {
    server.mood = { status: 429, headers: { 'retry-after': '2' } }
    const source = open()
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
    server.mood = {}
    await sleep(600)
    expect(server.requests).toHaveLength(1)
    await untilEvents(2)
  })

  const stranger = generateTestKeyPair('ES256')
  for (const [what, mood, reason] of [
    ['another key than the one it made', { confirmationKey: stranger.publicJwk }, /not those of cnf.jwk/],
    ['another workload', { subject: 'wimse://example.com/other' }, /identity of another workload/],
    ['a token that has expired', { lifetime: 1, headers: {} }, null],
    ['no token', { body: '{}' }, /gave no identity token/],
    ['a token that is none', { body: '{"wit":"eyJsecret.a.b"}' }, /cannot be read/],
    ['no JSON', { body: 'eyJsecret' }, /did not answer JSON/],
    ['no end of it', { body: 'x'.repeat(100_000) }, /more than 65536 bytes/],
    ['nothing', { silent: true }, /no answer in/],
  ] as const) {
    it(`refuses an answer with ${what}`, async () => {
      server.mood = mood
      const source = reason === null ? open({ now: () => clock() + 5 }) : open()
      expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
      await untilEvents(1)
      expect(events[0]).toMatchObject({
        type: 'failed',
        reason: expect.stringMatching(reason ?? /has expired/),
      })
      expect(inspect(events)).not.toContain('secret')
      server.mood = {}
      await untilEvents(2)
      for (let tries = 0; tries < 100 && events.at(-1)!.type === 'failed'; tries++) await sleep(20)
      expect((await source.current()).subject).toBe(subject)
    })
  }

  it('follows no redirect: its bootstrap credential goes to one URL alone', async () => {
    const elsewhere = await startRecordingServer()
    for (const status of [301, 302, 307, 308]) {
      server.mood = { status, headers: { location: `${elsewhere.origin}/wit` } }
      expect(await codeOf(open({ timeoutMs: 100 }).current())).toBe('WIMSE_CREDENTIAL_MISSING')
    }
    expect(elsewhere.requests).toEqual([])
    await elsewhere.close()
  })

  it('reads the bootstrap credential anew each time, and survives its absence', async () => {
    const source = open()
    rmSync(bootstrapFile)
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(events[0]!.reason).toBe('the bootstrap credential cannot be read: ENOENT')
    writeFileSync(bootstrapFile, 'two words')
    await sleep(400)
    expect(server.requests).toEqual([])
    writeFileSync(bootstrapFile, 'the-next-secret')
    for (let tries = 0; tries < 200 && events.at(-1)!.type === 'failed'; tries++) await sleep(20)
    expect(server.requests[0]!.bearer).toBe('the-next-secret')
  })

  it('renews a credential that was refused, but not at the pace of whoever refuses', async () => {
    const source = open()
    const first = await source.current()
    // One that is new would be followed by another like it.
    expect(await source.renewed!(first)).toBe(first)
    clock.advance(5)
    const second = await source.renewed!(first)
    expect(second).not.toBe(first)
    // Whoever was refused with the one before is given the one in use.
    expect(await source.renewed!(first)).toBe(second)
    expect(server.requests).toHaveLength(2)
    let used = second
    for (let seconds = 0; seconds < 600; seconds++) {
      clock.advance(1)
      used = await source.renewed!(used)
    }
    // After 10, 20, 40, 80, 160 and 320 seconds, and not 120 times.
    expect(server.requests.length).toBeLessThanOrEqual(8)
    expect(server.requests.length).toBeGreaterThanOrEqual(6)
  })

  it('renews a credential that was refused when the clock was set back', async () => {
    const source = open()
    clock.advance(100)
    const first = await source.current()
    clock.advance(-50)
    expect(await source.renewed!(first)).not.toBe(first)
  })

  it('has nobody wait for a server that is known to be down', async () => {
    const source = open()
    const first = await source.current()
    clock.advance(60)
    server.mood = { status: 500 }
    expect(await source.renewed!(first)).toBe(first)
    const before = performance.now()
    for (let calls = 0; calls < 5; calls++) expect(await source.renewed!(first)).toBe(first)
    expect(performance.now() - before).toBeLessThan(200)
  })

  it('is not talked into letting its credential expire', async () => {
    server.mood = { lifetime: 6 }
    const source = open()
    await source.current()
    server.mood = { status: 503, headers: { 'retry-after': '300' } }
    clock.advance(5)
    await source.current()
    await untilEvents(2)
    server.mood = {}
    clock.advance(1)
    await sleep(100)
    // Ten seconds at most, and not the five minutes that were asked for.
    expect(events.at(-1)!.type).toBe('failed')
    await sleep(11_500)
    expect(events.at(-1)!.type).toBe('refreshed')
  })

  it('keeps nothing of an answer that is no HTTP', async () => {
    const echo = createServer((socket) => {
      socket.on('data', (data) => socket.end(`HTTP/1.1 200 OK\r\nbad header\r\n\r\n${data.toString()}`))
      socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    const { port } = echo.address() as { port: number }
    const failure: unknown = await Promise.resolve(
      sourceOf(`http://127.0.0.1:${port}/wit`, { timeoutMs: 100 }).current(),
    ).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'WIMSE_CREDENTIAL_MISSING' })
    expect(inspect([failure, events], { depth: 20, showHidden: true, maxArrayLength: null })).not.toContain(
      SECRET,
    )
    expect(JSON.stringify(failure, ['cause', 'rawPacket', 'data'])).not.toContain('116,104,101,45,115')
    echo.close()
  })

  it('takes a change to another protocol for no answer, at once', async () => {
    const changing = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
      })
    })
    await new Promise<void>((resolve) => changing.listen(0, '127.0.0.1', resolve))
    const { port } = changing.address() as { port: number }
    const source = sourceOf(`http://127.0.0.1:${port}/wit`, { timeoutMs: 300 })
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(events[0]).toMatchObject({ type: 'failed', reason: 'the identity server answered 101' })
    changing.close()
  })

  it('does not wait for a bootstrap credential that nobody writes', async () => {
    rmSync(bootstrapFile)
    execFileSync('mkfifo', [bootstrapFile])
    const source = open()
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(events[0]!.reason).toBe('the bootstrap credential cannot be read: not a regular file')
  })

  it('gives nothing once it is closed, and asks for nothing', async () => {
    const source = open()
    await source.current()
    await source.close!()
    expect(await codeOf(source.current())).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(await codeOf(source.renewed!(await sourceOf(server.url, { now: clock }).current()))).toBe(
      'WIMSE_CREDENTIAL_MISSING',
    )
    const waiting = open()
    server.mood = { silent: true }
    const pending = codeOf(waiting.current())
    await sleep(30)
    await waiting.close!()
    expect(await pending).toBe('WIMSE_CREDENTIAL_MISSING')
  })

  it('is not kept from renewing by a listener that fails', async () => {
    const source = open({
      onEvent: () => {
        throw new Error('deaf')
      },
    })
    expect((await source.current()).subject).toBe(subject)
  })
})

describe('the options of identityServerCredentials()', () => {
  const good = { url: 'https://identity.example.com/wit', bootstrapFile: '/run/secret', subject }
  it('are as few as these', () => {
    expect(identityServerCredentials(good)).toHaveProperty('current')
  })
  for (const [option, value] of [
    ['url', undefined],
    ['url', 'identity.example.com'],
    ['url', 'http://identity.example.com/wit'],
    ['url', 'https://user:word@identity.example.com/wit'],
    ['url', 'https://identity.example.com/wit#a'],
    ['bootstrapFile', ''],
    ['bootstrapFile', undefined],
    ['subject', undefined],
    ['subject', 'checkout'],
    ['algorithm', 'RS256'],
    ['algorithm', 'HS256'],
    ['ca', 'not PEM'],
    ['ca', []],
    ['timeoutMs', 0],
    ['allowInsecure', 'yes'],
    ['onEvent', true],
    ['now', 5],
    ['secret', 'x'],
  ] as const) {
    it(`throw for ${option}: ${JSON.stringify(value) ?? 'nothing'}, and are named`, () => {
      expect(() => identityServerCredentials({ ...good, [option]: value })).toThrow(
        new RegExp(`option ${option}|unknown option ${option}`),
      )
    })
  }
})
