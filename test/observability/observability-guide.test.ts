import { readFileSync } from 'node:fs'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createAuthenticator, signRequest } from 'wimse'
import { instrument } from 'wimse/opentelemetry'
import { createTestIdentityServer, goodRequest } from 'wimse-testkit'
import { NOON, ORIGIN, serviceUnderTest } from '../fastify/service-under-test.js'
import { movingService } from '../transition/moving-service.js'
import { CHANNELS, type Ear, listen } from './heard.js'

const guide = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8')
const rowsAfter = (marker: string): string[] => {
  const [, rest] = guide.split(`<!-- ${marker} -->\n`)
  return (rest ?? '').split('\n\n')[0]!.split('\n').slice(2)
}

/** What Prometheus would read, once everything has happened that the rules are about. */
let exposed: readonly string[]
let ear: Ear
const heard: Record<string, readonly string[]> = {}

beforeAll(async () => {
  ear = listen()
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const stop = instrument({ meterProvider })

  const { app, identityServer, clock } = await serviceUnderTest()
  app.get('/stock/:sku', async () => 'reached')
  const request = await goodRequest({ identityServer, url: `${ORIGIN}/stock/42` })
  await app.inject(request)
  await app.inject(request)
  const jwks = { keys: [...identityServer.jwks.keys, { kty: 'odd' }] }
  const { app: withoutStore } = await serviceUnderTest({
    replay: { claim: async () => Promise.reject(new Error('down')) },
    trustDomains: { 'wimse://example.com': { jwks } },
  })
  withoutStore.get('/stock/:sku', async () => 'reached')
  await withoutStore.inject(await goodRequest({ identityServer, url: `${ORIGIN}/stock/42` }))
  const moving = await movingService()
  const authorization = await moving.bearer('/old')
  await moving.send({ authorization }, '/bearer')
  const credential = await moving.identityServer.issue({ subject: '/checkout' })
  await moving.send({ authorization, ...moving.proof(credential, '/bearer', { authorization }) }, '/bearer')
  clock.advance(86_400)
  expect(() => signRequest(credential, { url: ORIGIN, now: clock })).toThrow()
  await withoutKeys()

  const metrics = Fastify()
  metrics.get('/metrics', (request, reply) => {
    reply.hijack()
    exporter.getMetricsRequestHandler(request.raw, reply.raw)
  })
  exposed = (await metrics.inject('/metrics')).body.split('\n')
  for (const name of CHANNELS) heard[name] = [...new Set(ear.take(name).flatMap(Object.keys))]
  stop()
  await meterProvider.shutdown()
})
afterAll(() => ear.close())

/** A request where keys cannot be had. */
async function withoutKeys(): Promise<void> {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: () => NOON })
  const authenticator = createAuthenticator({
    audience: ORIGIN,
    trustDomains: { 'wimse://example.com': { jwksFile: '/nonexistent/keys.json' } },
    now: () => NOON,
  })
  const credential = await identityServer.issue({ subject: '/checkout' })
  const fields = signRequest(credential, { url: `${ORIGIN}/stock`, now: NOON })
  const request = authenticator.authenticate({
    wit: fields['Workload-Identity-Token']!,
    wpt: fields['Workload-Proof-Token']!,
    path: '/stock',
  })
  await expect(request).rejects.toMatchObject({ code: 'WIMSE_TRUST_UNAVAILABLE' })
  await authenticator.close()
}

describe('the guide to observability', () => {
  it.each(CHANNELS)('lists every field of messages on %s, and no other', (name) => {
    const fields = rowsAfter(`fields: ${name}`).map((row) => /`(\w+)`/.exec(row)?.[1])
    expect(heard[name]!.toSorted()).toEqual(fields.toSorted())
  })

  it('lists every metric', () => {
    const listed = rowsAfter('metrics').map((row) => /`([\w.]+)`/.exec(row)![1]!)
    const names = new Set(exposed.flatMap((line) => /^# HELP (wimse\w+?)(?:_total)? /.exec(line)?.[1] ?? []))
    // Keys have come and gone in no scene here.
    expect([...names, 'wimse_trust_key_changes'].sort()).toEqual(
      listed.map((name) => name.replaceAll('.', '_')).sort(),
    )
  })

  const rules = parse(/```yaml\n([\s\S]*?)```/.exec(guide)![1]!) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[]
  }
  it.each(rules.groups.flatMap((group) => group.rules))(
    'has in the rule $alert only series that a service exposes',
    ({ expr, annotations }) => {
      expect(annotations.summary).toEqual(expect.any(String))
      const selectors = [...expr.matchAll(/(wimse_\w+)(?:\{([^}]*)\})?/g)]
      expect(selectors.length).toBeGreaterThan(0)
      for (const [selector, name, matchers = ''] of selectors) {
        const wanted = [...matchers.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)]
        const fits = exposed.filter(
          (line) =>
            line.startsWith(`${name}{`) &&
            wanted.every(([, label, operator, value]) => {
              const actual = new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1] ?? ''
              if (operator === '=~') return new RegExp(`^(?:${value})$`).test(actual)
              return operator === '=' ? actual === value : actual !== value
            }),
        )
        expect(fits, selector).not.toEqual([])
      }
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names]) => names!.split(/, ?/))
      for (const label of grouped) expect(exposed.join('\n')).toMatch(new RegExp(`[{,]${label}="`))
    },
  )
})
