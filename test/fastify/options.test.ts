import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { wimse, type WimseOptions, type WimseRouteOptions } from 'fastify-wimse'
import { explain, type ExplainPolicy, webCrypto } from 'wimse/explain'
import { createTestIdentityServer } from 'wimse-testkit'

const { trustDomains, jwks } = createTestIdentityServer({ origin: 'wimse://example.com' })
const good = { audience: 'https://inventory.example.com', trustDomains } satisfies WimseOptions

async function start(options: Record<string, unknown>, route?: unknown): Promise<void> {
  const app = Fastify()
  await app.register(wimse, options as unknown as WimseOptions)
  app.get('/', { config: { wimse: route as WimseRouteOptions } }, async () => '')
  await app.ready()
  await app.close()
}

const wrong: readonly (readonly [option: string, value: unknown])[] = [
  ['audience', undefined],
  ['audience', ''],
  ['audience', 'inventory.example.com'],
  ['audience', 'https://inventory.example.com/path'],
  ['audience', 'https://inventory.example.com?query'],
  ['audience', 'ftp://inventory.example.com'],
  ['audience', 42],
  ['audience', null],
  ['audience', []],
  ['audience', { origins: [] }],
  ['audience', { origin: 'https://inventory.example.com' }],
  ['audience.match', { origins: ['https://a.example'], match: 'prefix' }],
  ['audience.aliases', { origins: ['https://a.example'], aliases: [''] }],
  ['audience.pathPrefix', { origins: ['https://a.example'], pathPrefix: '/a' }],
  ['audience.pathPrefix.add', { origins: ['https://a.example'], pathPrefix: { add: 'a' } }],
  ['audience.pathPrefix.strip', { origins: ['https://a.example'], pathPrefix: { strip: '/a/' } }],
  ['audience.pathPrefix.strip', { origins: ['https://a.example'], pathPrefix: { strip: '/a/..' } }],
  ['audience.pathPrefix.add', { origins: ['https://a.example'], match: 'origin', pathPrefix: { add: '/a' } }],
  ['audience.ignoreTrailingSlash', { origins: ['https://a.example'], ignoreTrailingSlash: 'yes' }],
  ['audience', 'https://*.example.com'],
  ['audience', 'https://inventory.example.com:0'],
  ['audience', 'https://inventory.example.com%2e'],
  ['audience', 'https://inventory.example.com@evil.example'],
  ['audience', 'https://user@inventory.example.com'],
  ['audience', ' https://inventory.example.com'],
  ['audience', 'https:inventory.example.com'],
  ['audience.pathPrefix', { origins: ['https://a.example'], pathPrefix: [] }],
  ['trustDomains', undefined],
  ['trustDomains', {}],
  ['trustDomains', [trustDomains]],
  ['trustDomains', []],
  ['trustDomains', null],
  ['trustDomains["wimse://example.com"]', { 'wimse://example.com': null }],
  [
    'trustDomains["wimse://example.com"]',
    { 'wimse://example.com': { jwks, issuers: ['https://a.example'] } },
  ],
  [
    'trustDomains["wimse://example.com"]',
    { 'wimse://example.com': { jwks: { keys: Array.from({ length: 257 }, () => jwks.keys[0]) } } },
  ],
  ['trustDomains["example.com"]', { 'example.com': { jwks } }],
  ['trustDomains["wimse://example.com/path"]', { 'wimse://example.com/path': { jwks } }],
  ['trustDomains["wimse://Example.com"]', { 'wimse://Example.com': { jwks } }],
  ['trustDomains["wimse://example.com"]', { 'wimse://example.com': {} }],
  [
    'trustDomains["wimse://example.com"]',
    { 'wimse://example.com': { jwks: { keys: [{ kty: 'oct', k: 'AA' }] } } },
  ],
  ['trustDomains["wimse://example.com"]', { 'wimse://example.com': { jwks: [] } }],
  [
    'trustDomains["wimse://example.com"]',
    { 'wimse://example.com': { jwks, source: { bundleFor: () => jwks } } },
  ],
  ['trustDomains["wimse://example.com"]', { 'wimse://example.com': { source: {} } }],
  ['trustDomains["wimse://example.com"]', { 'wimse://example.com': { jwks, jwksUrl: 'https://a.example' } }],
  ['trustDomains["wimse://example.com"].issuer', { 'wimse://example.com': { jwks, issuer: [1] } }],
  [
    'trustDomains["wimse://example.com"].algorithms',
    { 'wimse://example.com': { jwks, algorithms: ['HS256'] } },
  ],
  ['trustDomains["wimse://example.com"].issuer', { 'wimse://example.com': { jwks, issuer: [] } }],
  ['trustDomains["wimse://example.com"].algorithms', { 'wimse://example.com': { jwks, algorithms: null } }],
  ['trustDomains["wimse://example.com"]', { 'wimse://example.com': { jwksUri: 'http://a.example' } }],
  [
    'trustDomains["wimse://example.com"]',
    { 'wimse://example.com': { jwksUri: 'https://a.example', maxStale: -1 } },
  ],
  [
    'trustDomains["wimse://example.com"]',
    { 'wimse://example.com': { issuerMetadata: 'https://a.example/x' } },
  ],
  ['trustDomains["wimse://example.com"].profile', { 'wimse://example.com': { jwks, profile: 'wit-svid' } }],
  ['trustDomains["spiffe://example.com"].profile', { 'spiffe://example.com': { jwks, profile: 'x509' } }],
  [
    'trustDomains["spiffe://example.com"].profile',
    { 'spiffe://example.com': { jwks, profile: 'wit-svid', algorithms: ['EdDSA', 'Ed25519'] } },
  ],
  ['trustDomains["spiffe://example.com"].profile', { 'spiffe://example.com': { jwks, profile: 'svid' } }],
  ['trustDomains["spiffe://example.com"].profile', { 'spiffe://example.com': { jwks, profile: null } }],
  ['interop', 'derive'],
  ['interop', { confirmation: 'derive' }],
  ['interop.confirmationAlgorithm', { confirmationAlgorithm: 'any' }],
  ['interop.confirmationAlgorithm', { confirmationAlgorithm: 'derived' }],
  ['onTrustEvent', {}],
  ['witCacheSize', 0],
  ['witCacheSize', '10000'],
  ['mode', 'optional'],
  ['mode', null],
  ['allow', []],
  ['allow', 'checkout'],
  ['allow', 42],
  ['allow', ['wimse://example.com/a', null]],
  ['replay', true],
  ['replay', null],
  ['replay', {}],
  ['storeTimeoutMs', 0],
  ['storeTimeoutMs', 30_001],
  ['storeTimeoutMs', '250'],
  ['revisions', []],
  ['revisions', ['wpt-03']],
  ['revisions', 'wpt-01'],
  ['clockTolerance', -1],
  ['clockTolerance', 61],
  ['clockTolerance', Number.NaN],
  ['maxProofLifetime', 0],
  ['maxProofLifetime', Number.POSITIVE_INFINITY],
  ['maxProofLifetime', 86_401],
  ['maxTokenLifetime', '1h'],
  ['maxTokenBytes', 1],
  ['maxTokenBytes', 1000.5],
  ['algorithms', []],
  ['algorithms', null],
  ['revisions', null],
  ['otherTokens', ['Authorization']],
  ['otherTokens', ['Workload-Proof-Token']],
  ['allow', ['wimse://example.com/*']],
  ['algorithms', ['HS256']],
  ['algorithms', ['none']],
  ['algorithms', ['es256']],
  ['otherTokens', 'x-token'],
  ['otherTokens', ['not a name']],
  ['isRevoked', true],
  ['now', 1_760_000_000],
  ['stripTokens', 'no'],
  ['problemTypeBase', 'problems'],
  ['onDenied', 'ignore'],
  ['onStoreFailure', 'ignore'],
  ['replicas', 0],
  ['replicas', 1.5],
  ['maxProofLifeTime', 60],
]

const shown = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 500)

describe('registration', () => {
  it('takes the least that is needed', async () => expect(await start(good)).toBeUndefined())

  for (const [option, value] of wrong) {
    const name = option.split(/[."[]/)[0]!
    it(`throws for ${option}: ${shown(value)}, and names the option`, async () => {
      const failure = await start({ ...good, [name]: value }).then(
        () => 'registered',
        (error: unknown) => error,
      )
      expect(failure).toBeInstanceOf(TypeError)
      expect((failure as Error).message).toContain(option)
    })
  }
})

/** Options that `explain()` takes by the same names. */
const ALSO_EXPLAINED: readonly (keyof ExplainPolicy & keyof WimseOptions)[] = [
  'audience',
  'trustDomains',
  'revisions',
  'clockTolerance',
  'maxProofLifetime',
  'maxTokenLifetime',
  'maxTokenBytes',
  'algorithms',
  'otherTokens',
  'interop',
]

/** What may be left out there. */
const LEFT_OUT: ReadonlySet<unknown> = new Set([undefined, JSON.stringify({ 'wimse://example.com': {} })])

describe('a policy of explain()', () => {
  const explained = async (policy: object) => {
    const request = { url: 'https://inventory.example.com/stock' }
    return explain(request, { now: 0, ...good, ...policy }, webCrypto())
  }

  it('takes the least that is needed, and no keys', async () => {
    expect((await explained({})).verdict).toBe('refused')
    expect((await explained({ audience: undefined, trustDomains: undefined })).verdict).toBe('refused')
    expect((await explained({ trustDomains: { 'wimse://example.com': {} } })).verdict).toBe('refused')
  })

  for (const [option, value] of wrong) {
    const name = option.split(/[."[]/)[0]!
    if (!ALSO_EXPLAINED.some((one) => one === name) || LEFT_OUT.has(JSON.stringify(value))) continue
    it(`throws as well for ${option}: ${shown(value)}`, async () => {
      const failure = await explained({ [name]: value }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(TypeError)
      expect((failure as Error).message).toContain(option)
    })
  }
})

describe('a route', () => {
  for (const route of [
    undefined,
    false,
    {},
    { mode: 'off' },
    { mode: 'required' },
    { allow: 'wimse://example.com/a' },
  ]) {
    it(`takes config.wimse: ${JSON.stringify(route)}`, async () =>
      expect(await start(good, route)).toBeUndefined())
  }

  const wrongRoutes: readonly (readonly [names: string, route: unknown])[] = [
    ['config.wimse', true],
    ['config.wimse', null],
    ['config.wimse', 'off'],
    ['config.wimse.mode', { mode: 'none' }],
    ['allow', { allow: [] }],
    ['allow', { allow: 'a' }],
    ['allowed', { allowed: 'wimse://example.com/a' }],
  ]
  for (const [names, route] of wrongRoutes) {
    it(`throws for config.wimse: ${JSON.stringify(route)}, and names ${names}`, async () => {
      const failure = await start(good, route).then(
        () => 'started',
        (error: unknown) => error,
      )
      expect(failure).toBeInstanceOf(TypeError)
      expect((failure as Error).message).toContain(names)
    })
  }
})
