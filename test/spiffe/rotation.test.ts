import Fastify from 'fastify'
import { compactVerify, decodeJwt, importJWK, type JWK } from 'jose'
import { expect, it } from 'vitest'
import { wimse } from 'fastify-wimse'
import { createWorkloadFetch } from 'fastify-wimse-client'
import { spiffeBundles, spiffeCredentials } from 'wimse-spiffe'
import { createTestIdentityServer, fixedClock, signedInject, type TestIdentityServer } from 'wimse-testkit'
import { freePort } from '../redis/redis-server.js'
import { eventually } from './eventually.js'
import { startWorkloadApi, svidOf } from './workload-api-server.js'

const ORG = 'spiffe://example.org'
const HOUR = 3600
const LANES = 4

/** What a call carried, and when it was. */
interface Seen {
  readonly wit: string
  readonly wpt: string
  readonly at: number
}

it('a day of calls between two services, their keys and tokens from the Workload API (WIT-24, CLI-07)', async () => {
  const clock = fixedClock(1_790_000_000)
  const api = await startWorkloadApi()
  const newIssuer = (): TestIdentityServer => createTestIdentityServer({ origin: ORG, now: clock })
  const firstIssuer = newIssuer()
  let issuer = firstIssuer
  const trusted = new Set([issuer])
  const publish = (): void => api.publish({ [ORG]: { keys: [...trusted].flatMap(({ jwks }) => jwks.keys) } })

  // The called service.
  const bundles = spiffeBundles({ endpoint: api.endpoint, now: clock })
  const origin = `http://127.0.0.1:${await freePort()}`
  const seen: Seen[] = []
  const inventory = Fastify({ forceCloseConnections: true })
  // Before the plugin, which takes the tokens off what it has let in.
  inventory.addHook('onRequest', async ({ headers }) => {
    const [wit, wpt] = [headers['workload-identity-token'], headers['workload-proof-token']]
    seen.push({ wit: String(wit), wpt: String(wpt), at: clock() })
  })
  await inventory.register(wimse, {
    audience: origin,
    trustDomains: { [ORG]: { source: bundles, profile: 'wit-svid' } },
    allow: `${ORG}/checkout`,
    now: clock,
  })
  inventory.get('/stock/:sku', async (request) => request.workload!.id)
  publish()
  await inventory.listen({ port: Number(new URL(origin).port), host: '127.0.0.1' })

  const kidsOf = (keys: readonly { readonly kid?: string | undefined }[]): string =>
    keys.map(({ kid }) => kid).join(' ')
  // What takes part of a second here is over long before the clock moves on by half an hour.
  const published = async (): Promise<void> =>
    eventually('the service has the keys', async () => {
      const { keys } = await bundles.bundleFor(ORG)
      return kidsOf(keys) === kidsOf([...trusted].flatMap(({ jwks }) => jwks.keys))
    })

  // The calling service.
  const credentials = spiffeCredentials({ endpoint: api.endpoint, now: clock })
  const workloadFetch = createWorkloadFetch({ credentials, targets: [origin], now: clock })
  const rotate = async (): Promise<string> => {
    const next = await issuer.issue({ subject: '/checkout', lifetime: 1.5 * HOUR })
    api.grant(svidOf(next))
    return next.wit
  }
  const inUse = async (wit: string): Promise<void> =>
    eventually('the new token is in use', async () => (await credentials.current()).wit === wit)
  await inUse(await rotate())

  const refused: Record<string, number> = {}
  const call = async (): Promise<void> => {
    const response = await workloadFetch(`${origin}/stock/42`)
    const text = await response.text()
    if (response.status === 200) return
    const { code } = JSON.parse(text) as { code: string }
    refused[code] = (refused[code] ?? 0) + 1
  }
  /** Calls on several lanes at once, while something else happens; the clock stands meanwhile. */
  const during = async <T>(happens: () => Promise<T>): Promise<T> => {
    const lanes = Array.from({ length: LANES }, async () => {
      for (let round = 0; round < 18; round++) await call()
    })
    const [outcome] = await Promise.all([happens(), ...lanes])
    return outcome
  }

  let streams = 2
  for (let hour = 0; hour < 24; hour++) {
    // A new issuer key every six hours: published, an hour later signed with, and the old one withdrawn once
    // the last token it signed has expired.
    if (hour % 6 === 2) {
      trusted.add(newIssuer())
      publish()
    } else if (hour % 6 === 3) {
      issuer = [...trusted].at(-1)!
    } else if (hour % 6 === 5) {
      trusted.delete([...trusted][0]!)
      publish()
    }
    // Now and then the agent hangs up on both.
    if (hour % 8 === 7) {
      streams += 2
      api.wire.cut()
    }
    await inUse(await during(rotate))
    await published()
    // They wait up to a second before they ask again, and a whole hour of this day may take less.
    await eventually('both have asked again', () => api.asked.length >= streams)
    for (let minutes = 0; minutes < 60; minutes += 30) {
      clock.advance(HOUR / 2)
      await during(async () => undefined)
    }
  }

  const stale = await firstIssuer.issue({ subject: '/checkout' })
  const reply = await signedInject(inventory, stale, { url: `${origin}/stock/42`, now: clock })
  const ofWithdrawnIssuer = [reply.statusCode, reply.json().code]
  seen.pop()

  const figures = {
    calls: 0,
    refused,
    byAnotherKey: 0,
    afterExpiry: 0,
    tokens: new Set(),
    issuers: new Set(),
  }
  for (const { wit, wpt, at } of seen) {
    const claims = decodeJwt<{ cnf: { jwk: JWK } }>(wit)
    const { jwk } = claims.cnf
    figures.calls++
    figures.tokens.add(wit)
    figures.issuers.add(wit.split('.')[0])
    if (at >= claims.exp!) figures.afterExpiry++
    await compactVerify(wpt, await importJWK(jwk, jwk.alg)).catch(() => figures.byAnotherKey++)
  }
  await inventory.close()
  await credentials.close!()
  await eventually('both have hung up', () => api.wire.open() === 0)
  await api.stop()

  console.log(
    `a day of calls: ${JSON.stringify({ ...figures, tokens: figures.tokens.size, issuers: figures.issuers.size, connections: api.wire.made() })}`,
  )
  expect(refused).toEqual({})
  expect(figures).toMatchObject({ byAnotherKey: 0, afterExpiry: 0 })
  expect(figures.calls).toBeGreaterThanOrEqual(5000)
  expect(figures.tokens.size).toBe(25)
  expect(figures.issuers.size).toBe(5)
  expect(ofWithdrawnIssuer).toEqual([400, 'WIMSE_WIT_KEY'])
})
