import { describe, expect, it } from 'vitest'
import { faults, goodRequest, type InjectRequest } from 'wimse-testkit'
import { ORIGIN, serviceUnderTest } from './service-under-test.js'

describe('every fault of the test kit', () => {
  for (const fault of faults) {
    it(`is refused when ${fault.name}: ${fault.code}`, async () => {
      const { app, identityServer, log, logText } = await serviceUnderTest()
      let handled = 0
      app.post('/stock/:sku', async () => {
        handled++
        return 'reached'
      })
      const good = {
        identityServer,
        url: `${ORIGIN}/stock/42?all=1`,
        method: 'POST',
        payload: { take: 1 },
      } as const

      const control = await app.inject(await goodRequest(good))
      expect({ status: control.statusCode, body: control.body }).toEqual({ status: 200, body: 'reached' })
      const request = await fault.request(good)
      const response = await app.inject(request)

      expect(handled).toBe(1)
      expect(response.statusCode).toBe(fault.status)
      expect(response.headers['content-type']).toBe('application/problem+json')
      expect(response.headers['cache-control']).toBe('no-store')
      expect(response.headers['www-authenticate']).toBeUndefined()
      const problem = response.json<Record<string, unknown>>()
      expect(Object.keys(problem).sort()).toEqual(['code', 'detail', 'instance', 'status', 'title', 'type'])
      expect(problem).toMatchObject({ code: fault.code, status: fault.status })
      expect(problem['type']).toBe(
        `urn:wimse:problem:${fault.code.slice(6).toLowerCase().replaceAll('_', '-')}`,
      )
      expect(problem['instance']).toMatch(/^urn:uuid:[0-9a-f-]{36}$/)

      const lines = log().filter(({ msg }) => msg === 'request refused')
      expect(lines).toHaveLength(1)
      expect(lines[0]!['wimse']).toMatchObject({
        code: fault.code,
        instance: problem['instance'],
        reason: expect.any(String),
      })
      for (const secret of secretsOf(request)) {
        expect(logText()).not.toContain(secret)
        expect(response.body).not.toContain(secret)
      }
    })
  }

  it('covers every code that a single request can be refused with', () => {
    const covered = new Set(faults.map(({ code }) => code))
    expect([...covered].sort()).toMatchSnapshot()
  })
})

/** Every part of every token of a request that is long enough to mean something. */
function secretsOf({ headers }: InjectRequest): string[] {
  return ['workload-identity-token', 'workload-proof-token', 'authorization', 'txn-token', 'x-session-token']
    .flatMap((name) => headers[name] ?? [])
    .flatMap((value) => value.split(/[. ]/))
    .filter((part) => part.length > 8)
}
