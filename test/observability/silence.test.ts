import { afterAll, describe, expect, it } from 'vitest'
import { faults, goodRequest, type InjectRequest } from 'wimse-testkit'
import { identifiersIn } from '../attacks/secrets.js'
import { ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'
import { CHANNELS, listen } from './heard.js'
import { startTelemetry } from './telemetry.js'

const ear = listen()
const telemetry = startTelemetry()
afterAll(async () => {
  ear.close()
  await telemetry.stop()
})

/** Every part of every field of a request, long enough to mean something. */
function partsOf({ headers }: InjectRequest): readonly string[] {
  return Object.entries(headers)
    .filter(([name]) => name !== 'host')
    .flatMap(([, value]) => value)
    .flatMap((value) => value.split(/[^\w-]+/))
    .filter(({ length }) => length >= 12)
}

describe('channels, metrics and spans say nothing of tokens, subjects and proof identifiers (WPT-35, CLI-09)', () => {
  for (const { name, request } of [{ name: 'nothing is wrong', request: goodRequest }, ...faults]) {
    it(`when ${name}`, async () => {
      const { app, identityServer } = await serviceUnderTest()
      app.post('/stock/:sku', async () => 'reached')
      const sent = await request({
        identityServer,
        url: `${ORIGIN}/stock/personal-identifier?all=1`,
        method: 'POST',
        payload: { take: 1 },
      })
      const span = await telemetry.inSpan(async () => app.inject(sent))
      const messages = CHANNELS.map((channel) => ear.take(channel))
      const told = JSON.stringify([span, messages, await telemetry.series()])

      expect(messages[0]).toHaveLength(1)
      expect(span).toMatchObject({ 'wimse.outcome': expect.any(String) })
      const parts = partsOf(sent)
      const unsaid = [...parts, ...identifiersIn(parts), 'personal-identifier', '/caller']
      expect(unsaid.filter((secret) => told.includes(secret))).toEqual([])
    })
  }

  it('though a request has much to say', async () => {
    const { identityServer } = await serviceUnderTest()
    const parts = partsOf(await goodRequest({ identityServer, url: `${ORIGIN}/stock/42` }))
    expect(parts).toHaveLength(6)
    expect(identifiersIn(parts)).toHaveLength(2)
  })
})
