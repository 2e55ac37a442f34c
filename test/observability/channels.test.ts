import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWorkloadFetch, staticCredentials } from 'fastify-wimse-client'
import {
  callerOf,
  createAuthenticator,
  createBearerVerifier,
  createTrustBundleSource,
  memoryReplayStore,
  type ReplayStore,
  signRequest,
} from 'wimse'
import { createTestIdentityServer, faults, fixedClock, goodRequest, privateKeyOf } from 'wimse-testkit'
import { NOON, ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'
import { movingService } from '../transition/moving-service.js'
import { type Ear, listen } from './heard.js'

let ear: Ear
beforeEach(() => {
  ear = listen()
})
afterEach(() => ear.close())

/** An authenticator, and the tokens of one good request to it. */
async function authenticatorUnderTest(replay: ReplayStore | false = memoryReplayStore()) {
  const clock = fixedClock(NOON)
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })
  const { trustDomains } = identityServer
  const authenticator = createAuthenticator({ audience: ORIGIN, trustDomains, replay, now: clock })
  const credential = await identityServer.issue({ subject: '/checkout' })
  const tokens = () => {
    const fields = signRequest(credential, { url: `${ORIGIN}/stock/42`, now: clock })
    return {
      wit: fields['Workload-Identity-Token']!,
      wpt: fields['Workload-Proof-Token']!,
      path: '/stock/42',
    }
  }
  return { authenticator, tokens, credential, clock }
}

describe('the channel wimse.verify', () => {
  it('tells of an admission what is known, and whether the WIT was known before', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest()
    await authenticator.authenticate(tokens())
    await authenticator.authenticate(tokens())

    const messages = ear.take('wimse.verify')
    const told = {
      outcome: 'admitted',
      code: null,
      stage: null,
      via: 'wit',
      revision: 'wpt-01',
      trustDomain: 'wimse://example.com',
      algorithm: 'ES256',
      durationMs: expect.any(Number),
      route: null,
      dryRun: false,
    }
    expect(messages).toEqual([
      { ...told, known: false },
      { ...told, known: true },
    ])
    expect(messages.every(({ durationMs }) => durationMs > 0)).toBe(true)
  })

  it('says who it was to nobody but those who ask for it by the message', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest()
    await authenticator.authenticate(tokens())
    const [message] = ear.take('wimse.verify')
    expect(JSON.stringify(message)).not.toContain('checkout')
    expect(callerOf(message!)).toBe('wimse://example.com/checkout')
    expect(callerOf({ ...message! })).toBeNull()
  })

  it('tells of a proof that fails the trust domain of the WIT, and not that its owner sent it', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest()
    const good = tokens()
    await expect(authenticator.authenticate({ ...good, path: '/other' })).rejects.toMatchObject({
      code: 'WIMSE_WPT_AUDIENCE',
    })
    const [message] = ear.take('wimse.verify')
    expect(message).toMatchObject({
      outcome: 'refused',
      code: 'WIMSE_WPT_AUDIENCE',
      stage: 'proof',
      trustDomain: 'wimse://example.com',
      algorithm: 'ES256',
      known: false,
    })
    expect(callerOf(message!)).toBeNull()
  })

  it('tells of a WIT nobody has vouched for no trust domain, since anyone can claim one', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest()
    const good = tokens()
    const changed = { ...good, wit: `${good.wit.slice(0, -6)}AAAAAA` }
    await expect(authenticator.authenticate(changed)).rejects.toMatchObject({ code: 'WIMSE_WIT_SIGNATURE' })
    expect(ear.take('wimse.verify')).toMatchObject([
      { outcome: 'refused', stage: 'wit', trustDomain: null, algorithm: null, known: null },
    ])
  })

  it('tells of an outage that nobody was refused', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest({
      claim: async () => Promise.reject(new Error('no route to host')),
    })
    await expect(authenticator.authenticate(tokens())).rejects.toMatchObject({ statusCode: 503 })
    expect(ear.take('wimse.verify')).toMatchObject([
      { outcome: 'unavailable', code: 'WIMSE_REPLAY_STORE_UNAVAILABLE', stage: 'replay' },
    ])
  })

  it('tells once of each request to a service, with its route as declared', async () => {
    const { app, identityServer } = await serviceUnderTest()
    app.get('/stock/:sku', async () => 'reached')
    const good = { identityServer, url: `${ORIGIN}/stock/42?all=1` }
    expect((await app.inject(await goodRequest(good))).statusCode).toBe(200)
    expect(ear.take('wimse.verify')).toMatchObject([{ outcome: 'admitted', route: 'GET /stock/:sku' }])

    expect((await app.inject('/stock/42')).statusCode).toBe(400)
    expect(ear.take('wimse.verify')).toMatchObject([
      { outcome: 'refused', code: 'WIMSE_WIT_MISSING', stage: 'header', via: null, route: 'GET /stock/:sku' },
    ])
    expect((await app.inject('/nowhere/secret-path')).statusCode).toBe(400)
    expect(ear.take('wimse.verify')).toMatchObject([{ outcome: 'refused', route: 'not found' }])
  })

  it('tells of a workload that may not, and who it is', async () => {
    const { app, identityServer } = await serviceUnderTest({ allow: 'wimse://example.com/admin' })
    app.get('/stock/:sku', async () => 'reached')
    const good = { identityServer, url: `${ORIGIN}/stock/42` }
    expect((await app.inject(await goodRequest({ ...good, subject: '/admin' }))).statusCode).toBe(200)
    expect((await app.inject(await goodRequest(good))).statusCode).toBe(403)
    const [admitted, refused] = ear.take('wimse.verify')
    expect(admitted).toMatchObject({ outcome: 'admitted' })
    expect(refused).toMatchObject({ outcome: 'refused', stage: 'authorization', known: false })
    expect(callerOf(refused!)).toBe('wimse://example.com/caller')
  })

  it('tells of a workload that was admitted, and then sent on to where it may not', async () => {
    const { app, identityServer } = await serviceUnderTest({ allow: 'wimse://example.com/admin' })
    const allow = 'wimse://example.com/caller'
    app.get('/stock/:sku', { config: { wimse: { allow } } }, async (_request, reply) => reply.callNotFound())
    const request = await goodRequest({ identityServer, url: `${ORIGIN}/stock/42` })
    expect((await app.inject(request)).statusCode).toBe(403)
    expect(ear.take('wimse.verify')).toMatchObject([
      { outcome: 'admitted' },
      {
        outcome: 'refused',
        code: 'WIMSE_WORKLOAD_FORBIDDEN',
        via: 'wit',
        trustDomain: 'wimse://example.com',
      },
    ])
  })

  it('tells of bearer tokens, and of a WIT that is tried beside one as of a dry run', async () => {
    const service = await movingService()
    const credential = await service.identityServer.issue({ subject: '/checkout' })
    const authorization = await service.bearer('/old')
    expect((await service.send({ authorization }, '/bearer')).status).toBe(200)
    expect(ear.take('wimse.verify')).toMatchObject([
      {
        outcome: 'admitted',
        via: 'bearer',
        revision: null,
        trustDomain: 'wimse://example.com',
        algorithm: null,
        known: null,
        dryRun: false,
      },
    ])

    const both = service.proof(credential, '/bearer', { authorization })
    expect((await service.send({ authorization, ...both }, '/bearer')).status).toBe(200)
    expect(ear.take('wimse.verify')).toMatchObject([
      { outcome: 'admitted', via: 'wit', dryRun: true, route: 'GET /bearer' },
      { outcome: 'admitted', via: 'bearer', dryRun: false },
    ])
    expect((await service.send({ authorization, ...both }, '/bearer')).status).toBe(200)
    expect(ear.take('wimse.verify')).toMatchObject([
      { outcome: 'refused', code: 'WIMSE_WPT_REPLAYED', via: 'wit', dryRun: true },
      { outcome: 'admitted', via: 'bearer', dryRun: false },
    ])
  })

  it('tells of each fault of the test kit once, as the answer and the one line of the log do', async () => {
    for (const fault of faults) {
      const { app, identityServer, log } = await serviceUnderTest()
      app.post('/stock/:sku', async () => 'reached')
      const good = {
        identityServer,
        url: `${ORIGIN}/stock/42`,
        method: 'POST',
        payload: { take: 1 },
      } as const
      const response = await app.inject(await fault.request(good))
      const { code, instance } = response.json<{ code: string; instance: string }>()
      expect(code).toBe(fault.code)
      const [message, ...others] = ear.take('wimse.verify')
      expect(others).toEqual([])
      const [line, ...lines] = log().filter(({ msg }) => msg === 'request refused')
      expect(lines).toEqual([])
      expect(line!['wimse']).toMatchObject({ code, instance, stage: message!.stage })
      expect(message).toMatchObject({ outcome: 'refused', code })
    }
  })
})

describe('the channel wimse.replay', () => {
  it('tells what the store answered', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest()
    const once = tokens()
    await authenticator.authenticate(once)
    await expect(authenticator.authenticate(once)).rejects.toMatchObject({ code: 'WIMSE_WPT_REPLAYED' })
    const told = { durationMs: expect.any(Number), trustDomain: 'wimse://example.com' }
    expect(ear.take('wimse.replay')).toEqual([
      { ...told, answer: 'first' },
      { ...told, answer: 'seen' },
    ])
  })

  it.each([
    ['full', () => 'full' as const],
    ['unavailable', () => Promise.reject(new Error('down'))],
    ['unavailable', () => 'perhaps' as never],
    [
      'unavailable',
      () => {
        throw new Error('down')
      },
    ],
  ])('tells that a store is %s', async (answer, claim) => {
    const { authenticator, tokens } = await authenticatorUnderTest({ claim })
    await expect(authenticator.authenticate(tokens())).rejects.toMatchObject({ statusCode: 503 })
    expect(ear.take('wimse.replay')).toMatchObject([{ answer }])
  })

  it('tells nothing of a probe', async () => {
    const { authenticator } = await authenticatorUnderTest()
    expect(await authenticator.isReady()).toBe(true)
    expect(ear.take('wimse.replay')).toEqual([])
  })
})

describe('the channel wimse.trust', () => {
  it('tells of entries that are left out and of refreshes that fail, and not why: that is for the log', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const jwks = { keys: [...identityServer.jwks.keys, { kty: 'odd' }] }
    createAuthenticator({ audience: ORIGIN, trustDomains: { 'wimse://example.com': { jwks } } })
    expect(ear.take('wimse.trust')).toEqual([
      { type: 'refreshed', trustDomain: 'wimse://example.com', leftOut: true },
    ])

    const onTrustEvent = vi.fn()
    const authenticator = createAuthenticator({
      audience: ORIGIN,
      trustDomains: { 'wimse://example.com': { jwksFile: '/nonexistent/keys.json' } },
      onTrustEvent,
    })
    const ready = authenticator.ready().catch(() => undefined)
    await vi.waitFor(() =>
      expect(onTrustEvent).toHaveBeenCalledWith(expect.objectContaining({ type: 'failed' })),
    )
    await authenticator.close()
    await ready
    const [message] = ear.take('wimse.trust')
    expect(message).toEqual({ type: 'failed', trustDomain: 'wimse://example.com', leftOut: false })
  })

  it('tells of keys of bearer tokens, as what they are', () => {
    const { jwks } = createTestIdentityServer({ origin: 'wimse://example.com' })
    createBearerVerifier(
      {
        issuer: 'https://login.example.com',
        audience: ORIGIN,
        jwks: { keys: [...jwks.keys, { kty: 'odd' }] },
        identify: () => null,
      },
      { trustDomains: ['wimse://example.com'], clockTolerance: 5 },
    )
    expect(ear.take('wimse.trust')).toEqual([{ type: 'refreshed', trustDomain: 'bearer', leftOut: true }])
  })

  it('tells nothing of sources that no authenticator uses', () => {
    const { jwks } = createTestIdentityServer({ origin: 'wimse://example.com' })
    createTrustBundleSource({ jwks: { keys: [...jwks.keys, { kty: 'odd' }] } })
    expect(ear.take('wimse.trust')).toEqual([])
  })
})

describe('the channel wimse.sign', () => {
  it('tells of requests that were signed, by the origin they are for', async () => {
    const { credential, clock } = await authenticatorUnderTest()
    signRequest(credential, { url: `${ORIGIN}/stock/42?all=1`, revision: 'wpt-02', now: clock })
    expect(ear.take('wimse.sign')).toEqual([
      { outcome: 'signed', code: null, target: ORIGIN, revision: 'wpt-02', durationMs: expect.any(Number) },
    ])
  })

  it('tells of requests that were not', async () => {
    const { credential, clock } = await authenticatorUnderTest()
    clock.advance(86_400)
    expect(() => signRequest(credential, { url: ORIGIN, now: clock })).toThrow()
    expect(() => signRequest(credential, { url: 'file:///etc/passwd', now: clock })).toThrow()
    expect(ear.take('wimse.sign')).toMatchObject([
      { outcome: 'refused', code: 'WIMSE_CREDENTIAL_EXPIRED', target: ORIGIN },
      { outcome: 'refused', code: 'WIMSE_TARGET_NOT_ALLOWED', target: null },
    ])
  })

  it('tells once of each call that a client signs, or refuses to', async () => {
    const { credential } = await authenticatorUnderTest()
    const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })
    const target = 'http://127.0.0.1:9'
    const call = createWorkloadFetch({ credentials, targets: [target], now: () => NOON })
    // Nothing listens there: it is signed, and then it cannot be sent.
    await expect(call(`${target}/stock/42`)).rejects.toThrow('fetch failed')
    expect(ear.take('wimse.sign')).toMatchObject([{ outcome: 'signed', target, revision: 'wpt-01' }])

    await expect(call('https://elsewhere.example/')).rejects.toMatchObject({
      code: 'WIMSE_TARGET_NOT_ALLOWED',
    })
    await expect(call(target, { headers: { 'workload-proof-token': 'x' } })).rejects.toMatchObject({
      code: 'WIMSE_HEADER_RESERVED',
    })
    const broken = createWorkloadFetch({
      credentials: { current: async () => Promise.reject(new Error('no agent')) },
      targets: [target],
    })
    await expect(broken(target)).rejects.toThrow('no agent')
    const none = { outcome: 'refused', durationMs: 0 }
    expect(ear.take('wimse.sign')).toEqual([
      { ...none, code: 'WIMSE_TARGET_NOT_ALLOWED', target: null, revision: 'wpt-01' },
      { ...none, code: 'WIMSE_HEADER_RESERVED', target: null, revision: null },
      { ...none, code: null, target, revision: 'wpt-01' },
    ])
  })
})

describe('a subscriber', () => {
  it('cannot change a message', async () => {
    const { authenticator, tokens } = await authenticatorUnderTest()
    await authenticator.authenticate(tokens())
    for (const name of ['wimse.verify', 'wimse.replay', 'wimse.sign'] as const) {
      const [message] = ear.take(name)
      expect(Object.isFrozen(message)).toBe(true)
      expect(Object.values(message!).every((value) => value === null || typeof value !== 'object')).toBe(true)
    }
  })

  it('that throws changes no answer; Node reports what it threw', async () => {
    const script = fileURLToPath(new URL('throwing-subscriber.mjs', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [script])
    expect(JSON.parse(stdout)).toEqual({
      good: 'wimse://example.com/checkout',
      replayed: 'WIMSE_WPT_REPLAYED',
      uncaught: ['wimse.replay', 'wimse.verify'],
    })
  })

  it('is what it takes for a clock to be read: without one nothing is', async () => {
    const { authenticator, tokens, credential, clock } = await authenticatorUnderTest(false)
    const readings = async (): Promise<number> => {
      let count = 0
      const now = performance.now.bind(performance)
      const read = vi.spyOn(performance, 'now').mockImplementation(() => {
        // Below the message, this function and the spy.
        const caller = new Error('here').stack!.split('\n')[3]!
        if (/src.observation/.test(caller)) count++
        return now()
      })
      await authenticator.authenticate(tokens())
      signRequest(credential, { url: ORIGIN, now: clock })
      read.mockRestore()
      return count
    }
    // At the beginning and at the end, of one verification and of two signatures.
    expect(await readings()).toBe(6)
    ear.close()
    expect(await readings()).toBe(0)
  })
})
