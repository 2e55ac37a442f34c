import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TrustEvent, wimse } from 'fastify-wimse'
import { createTrustBundleSource, importCredential, issueWit, signRequest } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { createTestAuthority } from '../https/test-authority.js'
import { answering, type MoodyServer, startMoodyServer } from './moody-server.js'

/** A hundred simulated seconds pass in a real one. */
const PACE = 100
const COOLDOWN = 5
const TRUST_DOMAIN = 'wimse://example.com'
const ORIGIN = 'https://inventory.example.com'

const timing = {
  now: () => (performance.now() / 1000) * PACE,
  after: (seconds: number, callback: () => void) => {
    const timer = setTimeout(callback, (seconds * 1000) / PACE)
    return () => clearTimeout(timer)
  },
  random: Math.random,
}
const passed = async (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / PACE))

interface IssuerKey {
  readonly kid: string
  readonly privateJwk: object
  readonly publicJwk: object
}

function issuerKey(kid: string): IssuerKey {
  const { privateJwk, publicJwk } = generateTestKeyPair('ES256')
  return { kid, privateJwk: { ...privateJwk, kid }, publicJwk: { ...publicJwk, kid } }
}

async function credentialBy({
  privateJwk,
}: IssuerKey): Promise<Awaited<ReturnType<typeof importCredential>>> {
  const key = generateTestKeyPair('ES256')
  const wit = await issueWit({
    issuerKey: privateJwk,
    subject: `${TRUST_DOMAIN}/checkout`,
    confirmationKey: key.publicJwk,
  })
  return importCredential({ wit, key: key.privateJwk })
}

describe('rotation under load, over https (WIT-24, demands on withdrawn keys)', () => {
  const authority = createTestAuthority()
  let issuer: MoodyServer
  beforeAll(async () => {
    issuer = await startMoodyServer(authority)
  })
  afterAll(() => issuer.stop())

  it('refuses nobody who should pass, and nobody passes after the first refresh without his key', async () => {
    const [first, second, third] = [issuerKey('first'), issuerKey('second'), issuerKey('third')]
    const publish = (...keys: IssuerKey[]): void => {
      issuer.answer = answering({ keys: keys.map(({ publicJwk }) => publicJwk), spiffe_refresh_hint: 30 })
    }
    publish(first)

    const events: TrustEvent[] = []
    const source = createTrustBundleSource(
      { jwksUri: `${issuer.origin}/jwks.json`, ca: authority.ca, cooldown: COOLDOWN },
      { timing, onEvent: (event) => events.push({ ...event, trustDomain: TRUST_DOMAIN }) },
    )
    const app = Fastify()
    await app.register(wimse, { audience: ORIGIN, trustDomains: { [TRUST_DOMAIN]: { source } } })
    app.get('/', async () => 'ok')
    await app.ready()

    /** Keys whose tokens should pass now, and all whose withdrawal the service has seen. */
    const current = new Set([first])
    const withdrawn = new Set<IssuerKey>()
    const credentials = new Map<IssuerKey, Awaited<ReturnType<typeof credentialBy>>[]>()
    for (const key of [first, second, third]) {
      credentials.set(key, await Promise.all(Array.from({ length: 20 }, async () => credentialBy(key))))
    }
    const figures = { sent: 0, letIn: 0, wronglyRefused: 0, wronglyLetIn: 0, refused: 0 }
    const test = { over: false }
    const load = async (key: IssuerKey): Promise<void> => {
      for (let round = 0; !test.over; round++) {
        // A caller whose key is neither in use nor withdrawn has nothing to say yet.
        if (!current.has(key) && !withdrawn.has(key)) {
          await passed(1)
          continue
        }
        const [should, mustNot] = [current.has(key), withdrawn.has(key)]
        const headers = signRequest(credentials.get(key)![round % 20]!, { url: `${ORIGIN}/` })
        const { statusCode } = await app.inject({ url: '/', headers })
        figures.sent++
        if (statusCode === 200) figures.letIn++
        else figures.refused++
        if (statusCode !== 200 && should && current.has(key)) figures.wronglyRefused++
        if (statusCode === 200 && mustNot) figures.wronglyLetIn++
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const removed = async (key: IssuerKey): Promise<void> => {
      while (!events.some(({ type, kid }) => type === 'key-removed' && kid === key.kid)) await passed(0.2)
      withdrawn.add(key)
    }

    const loads = [first, second, third].map(load)
    await passed(20)

    // The first rotation: both keys for a while, then the new one alone.
    publish(first, second)
    await passed(COOLDOWN)
    current.add(second)
    await passed(40)
    current.delete(first)
    publish(second)
    await removed(first)
    await passed(20)

    // The issuer dies for thirty seconds; whoever was known stays known.
    await issuer.stop()
    await passed(30)
    await issuer.start()

    // The second rotation, straight after.
    publish(second, third)
    await passed(60)
    current.add(third)
    await passed(40)
    current.delete(second)
    publish(third)
    await removed(second)
    while (figures.sent < 2000) await passed(20)
    test.over = true
    await Promise.all(loads)
    await app.close()

    expect(figures.sent).toBeGreaterThanOrEqual(2000)
    expect(events.filter(({ type }) => type === 'failed').length).toBeGreaterThan(0)
    expect(figures).toMatchObject({ wronglyRefused: 0, wronglyLetIn: 0 })
    expect(figures.refused).toBeGreaterThan(0)
    console.log(`rotation under load: ${JSON.stringify({ ...figures, fetches: issuer.requests.length })}`)
  })
})
