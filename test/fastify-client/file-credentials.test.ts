import { execFileSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createWorkloadFetch,
  type CredentialEvent,
  type CredentialSource,
  fileCredentials,
  SigningError,
} from 'fastify-wimse-client'
import type { Credential } from 'wimse'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { startProtectedService } from '../fastify/protected-service.js'
import { freePort } from '../redis/redis-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

describe('fileCredentials(), on a real disk (CLI-07, CLI-05)', () => {
  let folder: string
  let paths: { wit: string; key: string }
  let source: CredentialSource
  let events: CredentialEvent[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'credentials-'))
    paths = { wit: join(folder, 'wit.jwt'), key: join(folder, 'key.jwk') }
    events = []
    source = fileCredentials({ ...paths, onEvent: (event) => events.push(event) })
  })
  afterEach(async () => {
    await source.close?.()
    rmSync(folder, { recursive: true, force: true })
  })

  const issue = async (subject: string, lifetime = 3600): Promise<Credential> =>
    identityServer.issue({ subject, lifetime })
  const replace = (path: string, text: string): void => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  const keyText = (credential: Credential): string => JSON.stringify(privateKeyOf(credential))
  const subject = async (): Promise<string> => {
    try {
      return (await source.current()).subject.slice('wimse://example.com'.length)
    } catch (error) {
      return (error as SigningError).code
    }
  }
  const eventually = async (expected: string): Promise<void> => {
    for (let tries = 0; tries < 1000 && (await subject()) !== expected; tries++) await sleep(10)
    expect(await subject()).toBe(expected)
  }

  it('gives the pair that is there, with a JWK or PEM and whatever blanks around it', async () => {
    const first = await issue('/first')
    writeFileSync(paths.wit, `\n${first.wit}\n`)
    writeFileSync(paths.key, ` ${keyText(first)}\n`)
    expect(await subject()).toBe('/first')
    const pem = createPrivateKey({ key: privateKeyOf(first) as never, format: 'jwk' }).export({
      format: 'pem',
      type: 'pkcs8',
    })
    writeFileSync(paths.key, pem)
    await sleep(150)
    expect(await subject()).toBe('/first')
    expect(events.map(({ type }) => type)).toEqual(['refreshed', 'refreshed'])
  })

  it('gives nothing while there is none, and the pair as soon as it is whole', async () => {
    expect(await subject()).toBe('WIMSE_CREDENTIAL_MISSING')
    const first = await issue('/first')
    writeFileSync(paths.wit, first.wit)
    expect(await subject()).toBe('WIMSE_CREDENTIAL_MISSING')
    writeFileSync(paths.key, keyText(first))
    expect(await subject()).toBe('/first')
  })

  it('serves the old pair until the new one matches, whichever file comes first', async () => {
    const [first, second, third] = [await issue('/first'), await issue('/second'), await issue('/third')]
    writeFileSync(paths.wit, first.wit)
    writeFileSync(paths.key, keyText(first))
    expect(await subject()).toBe('/first')
    replace(paths.wit, second.wit)
    await sleep(150)
    expect(await subject()).toBe('/first')
    replace(paths.key, keyText(second))
    await eventually('/second')
    replace(paths.key, keyText(third))
    await sleep(150)
    expect(await subject()).toBe('/second')
    replace(paths.wit, third.wit)
    await eventually('/third')
  })

  it('serves it while a file is half written, empty or no key at all, and tells why without quoting', async () => {
    const first = await issue('/first')
    writeFileSync(paths.wit, first.wit)
    writeFileSync(paths.key, keyText(first))
    expect(await subject()).toBe('/first')
    for (const text of [
      keyText(first).slice(0, 40),
      '',
      'secret-material',
      '-----BEGIN PRIVATE KEY-----\nsecret-material',
      '[]',
      '7',
    ]) {
      writeFileSync(paths.key, text)
      await sleep(120)
      expect(await subject()).toBe('/first')
    }
    expect(events.filter(({ type }) => type === 'failed').length).toBeGreaterThan(3)
    expect(inspect(events, { depth: 9 })).not.toMatch(/secret-material|eyJ|"d"/)
  })

  it('serves it on when the new one has expired already', async () => {
    const [first, old] = [await issue('/first'), await issue('/old', 1)]
    writeFileSync(paths.wit, first.wit)
    writeFileSync(paths.key, keyText(first))
    expect(await subject()).toBe('/first')
    await sleep(1100)
    replace(paths.key, keyText(old))
    replace(paths.wit, old.wit)
    await sleep(200)
    expect(await subject()).toBe('/first')
    expect(events.at(-1)).toEqual({ type: 'failed', reason: 'the identity token in the file has expired' })
  })

  it('does not wait for a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [paths.wit])
    const first = await issue('/first')
    writeFileSync(paths.key, keyText(first))
    expect(await subject()).toBe('WIMSE_CREDENTIAL_MISSING')
    replace(paths.wit, first.wit)
    expect(await subject()).toBe('/first')
  })

  it('looks again by itself once the token has expired', async () => {
    const short = await issue('/short', 1)
    writeFileSync(paths.wit, short.wit)
    writeFileSync(paths.key, keyText(short))
    expect(await subject()).toBe('/short')
    await sleep(1100)
    const next = await issue('/next')
    writeFileSync(paths.key, keyText(next))
    writeFileSync(paths.wit, next.wit)
    expect(await subject()).toBe('/next')
  })

  it('rotates under calls that run: none is refused, and none is signed with a key that is not the token’s', async () => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const service = await startProtectedService(
      { audience: origin, trustDomains: identityServer.trustDomains },
      port,
    )
    const first = await issue('/first')
    writeFileSync(paths.wit, first.wit)
    writeFileSync(paths.key, keyText(first))
    const workloadFetch = createWorkloadFetch({ credentials: source, targets: [origin] })
    const statuses = new Map<number, number>()
    const test = { rotating: true }
    const calls = (async () => {
      while (test.rotating) {
        const { status } = await workloadFetch(`${origin}/a`)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    })()
    for (let rotation = 0; rotation < 12; rotation++) {
      const next = await issue(`/rotation-${rotation}`)
      const files = [
        [paths.wit, next.wit],
        [paths.key, keyText(next)],
      ] as const
      for (const [path, text] of rotation % 2 === 0 ? files : files.toReversed()) {
        replace(path, text)
        await sleep(20)
      }
      await eventually(`/rotation-${rotation}`)
    }
    test.rotating = false
    await calls
    expect([...statuses.keys()]).toEqual([200])
    expect(new Set(service.handled.map(({ id }) => id)).size).toBeGreaterThanOrEqual(12)
    await service.app.close()
  })

  it('gives nothing once it is closed', async () => {
    const first = await issue('/first')
    writeFileSync(paths.wit, first.wit)
    writeFileSync(paths.key, keyText(first))
    expect(await subject()).toBe('/first')
    await source.close!()
    expect(await subject()).toBe('WIMSE_CREDENTIAL_MISSING')
  })

  for (const options of [
    { wit: '', key: 'a' },
    { wit: 'a' },
    { wit: 'a', key: 'b', onEvent: true },
    { wit: 'a', key: 'b', keyFile: 'c' },
  ]) {
    it(`throws for ${JSON.stringify(options)}`, () => {
      expect(() => fileCredentials(options as never)).toThrow(/fileCredentials|option onEvent/)
    })
  }
})
