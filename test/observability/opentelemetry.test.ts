import { diag, DiagLogLevel, type DiagLogger, type MeterProvider } from '@opentelemetry/api'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { signRequest } from 'wimse'
import { instrument } from 'wimse/opentelemetry'
import { goodRequest, signedInject } from 'wimse-testkit'
import { ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'
import { movingService } from '../transition/moving-service.js'
import { startTelemetry, type Telemetry } from './telemetry.js'

let telemetry: Telemetry | null = null
afterEach(async () => {
  await telemetry?.stop()
  telemetry = null
  diag.disable()
})

const started = (...options: Parameters<typeof startTelemetry>): Telemetry =>
  (telemetry = startTelemetry(...options))

async function stockService() {
  const service = await serviceUnderTest()
  service.app.get('/stock/:sku', async () => 'reached')
  return { ...service, good: { identityServer: service.identityServer, url: `${ORIGIN}/stock/42` } }
}

describe('instrument() counts', () => {
  it('admissions and refusals, by what they have in common', async () => {
    const { series } = started()
    const { app, good } = await stockService()
    const request = await goodRequest(good)
    await app.inject(request)
    await app.inject(request)
    await app.inject('/stock/42')
    await app.inject('/stock/43')

    const all = await series()
    const of = (name: string) => all.filter(({ metric }) => metric === name)
    const known = { via: 'wit', revision: 'wpt-01', trust_domain: 'wimse://example.com' }
    expect(of('wimse.verifications')).toEqual([
      { metric: 'wimse.verifications', count: 1, attributes: { outcome: 'admitted', ...known } },
      {
        metric: 'wimse.verifications',
        count: 1,
        attributes: { outcome: 'refused', code: 'WIMSE_WPT_REPLAYED', stage: 'replay', ...known },
      },
      {
        metric: 'wimse.verifications',
        count: 2,
        attributes: { outcome: 'refused', code: 'WIMSE_WIT_MISSING', stage: 'header' },
      },
    ])
    expect(of('wimse.verification.duration').map(({ attributes, count }) => [attributes, count])).toEqual([
      [{ outcome: 'admitted', via: 'wit', known: false }, 1],
      [{ outcome: 'refused', via: 'wit', known: true }, 1],
      [{ outcome: 'refused' }, 2],
    ])
    expect(of('wimse.replay.claims').map(({ attributes }) => attributes)).toEqual([
      { answer: 'first', trust_domain: 'wimse://example.com' },
      { answer: 'seen', trust_domain: 'wimse://example.com' },
    ])
  })

  it('signatures by target', async () => {
    const { series } = started()
    const { app, identityServer, clock } = await stockService()
    const credential = await identityServer.issue({ subject: '/checkout' })
    const signed = { url: `${ORIGIN}/stock/42`, now: clock }
    expect((await signedInject(app, credential, signed)).statusCode).toBe(200)
    expect(() => signRequest(credential, { url: 'https://a@b.example/', now: clock })).toThrow()
    const signatures = (await series()).filter(({ metric }) => metric === 'wimse.signatures')
    expect(signatures.map(({ attributes }) => attributes)).toEqual([
      { outcome: 'signed', target: ORIGIN, revision: 'wpt-01' },
      { outcome: 'refused', code: 'WIMSE_TARGET_NOT_ALLOWED', revision: 'wpt-01' },
    ])
  })

  it('dry runs apart, so that the share of bearer tokens is that of who was let in', async () => {
    const { series } = started()
    const service = await movingService()
    const credential = await service.identityServer.issue({ subject: '/checkout' })
    const authorization = await service.bearer('/checkout')
    const both = { authorization, ...service.proof(credential, '/bearer', { authorization }) }
    expect((await service.send(both, '/bearer')).status).toBe(200)
    const all = await series()
    const outcomes = (name: string) =>
      all.filter(({ metric }) => metric === name).map(({ attributes: { outcome, via } }) => [outcome, via])
    expect(outcomes('wimse.verifications')).toEqual([['admitted', 'bearer']])
    expect(outcomes('wimse.dry_runs')).toEqual([['admitted', 'wit']])
  })

  it('what happens to keys', async () => {
    const { series } = started()
    const { identityServer } = await stockService()
    const jwks = { keys: [...identityServer.jwks.keys, { kty: 'odd' }] }
    await serviceUnderTest({ trustDomains: { 'wimse://example.com': { jwks } } })
    expect((await series()).filter(({ metric }) => metric === 'wimse.trust.refreshes')).toEqual([
      {
        metric: 'wimse.trust.refreshes',
        count: 1,
        attributes: { outcome: 'left-out', trust_domain: 'wimse://example.com' },
      },
    ])
  })

  it('nothing once it is stopped', async () => {
    const { series, stop } = started()
    const { app, good } = await stockService()
    await app.inject(await goodRequest(good))
    const before = await series()
    expect(before.length).toBeGreaterThan(0)
    await stop()
    await app.inject(await goodRequest(good))
    expect(await series()).toEqual(before)
  })
})

describe('instrument() describes on the active span', () => {
  it('what became of the request, and not who sent it', async () => {
    const { inSpan } = started()
    const { app, good } = await stockService()
    const request = await goodRequest(good)
    const known = {
      'wimse.via': 'wit',
      'wimse.revision': 'wpt-01',
      'wimse.algorithm': 'ES256',
      'wimse.caller.trust_domain': 'wimse://example.com',
    }
    expect(await inSpan(async () => app.inject(request))).toEqual({ 'wimse.outcome': 'admitted', ...known })
    expect(await inSpan(async () => app.inject(request))).toEqual({
      'wimse.outcome': 'refused',
      'wimse.code': 'WIMSE_WPT_REPLAYED',
      'wimse.stage': 'replay',
      ...known,
    })
  })

  it('who sent it where the operator asks for that, once that is shown', async () => {
    const { inSpan, series } = started({ identifiers: true })
    const { app, good } = await stockService()
    const request = await goodRequest(good)
    const admitted = await inSpan(async () => app.inject(request))
    expect(admitted['wimse.caller.id']).toBe('wimse://example.com/caller')
    const refused = await inSpan(async () => app.inject({ ...request, url: '/stock/43' }))
    expect(refused).toMatchObject({ 'wimse.code': 'WIMSE_WPT_AUDIENCE' })
    expect(refused).not.toHaveProperty('wimse.caller.id')
    expect(JSON.stringify(await series())).not.toContain('/caller')
  })
})

describe('instrument()', () => {
  it('lets a request in although a meter throws, and tells the diagnostics of OpenTelemetry', async () => {
    const error = vi.fn()
    const silent = (): void => undefined
    const logger: DiagLogger = { error, warn: silent, info: silent, debug: silent, verbose: silent }
    diag.setLogger(logger, { logLevel: DiagLogLevel.ERROR })
    const broken = {
      getMeter: () => ({
        createHistogram: () => ({ record: silent }),
        createCounter: () => ({
          add: () => {
            throw new Error('full')
          },
        }),
      }),
    } as unknown as MeterProvider
    const stop = instrument({ meterProvider: broken })
    const { app, good } = await stockService()
    expect((await app.inject(await goodRequest(good))).statusCode).toBe(200)
    stop()
    expect(error).toHaveBeenCalledWith('wimse: a message could not be recorded', 'Error')
  })

  it.each([{ meterProvider: {} as MeterProvider }, { identifiers: 'yes' as unknown as boolean }])(
    'refuses %o',
    (options) => {
      expect(() => instrument(options)).toThrow(TypeError)
    },
  )
})
