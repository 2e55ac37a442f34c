import Fastify from 'fastify'
import { status } from '@grpc/grpc-js'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { wimse } from 'fastify-wimse'
import { type TrustBundle, type TrustBundleSource } from 'wimse'
import { spiffeBundles, spiffeCredentials, type SpiffeBundlesOptions } from 'wimse-spiffe'
import { createTestIdentityServer, fixedClock, generateTestKeyPair, signedInject } from 'wimse-testkit'
import { eventually } from './eventually.js'
import { message, startWorkloadApi, svidOf, type WorkloadApi } from './workload-api-server.js'
import { listen } from '../observability/heard.js'

const ORG = 'spiffe://example.org'
const NET = 'spiffe://example.net'
const ORIGIN = 'https://inventory.example.com'

type SpiffeEvent = Parameters<NonNullable<SpiffeBundlesOptions['onEvent']>>[0]

function key(kid: string | undefined, use?: string): Readonly<Record<string, unknown>> {
  const { publicJwk } = generateTestKeyPair('ES256')
  return { ...publicJwk, ...(kid === undefined ? {} : { kid }), ...(use === undefined ? {} : { use }) }
}

describe('spiffeBundles(), on a real socket', () => {
  let api: WorkloadApi
  let sources: TrustBundleSource[]
  let events: SpiffeEvent[]

  beforeEach(async () => {
    api = await startWorkloadApi()
    sources = []
    events = []
  })
  afterEach(async () => {
    for (const source of sources) await source.close?.()
    await api.stop()
  })

  const follow = (options: SpiffeBundlesOptions = {}): TrustBundleSource => {
    const source = spiffeBundles({
      endpoint: api.endpoint,
      onEvent: (event) => events.push(event),
      ...options,
    })
    sources.push(source)
    return source
  }
  /** Ids of the keys of a trust domain, or why there are none. */
  const kids = async (source: TrustBundleSource, trustDomain = ORG): Promise<string> => {
    try {
      const { keys } = await source.bundleFor(trustDomain)
      return keys.map(({ kid }) => kid).join(' ')
    } catch (error) {
      return (error as Error).message
    }
  }
  const becomes = async (source: TrustBundleSource, expected: string, trustDomain = ORG): Promise<void> =>
    eventually(`the keys are ${expected}`, async () => (await kids(source, trustDomain)) === expected)
  const failures = (): (string | undefined)[] =>
    events.filter(({ type }) => type === 'failed').map(({ reason }) => reason)

  it('asks nothing before keys are wanted, waits for the first, and then answers from memory', async () => {
    const source = follow()
    await sleep(30)
    expect(api.asked).toEqual([])
    const waiting = kids(source)
    await eventually('it is asked', () => api.asked.length === 1)
    api.publish({ [ORG]: { keys: [key('a')] } })
    expect(await waiting).toBe('a')
    const bundle = source.bundleFor(ORG)
    expect(bundle).not.toBeInstanceOf(Promise)
    expect((bundle as TrustBundle).keys).toHaveLength(1)
    expect(api.asked).toEqual([{ method: 'FetchWITBundles', spiffeId: '' }])
  })

  it('is ready with the first keys', async () => {
    const source = follow()
    const ready = source.ready!()
    await eventually('it is asked', () => api.asked.length === 1)
    const early = await Promise.race([ready.then(() => 'ready'), sleep(20, 'not yet')])
    expect(early).toBe('not yet')
    api.publish({ [ORG]: { keys: [key('a')] } })
    await ready
  })

  it('tells on the channel wimse.trust, and of the stream as of spiffe', async () => {
    const ear = listen()
    api.publish({ [ORG]: { keys: [key('a')] } })
    const source = follow()
    expect(await kids(source)).toBe('a')
    api.publish({ 'not a trust domain': { keys: [] } })
    await eventually('it has failed', () => failures().length > 0)
    ear.close()
    const told = ear.take('wimse.trust')
    expect(told).toEqual(
      events.map(({ type, trustDomain = 'spiffe' }) => ({ type, trustDomain, leftOut: false })),
    )
    expect(told.map(({ type, trustDomain }) => `${type} ${trustDomain}`)).toEqual([
      `refreshed ${ORG}`,
      `key-added ${ORG}`,
      'failed spiffe',
    ])
  })

  it('serves many trust domains from one stream, each with its own keys', async () => {
    api.publish({ [ORG]: { keys: [key('a'), key('b')] }, [NET]: { keys: [key('a')] } })
    const source = follow()
    expect(await kids(source)).toBe('a b')
    expect(await kids(source, NET)).toBe('a')
    const [org, net] = [await source.bundleFor(ORG), await source.bundleFor(NET)]
    expect(org.keys[0]!.thumbprint).not.toBe(net.keys[0]!.thumbprint)
    expect(api.asked).toHaveLength(1)
  })

  it('counts of a SPIFFE bundle only the keys for WIT-SVIDs', async () => {
    api.publish({ [ORG]: { keys: [key('x', 'x509-svid'), key('w', 'wit-svid'), key('j', 'jwt-svid')] } })
    expect(await kids(follow())).toBe('w')
  })

  it('takes each message for the whole: keys and trust domains no longer in it are gone', async () => {
    const [a, b] = [key('a'), key('b')]
    api.publish({ [ORG]: { keys: [a, b] }, [NET]: { keys: [key('n')] } })
    const source = follow()
    expect(await kids(source)).toBe('a b')
    api.publish({ [ORG]: { keys: [b] } })
    await becomes(source, 'b')
    expect(await kids(source, NET)).toMatch(/has no keys of this trust domain/)
    api.publish({ [ORG]: { keys: [] } })
    await becomes(source, '')
    expect((await source.bundleFor(ORG)).keys).toEqual([])
    api.publish({})
    await eventually('it is withdrawn', async () => /no keys of this trust/.test(await kids(source)))
    expect(events.map(({ type, trustDomain, kid }) => [type, trustDomain, kid ?? ''].join(' '))).toEqual([
      `refreshed ${ORG} `,
      `key-added ${ORG} a`,
      `key-added ${ORG} b`,
      `refreshed ${NET} `,
      `key-added ${NET} n`,
      `refreshed ${ORG} `,
      `key-removed ${ORG} a`,
      `refreshed ${NET} `,
      `key-removed ${NET} n`,
      `refreshed ${ORG} `,
      `key-removed ${ORG} b`,
      `refreshed ${ORG} `,
    ])
  })

  it('gives the same bundle while the set of a trust domain stays the same', async () => {
    const org = { keys: [key('a')] }
    api.publish({ [ORG]: org })
    const source = follow()
    const bundle = await source.bundleFor(ORG)
    api.publish({ [ORG]: org, [NET]: { keys: [key('n')] } })
    await becomes(source, 'n', NET)
    expect(await source.bundleFor(ORG)).toBe(bundle)
  })

  describe('refuses a message whole, and keeps the keys from before, when', () => {
    const faults: readonly (readonly [string, Readonly<Record<string, object | string>>, RegExp])[] = [
      ['a key has no kid', { [ORG]: { keys: [key('b'), key(undefined)] } }, /has no kid/],
      ['a key has an empty kid', { [ORG]: { keys: [key('b'), key('')] } }, /has no kid/],
      ['a set is not JSON', { [ORG]: '{' }, /not one strict JSON object/],
      ['a set has a member twice', { [ORG]: '{"keys":[],"keys":[]}' }, /not one strict JSON object/],
      ['a set is empty text', { [ORG]: '' }, /not one strict JSON object/],
      ['a set is none', { [ORG]: { key: [] } }, /it has no array of keys/],
      ['no key of a set can be used', { [ORG]: { keys: [{ kty: 'oct', kid: 'b' }] } }, /not one usable key/],
      [
        'the set of another trust domain is none',
        { [ORG]: { keys: [key('b')] }, [NET]: '7' },
        /example\.net/,
      ],
      ['a trust domain is of another scheme', { 'wimse://example.org': { keys: [] } }, /SPIFFE trust domain/],
      ['a trust domain has a path', { [`${ORG}/a`]: { keys: [] } }, /SPIFFE trust domain/],
      ['a trust domain has no name', { '': { keys: [] } }, /SPIFFE trust domain/],
    ]
    for (const [what, bundles, reason] of faults) {
      it(what, async () => {
        api.publish({ [ORG]: { keys: [key('a')] } })
        const source = follow()
        expect(await kids(source)).toBe('a')
        api.publish(bundles)
        await eventually('the refusal is heard of', () => failures().length > 0)
        expect(failures()).toEqual([expect.stringMatching(reason)])
        expect(await kids(source)).toBe('a')
        api.publish({ [ORG]: { keys: [key('b')] } })
        await becomes(source, 'b')
        expect(api.asked).toHaveLength(1)
      })
    }

    it('it is not a message', async () => {
      api.publish({ [ORG]: { keys: [key('a')] } })
      const source = follow()
      expect(await kids(source)).toBe('a')
      const whole = message('WITBundlesResponse')
        .encode({ bundles: { [ORG]: JSON.stringify({ keys: [key('b')] }) } })
        .finish()
      api.send('FetchWITBundles', whole.subarray(0, -1))
      await eventually('the refusal is heard of', () => failures().length === 1)
      expect(await kids(source)).toBe('a')
      api.send('FetchWITBundles', whole)
      await becomes(source, 'b')
    })
  })

  for (const [what, lose] of [
    ['the connection is cut and nobody listens', (server: WorkloadApi) => server.wire.close()],
    ['the server fails', (server: WorkloadApi) => server.refuse(status.INTERNAL)],
    ['a message is refused', (server: WorkloadApi) => server.publish({ [ORG]: '{' })],
    ['the server has dropped the profile', (server: WorkloadApi) => server.refuse(status.UNIMPLEMENTED)],
  ] as const) {
    it(`keeps the last good keys for maxStale and no longer when ${what}`, async () => {
      const clock = fixedClock(1000)
      api.publish({ [ORG]: { keys: [key('a')] } })
      const source = follow({ now: clock })
      expect(await kids(source)).toBe('a')
      // While the stream stands, keys do not age.
      clock.advance(100_000)
      expect(await kids(source)).toBe('a')
      void lose(api)
      await eventually('it is heard of', () => failures().length > 0)
      clock.advance(3600)
      expect(await kids(source)).toBe('a')
      clock.advance(0.1)
      expect(await kids(source)).toMatch(/older than maxStale allows/)
    })
  }

  it('counts from the first failure and not from the last', async () => {
    const clock = fixedClock(1000)
    api.publish({ [ORG]: { keys: [key('a')] } })
    const source = follow({ now: clock })
    expect(await kids(source)).toBe('a')
    for (let failure = 1; failure <= 4; failure++) {
      api.send('FetchWITBundles', Buffer.from([0xff]))
      await eventually('it is heard of', () => failures().length === failure)
      expect(await kids(source)).toBe('a')
      clock.advance(1000)
    }
    expect(await kids(source)).toMatch(/older than maxStale allows/)
  })

  it('counts them as fresh again with the next good message', async () => {
    const clock = fixedClock(1000)
    api.publish({ [ORG]: { keys: [key('a')] } })
    const source = follow({ now: clock, maxStale: 10 })
    expect(await kids(source)).toBe('a')
    api.wire.cut()
    await eventually('it is heard of', () => failures().length === 1)
    clock.advance(11)
    expect(await kids(source)).toMatch(/older than maxStale allows/)
    await becomes(source, 'a')
    clock.advance(100)
    expect(await kids(source)).toBe('a')
  })

  for (const [what, broken] of [
    ['gives no number', () => Number.NaN],
    [
      'throws',
      () => {
        throw new Error('of its own')
      },
    ],
  ] as const) {
    it(`takes keys for too old under a clock that ${what}`, async () => {
      let clock: () => number = () => 0
      api.publish({ [ORG]: { keys: [key('a')] } })
      const source = follow({ now: () => clock() })
      expect(await kids(source)).toBe('a')
      api.refuse(status.INTERNAL)
      await eventually('it is heard of', () => failures().length > 0)
      expect(await kids(source)).toBe('a')
      clock = broken
      expect(await kids(source)).toMatch(/older than maxStale allows/)
      const late = follow({ now: broken, timeoutMs: 100 })
      await eventually('it is heard of', () => failures().length > 1)
      expect(await kids(late)).toMatch(/has given no keys/)
    })
  }

  it('drops all keys when permission is denied, and asks again', async () => {
    api.publish({ [ORG]: { keys: [key('a')] } })
    const source = follow()
    expect(await kids(source)).toBe('a')
    api.refuse(status.PERMISSION_DENIED)
    await eventually('they are dropped', async () => (await kids(source)) !== 'a')
    expect(await kids(source)).toMatch(/has given no keys: the server grants nothing/)
    expect(events.map(({ type }) => type)).toContain('key-removed')
    api.refuse(null)
    await becomes(source, 'a')
  })

  for (const [what, code, reason] of [
    ['implements no WITs', status.UNIMPLEMENTED, /no WIT profile/],
    ['takes our request for invalid', status.INVALID_ARGUMENT, /takes the request for invalid/],
  ] as const) {
    it(`asks never again when the server ${what}, and says so at once`, async () => {
      api.refuse(code)
      const source = follow()
      await expect(source.ready!()).rejects.toThrow(reason)
      expect(await kids(source)).toMatch(reason)
      await sleep(500)
      expect(api.asked).toHaveLength(1)
    })
  }

  it('waits for the first message no longer than timeoutMs, and then tells why at once', async () => {
    const source = follow({ timeoutMs: 40 })
    expect(await kids(source)).toMatch(/has given no keys/)
    const before = performance.now()
    for (let call = 0; call < 100; call++) await kids(source)
    expect(performance.now() - before).toBeLessThan(2000)
    api.publish({ [ORG]: { keys: [key('a')] } })
    await becomes(source, 'a')
  })

  it('gives nothing once it is closed, and is never ready', async () => {
    api.publish({ [ORG]: { keys: [key('a')] } })
    const [source, waiting] = [follow(), follow({ endpoint: 'unix:///nobody' })]
    expect(await kids(source)).toBe('a')
    const ready = expect(waiting.ready!()).rejects.toThrow('closed')
    await source.close!()
    await waiting.close!()
    await ready
    expect(await kids(source)).toBe('the trust bundle source is closed')
    await eventually('the connection is closed', () => api.wire.open() === 0)
  })

  it('shares one connection with the credentials from the same endpoint, until the last is closed', async () => {
    const identityServer = createTestIdentityServer({ origin: ORG })
    api.publish({ [ORG]: identityServer.jwks })
    api.grant(svidOf(await identityServer.issue({ subject: '/checkout' })))
    const bundles = follow()
    const credentials = spiffeCredentials({ endpoint: api.endpoint })
    await bundles.bundleFor(ORG)
    expect((await credentials.current()).subject).toBe(`${ORG}/checkout`)
    expect(api.wire.made()).toBe(1)
    await bundles.close!()
    await sleep(50)
    expect(api.wire.open()).toBe(1)
    expect((await credentials.current()).subject).toBe(`${ORG}/checkout`)
    await credentials.close!()
    await eventually('the connection is closed', () => api.wire.open() === 0)
    expect(api.wire.made()).toBe(1)
  })

  it('decides who comes in to a service: a withdrawn trust domain verifies no more, known tokens included', async () => {
    const [org, net] = [ORG, NET].map((origin) => createTestIdentityServer({ origin }))
    const [fromOrg, fromNet] = [
      await org!.issue({ subject: '/checkout' }),
      await net!.issue({ subject: '/checkout' }),
    ]
    api.publish({ [ORG]: org!.jwks, [NET]: net!.jwks })
    const source = follow()
    const app = Fastify()
    const trusted = { source, profile: 'wit-svid' } as const
    await app.register(wimse, { audience: ORIGIN, trustDomains: { [ORG]: trusted, [NET]: trusted } })
    app.get('/', async () => 'ok')
    const codeFor = async (credential: typeof fromOrg): Promise<string> => {
      const reply = await signedInject(app, credential, { url: `${ORIGIN}/` })
      return reply.statusCode === 200 ? 'ok' : `${reply.statusCode} ${reply.json().code}`
    }
    expect([await codeFor(fromOrg), await codeFor(fromNet)]).toEqual(['ok', 'ok'])
    api.publish({ [ORG]: org!.jwks })
    await eventually('it is withdrawn', () => events.some(({ type }) => type === 'key-removed'))
    expect([await codeFor(fromOrg), await codeFor(fromNet)]).toEqual(['ok', '503 WIMSE_TRUST_UNAVAILABLE'])
    api.publish({ [ORG]: { keys: [] }, [NET]: net!.jwks })
    await eventually('it is back', async () => (await codeFor(fromNet)) === 'ok')
    expect(await codeFor(fromOrg)).toBe('400 WIMSE_WIT_KEY')
    await app.close()
    await eventually('the service has closed the source', () => api.wire.open() === 0)
  })

  for (const [option, value] of [
    ['endpoint', '/run/agent.sock'],
    ['maxStale', -1],
    ['timeoutMs', 0],
    ['keepaliveMs', 1.5],
    ['onEvent', true],
    ['now', 7],
    ['allowInsecure', 1],
    ['hint', 'a'],
  ] as const) {
    it(`throws for ${option}: ${JSON.stringify(value)}`, () => {
      expect(() => spiffeBundles({ endpoint: api.endpoint, [option]: value })).toThrow(
        expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(option) }),
      )
    })
  }
})
