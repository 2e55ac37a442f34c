import { describe, expect, it } from 'vitest'
import { memberOf, under, type WimseAllowRule } from 'fastify-wimse'
import { createTestIdentityServer, generateTestKeyPair, type TestIdentityServer } from 'wimse-testkit'
import { type CountingService, countingService, handMade, hashOf } from '../fastify/hand-made.js'
import { NOON } from '../fastify/service-under-test.js'

/** In each case below the credential is genuine: what goes wrong is how the identifier in it is read. */
const serve = (origin: string): TestIdentityServer => createTestIdentityServer({ origin })
const FORBIDDEN = '403 WIMSE_WORKLOAD_FORBIDDEN'

/** The outcome for a workload of this name, in a credential that this identity server signed. */
async function outcomeFor(
  { outcomeOf }: CountingService,
  signer: TestIdentityServer,
  sub: string,
): Promise<string> {
  return outcomeOf((await handMade(signer, { witClaims: { sub } })).headers)
}

describe('equality of identifiers', () => {
  it('two spellings that a reader might make one are not both taken (ID-05)', async () => {
    const server = serve('wimse://trust.example')
    const payment = 'wimse://trust.example/service/payment'
    const service = await countingService({ trustDomains: server.trustDomains, allow: payment })
    expect(await outcomeFor(service, server, payment)).toBe('let in')
    for (const spelled of [
      '/service/%70ayment',
      '/service/pa%79ment',
      '/./service/payment',
      '/service//payment',
    ]) {
      expect(await outcomeFor(service, server, `wimse://trust.example${spelled}`)).toBe(
        '400 WIMSE_WIT_SUBJECT',
      )
    }
  })
})

describe('an issuer and the origin it may speak for', () => {
  it('the same authority in another scheme is another origin (ID-06, WIT-23)', async () => {
    const [spiffe, wimse] = [serve('spiffe://trust.example'), serve('wimse://trust.example')]
    const allow = 'wimse://trust.example/service/payment'
    const service = await countingService({
      trustDomains: { ...spiffe.trustDomains, ...wimse.trustDomains },
      allow,
    })
    expect(await outcomeFor(service, wimse, allow)).toBe('let in')
    expect(await outcomeFor(service, spiffe, allow)).toBe('400 WIMSE_WIT_KEY')
    const strict = await countingService({ trustDomains: spiffe.trustDomains, allow })
    expect(await outcomeFor(strict, spiffe, allow)).toBe('400 WIMSE_WIT_TRUST_DOMAIN')
  })

  it('another authority in the same scheme is another origin (WIT-23)', async () => {
    const [dev, prod] = [serve('wimse://dev.example'), serve('wimse://prod.example')]
    const allow = 'wimse://prod.example/service/admin'
    const service = await countingService({
      trustDomains: { ...dev.trustDomains, ...prod.trustDomains },
      allow,
    })
    expect(await outcomeFor(service, prod, allow)).toBe('let in')
    expect(await outcomeFor(service, dev, allow)).toBe('400 WIMSE_WIT_KEY')
    // Nor by the id of a key that is not its own.
    const { headers } = await handMade(dev, {
      witHeader: { kid: prod.issuerKey.kid },
      witClaims: { sub: allow },
    })
    expect(await service.outcomeOf(headers)).toBe('400 WIMSE_WIT_SIGNATURE')
  })
})

describe('a rule for what is below an identifier', () => {
  const trust = serve('wimse://trust.example')
  const attacker = serve('wimse://attacker.example')
  const rows: readonly (readonly [what: string, sub: string, answer: string])[] = [
    ['the identifier itself', 'wimse://trust.example/service/pay', 'let in'],
    ['a descendant', 'wimse://trust.example/service/pay/worker', 'let in'],
    ['a sibling whose name begins alike', 'wimse://trust.example/service/payroll-attacker', FORBIDDEN],
    ['dot segments', 'wimse://trust.example/service/pay/../admin', '400 WIMSE_WIT_SUBJECT'],
    ['escaped dot segments', 'wimse://trust.example/service/pay/%2e%2e/admin', '400 WIMSE_WIT_SUBJECT'],
    ['escaped slashes', 'wimse://trust.example/service/pay%2Fworker', FORBIDDEN],
    ['the path in another origin', 'wimse://attacker.example/service/pay/worker', FORBIDDEN],
  ]
  for (const [what, sub, answer] of rows) {
    it(`${what}: ${answer} (ID-07, AUTHZ-02)`, async () => {
      const service = await countingService({
        trustDomains: { ...trust.trustDomains, ...attacker.trustDomains },
        allow: under('wimse://trust.example/service/pay'),
      })
      expect(await outcomeFor(service, sub.includes('attacker.ex') ? attacker : trust, sub)).toBe(answer)
    })
  }

  it('is never for a whole origin; a rule that says so is (ID-07)', async () => {
    for (const root of ['wimse://trust.example', 'wimse://trust.example/', '']) {
      expect(() => under(root)).toThrow(TypeError)
    }
    const whole: WimseAllowRule = memberOf('wimse://trust.example')
    const service = await countingService({ trustDomains: trust.trustDomains, allow: whole })
    expect(await outcomeFor(service, trust, 'wimse://trust.example/service/pay/worker')).toBe('let in')
  })
})

describe('an identifier that is given to another workload', () => {
  const sub = 'wimse://trust.example/service/payments'

  it('leaves the one that had it outside, though its credential has not ended (WIT-10, SEC-11)', async () => {
    const server = serve('wimse://trust.example')
    const [before, after] = [generateTestKeyPair('ES256'), generateTestKeyPair('ES256')]
    let reassignedAt = 0
    const service = await countingService({
      trustDomains: server.trustDomains,
      isRevoked: ({ claims }) => (claims['iat'] as number) < reassignedAt,
    })
    const outcomeOf = async (key: typeof before, iat: number): Promise<string> =>
      service.outcomeOf((await handMade(server, { key, witClaims: { sub, iat } })).headers)

    expect(await outcomeOf(before, NOON - 600)).toBe('let in')
    reassignedAt = NOON - 300
    // Also when it is remembered as one that was verified before.
    expect(await outcomeOf(before, NOON - 600)).toBe('403 WIMSE_WIT_REVOKED')
    expect(await outcomeOf(after, NOON - 200)).toBe('let in')
  })

  it('does not make the proofs of one good for the other (WPT-10)', async () => {
    const server = serve('wimse://trust.example')
    const service = await countingService({ trustDomains: server.trustDomains })
    const [before, after] = [
      await handMade(server, { witClaims: { sub } }),
      await handMade(server, { witClaims: { sub } }),
    ]
    const mixed = { ...after.headers, 'workload-proof-token': before.wpt }
    expect(await service.outcomeOf(mixed)).toBe('400 WIMSE_WPT_WIT_HASH')
    const aimed = await handMade(server, { witClaims: { sub }, wptClaims: { wth: hashOf(after.wit) } })
    expect(await service.outcomeOf({ ...after.headers, 'workload-proof-token': aimed.wpt })).toBe(
      '400 WIMSE_WPT_SIGNATURE',
    )
  })

  it('can be told apart from before by its key (AUTHZ-01)', async () => {
    const server = serve('wimse://trust.example')
    const thumbprints: (string | null)[] = []
    const service = await countingService({
      trustDomains: server.trustDomains,
      allow: ({ id, keyThumbprint }) => {
        expect(id).toBe(sub)
        thumbprints.push(keyThumbprint)
        return true
      },
    })
    for (let holder = 0; holder < 2; holder++) expect(await outcomeFor(service, server, sub)).toBe('let in')
    expect(new Set(thumbprints).size).toBe(2)
  })
})
