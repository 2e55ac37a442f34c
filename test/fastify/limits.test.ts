// What docs/threat-model.md and docs/deployment.md say is not protected, or happens: if one of these fails, a
// document has to change.
import { signRequest } from 'wimse'
import { signedInject } from 'wimse-testkit'
import { describe, expect, it } from 'vitest'
import { NOON, ORIGIN, serviceUnderTest } from './service-under-test.js'

describe('a proof does not cover', () => {
  it.for([
    ['the method', { method: 'DELETE', url: '/stock' }],
    ['the query', { method: 'GET', url: '/stock?all=1' }],
    ['the body', { method: 'POST', url: '/stock', payload: 'another' }],
    ['other header fields', { method: 'GET', url: '/stock', headers: { 'x-tenant': 'another' } }],
  ] as const)('%s (SEC-06)', async ([, changed]) => {
    const { app, identityServer, clock } = await serviceUnderTest()
    app.all('/stock', async (request) => request.workload!.id)
    const caller = await identityServer.issue({ subject: '/checkout' })
    const captured = signRequest(caller, { url: `${ORIGIN}/stock`, now: clock })
    const given = 'headers' in changed ? changed.headers : {}
    const headers = { 'content-type': 'text/plain', ...given, ...captured }
    const { body } = await app.inject({ ...changed, headers })
    expect(body).toBe('wimse://example.com/checkout')
    // Once, and not at another path (the controls).
    expect((await app.inject({ ...changed, headers })).json().code).toBe('WIMSE_WPT_REPLAYED')
    const elsewhere = { ...headers, ...signRequest(caller, { url: `${ORIGIN}/stock`, now: clock }) }
    const answer = await app.inject({ method: 'GET', url: '/prices', headers: elsewhere })
    expect(answer.json().code).toBe('WIMSE_WPT_AUDIENCE')
  })
})

describe('a caller whose clock is off, with the defaults,', () => {
  it.for([
    [-64, 'let in'],
    [-65, 'WIMSE_WPT_EXPIRED'],
    [245, 'let in'],
    [246, 'WIMSE_WPT_LIFETIME'],
  ] as const)('by %i seconds: %s', async ([seconds, outcome]) => {
    const { app, identityServer } = await serviceUnderTest()
    app.get('/', async () => 'let in')
    const caller = await identityServer.issue({ subject: '/checkout' })
    const reply = await signedInject(app, caller, { url: `${ORIGIN}/`, now: () => NOON + seconds })
    expect(reply.statusCode === 200 ? reply.body : reply.json().code).toBe(outcome)
  })
})

describe('a service whose clock was far ahead and is set right', () => {
  it('refuses until it is restarted', async () => {
    const start = async (now: () => number) => {
      const service = await serviceUnderTest({ now })
      service.app.get('/', async () => 'let in')
      const caller = await service.identityServer.issue({ subject: '/checkout' })
      return async (): Promise<string> => {
        const reply = await signedInject(service.app, caller, { url: `${ORIGIN}/`, now: () => NOON })
        return reply.statusCode === 200 ? reply.body : reply.json().code
      }
    }
    let now = NOON
    const call = await start(() => now)
    expect(await call()).toBe('let in')
    now = NOON + 86_400
    expect(await call()).toBe('WIMSE_WIT_EXPIRED')
    now = NOON
    expect(await call()).toBe('WIMSE_WIT_EXPIRED')
    const restarted = await start(() => now)
    expect(await restarted()).toBe('let in')
  })
})

describe("app.wimse.ready() with onStoreFailure: 'allow'", () => {
  it('is false while the store is away, though requests are let in', async () => {
    let away = true
    const claim = async (): Promise<'first'> => {
      if (away) throw new Error('connection lost')
      return 'first'
    }
    const { app, identityServer, clock } = await serviceUnderTest({
      onStoreFailure: 'allow',
      replay: { claim },
    })
    app.get('/', async () => 'let in')
    const caller = await identityServer.issue({ subject: '/checkout' })
    expect((await signedInject(app, caller, { url: `${ORIGIN}/`, now: clock })).body).toBe('let in')
    expect(await app.wimse.ready()).toBe(false)
    away = false
    expect(await app.wimse.ready()).toBe(true)
  })
})

describe('the level of a refusal in the log', () => {
  it('is info for the caller’s fault, error where something here failed, and warn where it is full', async () => {
    const levelWith = async (replay: { claim: () => Promise<'full'> }, url: string): Promise<unknown> => {
      const { app, identityServer, clock, log } = await serviceUnderTest({ replay })
      const caller = await identityServer.issue({ subject: '/checkout' })
      await signedInject(app, caller, { url, now: clock })
      return log().find(({ msg }) => msg === 'request refused')?.['level']
    }
    const full = { claim: async () => 'full' as const }
    const broken = { claim: async () => Promise.reject(new Error('connection lost')) }
    // Refused before the store is asked: another origin.
    expect(await levelWith(full, 'https://other.example/')).toBe(30)
    expect(await levelWith(full, `${ORIGIN}/`)).toBe(40)
    expect(await levelWith(broken, `${ORIGIN}/`)).toBe(50)
  })
})
