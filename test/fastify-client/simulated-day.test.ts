import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdentityServer } from '@wimse-demo/identity-server'
import {
  createWorkloadFetch,
  type CredentialSource,
  fileCredentials,
  identityServerCredentials,
} from 'fastify-wimse-client'
import type { AuthenticatorOptions } from 'wimse'
import { decodeJwt, importJWK, type JWK, jwtVerify } from 'jose'
import { createTestIdentityServer, fixedClock, type FixedClock, privateKeyOf } from 'wimse-testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startProtectedService } from '../fastify/protected-service.js'
import { freePort } from '../redis/redis-server.js'

const DAY = 86_400
const CALLS = 5000
const AT_ONCE = 4
const MORNING = 1_800_000_000

/** What a day of calls came to. */
interface Day {
  /** Calls by what they were answered with. */
  readonly statuses: ReadonlyMap<number, number>
  readonly identities: number
  /** Proofs that do not verify, by another library, under the key of the identity token beside them. */
  readonly byAnotherKey: number
  readonly afterExpiry: number
}

/** Makes calls all day long against a real service, and looks at what was sent with other eyes. */
async function liveThrough(
  clock: FixedClock,
  source: CredentialSource,
  trustDomains: AuthenticatorOptions['trustDomains'],
  /** Called before each few calls. Time stands still while it says that a rotation is on its way. */
  isRotating: () => Promise<boolean>,
): Promise<Day> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const sent: { wit: string; wpt: string; at: number }[] = []
  const service = await startProtectedService({ audience: origin, trustDomains, now: clock }, port)
  service.app.server.prependListener('request', ({ headers }: { headers: Record<string, string> }) => {
    sent.push({
      wit: headers['workload-identity-token']!,
      wpt: headers['workload-proof-token']!,
      at: clock(),
    })
  })
  const workloadFetch = createWorkloadFetch({ credentials: source, targets: [origin], now: clock })
  const statuses = new Map<number, number>()
  for (let calls = 0; calls < CALLS; calls += AT_ONCE) {
    const standsStill = await isRotating()
    const responses = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => workloadFetch(`${origin}/a`)),
    )
    for (const response of responses) {
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
      await response.text()
    }
    if (!standsStill) clock.advance(((MORNING + DAY - clock()) / (CALLS - calls)) * AT_ONCE)
  }
  await service.app.close()

  const keys = new Map<string, Awaited<ReturnType<typeof importJWK>>>()
  let [byAnotherKey, afterExpiry] = [0, 0]
  for (const { wit, wpt, at } of sent) {
    const { cnf, exp } = decodeJwt<{ cnf: { jwk: JWK } }>(wit)
    if (!keys.has(wit)) keys.set(wit, await importJWK(cnf.jwk))
    const proved = await jwtVerify(wpt, keys.get(wit)!, {
      typ: 'wpt+jwt',
      currentDate: new Date(at * 1000),
    }).catch(() => null)
    if (proved === null) byAnotherKey++
    if (at >= exp! || (proved?.payload.exp ?? 0) > exp!) afterExpiry++
  }
  expect(sent).toHaveLength(CALLS)
  return { statuses, identities: keys.size, byAnotherKey, afterExpiry }
}

describe(`a day of ${CALLS} calls (CLI-07, WPT-39)`, () => {
  let folder: string
  let clock: FixedClock
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'day-'))
    clock = fixedClock(MORNING)
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const faultless = { statuses: new Map([[200, CALLS]]), byAnotherKey: 0, afterExpiry: 0 }

  it('with files that a sidecar replaces every hour', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })
    const paths = { wit: join(folder, 'wit.jwt'), key: join(folder, 'key.jwk') }
    let rotations = 0
    const rotate = async (): Promise<void> => {
      const credential = await identityServer.issue({ subject: '/checkout', lifetime: 5400 })
      const files: [string, string][] = [
        [paths.wit, credential.wit],
        [paths.key, JSON.stringify(privateKeyOf(credential))],
      ]
      // One or the other first, at once or by renaming.
      for (const [path, text] of rotations % 2 === 0 ? files : files.toReversed()) {
        if (rotations % 3 === 0) writeFileSync(path, text)
        else {
          writeFileSync(`${path}.new`, text)
          renameSync(`${path}.new`, path)
        }
      }
      rotations++
    }
    let takenUp = 0
    const source = fileCredentials({
      ...paths,
      now: clock,
      onEvent: ({ type }) => {
        if (type === 'refreshed') takenUp++
      },
    })
    const day = await liveThrough(clock, source, identityServer.trustDomains, async () => {
      if (clock() >= MORNING + rotations * 3600) await rotate()
      const isPending = rotations > 1 && takenUp < rotations
      // Calls go on, only not so many that none are left for the evening.
      if (isPending) await sleep(10)
      return isPending
    })
    expect(day).toEqual({ ...faultless, identities: 24 })
    await source.close?.()
  })

  it('with an identity server, whose tokens live for an hour', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const bootstrapFile = join(folder, 'bootstrap')
    writeFileSync(bootstrapFile, 'the-secret-of-checkout')
    const subject = 'wimse://example.com/checkout'
    const server = await createIdentityServer({
      trustDomain: 'wimse://example.com',
      url,
      secrets: { [subject]: 'the-secret-of-checkout' },
      keyLifetime: 10 * DAY,
      perMinute: { workload: 1000, address: 1000 },
      log: { level: 'silent' },
      now: clock,
    })
    await server.listen({ host: '127.0.0.1', port: Number(new URL(url).port) })
    const source = identityServerCredentials({ url: `${url}/wit`, bootstrapFile, subject, now: clock })
    const trustDomains = { 'wimse://example.com': { jwksUri: `${url}/jwks.json` } }
    const day = await liveThrough(clock, source, trustDomains, async () => false)
    expect(day).toEqual({ ...faultless, identities: expect.toSatisfy((count: number) => count >= 24) })
    await source.close?.()
    await server.close()
  })
})
