import { describe, expect, it } from 'vitest'
import type { WimseOptions } from 'fastify-wimse'
import type { Stage } from 'wimse'
import { faults, goodRequest } from 'wimse-testkit'
import { NOON, ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'
import { listen } from './heard.js'

interface Refusal {
  readonly stage: Stage
  readonly code: string
  readonly options?: Partial<WimseOptions>
  /** By the name of a fault; default the good request, sent so many times. */
  readonly fault?: string
  readonly times?: number
  readonly headers?: Readonly<Record<string, string>>
  /** What the line has beside reason and instance. */
  readonly compared: Readonly<Record<string, unknown>>
}

const rejecting = async (): Promise<never> => Promise.reject(new Error('no route to host'))

const refusals: readonly Refusal[] = [
  { stage: 'header', code: 'WIMSE_WIT_MISSING', fault: 'the WIT is missing', compared: {} },
  {
    stage: 'wit',
    code: 'WIMSE_WIT_TRUST_DOMAIN',
    fault: 'the trust domain is a stranger',
    compared: { expected: 'wimse://example.com', received: 'wimse://stranger.example' },
  },
  {
    stage: 'wit',
    code: 'WIMSE_WIT_EXPIRED',
    fault: 'the WIT has expired',
    compared: { expected: `exp after ${NOON - 5}`, received: String(NOON - 120) },
  },
  {
    stage: 'proof',
    code: 'WIMSE_WPT_AUDIENCE',
    fault: 'the proof is for another service',
    compared: { expected: expect.stringContaining(ORIGIN), received: expect.any(String) },
  },
  { stage: 'replay', code: 'WIMSE_WPT_REPLAYED', times: 2, compared: {} },
  {
    stage: 'replay',
    code: 'WIMSE_REPLAY_STORE_UNAVAILABLE',
    options: { replay: { claim: rejecting } },
    compared: { received: 'no route to host' },
  },
  {
    stage: 'replay',
    code: 'WIMSE_REPLAY_STORE_FULL',
    options: { replay: { claim: () => 'full' } },
    compared: {},
  },
  {
    stage: 'trust',
    code: 'WIMSE_TRUST_UNAVAILABLE',
    options: { trustDomains: { 'wimse://example.com': { source: { bundleFor: rejecting } } } },
    compared: { received: 'wimse://example.com' },
  },
  {
    stage: 'bearer',
    code: 'WIMSE_BEARER_INVALID',
    options: { mode: 'bearer', bearer: { verify: () => null } },
    headers: { authorization: 'Bearer opaque-and-unknown' },
    compared: {},
  },
  {
    stage: 'authorization',
    code: 'WIMSE_WORKLOAD_FORBIDDEN',
    options: { allow: 'wimse://example.com/admin' },
    compared: { received: 'wimse://example.com/caller' },
  },
]

describe('the log has exactly one line for a refusal', () => {
  for (const { stage, code, options, fault, times = 1, headers, compared } of refusals) {
    it(`in the stage ${stage}, with what was compared: ${code}`, async () => {
      const ear = listen()
      const { app, identityServer, log } = await serviceUnderTest(options)
      app.get('/stock/:sku', async () => 'reached')
      const good = { identityServer, url: `${ORIGIN}/stock/42` }
      const spoil = faults.find(({ name }) => name === fault)?.request ?? goodRequest
      const request =
        headers === undefined ? await spoil(good) : { method: 'GET' as const, url: '/stock/42', headers }
      for (let sent = 1; sent < times; sent++) expect((await app.inject(request)).statusCode).toBe(200)
      ear.take('wimse.verify')

      const response = await app.inject(request)
      ear.close()
      const { instance, ...problem } = response.json<{ code: string; instance: string }>()
      expect(problem.code).toBe(code)
      const lines = log().filter((line) => line['wimse'] !== undefined)
      expect(lines.map(({ msg }) => msg)).toEqual(['request refused'])
      const status = response.statusCode
      const reason = expect.stringMatching(/^\w.+\w$/)
      expect(lines[0]!['wimse']).toEqual({ code, status, stage, reason, ...compared, instance })
      expect(ear.take('wimse.verify')).toMatchObject([{ code, stage }])
    })
  }

  it('in every stage there is on the called side', () => {
    expect(new Set(refusals.map(({ stage }) => stage))).toEqual(
      new Set<Stage>(['header', 'wit', 'proof', 'replay', 'trust', 'bearer', 'authorization']),
    )
  })

  it('and none for a request that is let in', async () => {
    const { app, identityServer, log } = await serviceUnderTest()
    app.get('/stock/:sku', async () => 'reached')
    const good = await goodRequest({ identityServer, url: `${ORIGIN}/stock/42` })
    expect((await app.inject(good)).statusCode).toBe(200)
    expect(log().filter((line) => line['wimse'] !== undefined)).toEqual([])
  })
})
