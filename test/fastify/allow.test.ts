import { describe, expect, it } from 'vitest'
import { under, type WimseAllowRule } from 'fastify-wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { countingService, handMade } from './hand-made.js'

const origins = ['wimse://example.com', 'spiffe://example.com', 'wimse://example.org'] as const
const servers = origins.map((origin) => createTestIdentityServer({ origin }))
const trustDomains = Object.assign({}, ...servers.map((server) => server.trustDomains)) as NonNullable<
  Parameters<typeof countingService>[0]
>['trustDomains'] &
  object

async function outcomes(allow: WimseAllowRule, path: string): Promise<readonly string[]> {
  const { outcomeOf } = await countingService({ trustDomains, allow })
  const answers: string[] = []
  // One after the other, so that it can be counted whose request was handled.
  for (const server of servers) {
    const witClaims = { sub: server.origin + path, roles: server.origin.startsWith('spiffe') ? ['a'] : [] }
    answers.push(await outcomeOf((await handMade(server, { witClaims })).headers))
  }
  return answers
}

const FORBIDDEN = '403 WIMSE_WORKLOAD_FORBIDDEN'

describe('a rule', () => {
  it('of one identifier is for the whole of it: the same path elsewhere is someone else (ID-05, ID-06, AUTHZ-02)', async () => {
    expect(await outcomes('wimse://example.com/checkout', '/checkout')).toEqual([
      'let in',
      FORBIDDEN,
      FORBIDDEN,
    ])
    expect(await outcomes('spiffe://example.com/checkout', '/checkout')).toEqual([
      FORBIDDEN,
      'let in',
      FORBIDDEN,
    ])
  })

  it('of one identifier is for nobody below or beside it (ID-05, AUTHZ-03)', async () => {
    for (const path of ['', '/checkout/a', '/checkouts', '/Checkout', '/check']) {
      expect(await outcomes('wimse://example.com/checkout', path)).toEqual([FORBIDDEN, FORBIDDEN, FORBIDDEN])
    }
  })

  it('for what is below an identifier goes by whole segments, in its trust domain (ID-07, AUTHZ-02)', async () => {
    const rule = under('wimse://example.com/ns/db')
    expect(await outcomes(rule, '/ns/db/replica')).toEqual(['let in', FORBIDDEN, FORBIDDEN])
    expect(await outcomes(rule, '/ns/dbx')).toEqual([FORBIDDEN, FORBIDDEN, FORBIDDEN])
  })

  it('for what is below an identifier needs a path, as everyone is below a trust domain (ID-07)', () => {
    const emptyByMistake = ''
    expect(() => under(`wimse://example.com${emptyByMistake}`)).toThrow(TypeError)
    expect(() => under('wimse://example.com/')).toThrow(TypeError)
    expect(() => under('wimse://example.com/a')).not.toThrow()
  })

  it('may decide by the other claims of the WIT (AUTHZ-04)', async () => {
    const rule: WimseAllowRule = ({ claims }) => (claims['roles'] as string[]).includes('a')
    expect(await outcomes(rule, '/checkout')).toEqual([FORBIDDEN, 'let in', FORBIDDEN])
  })

  it('that is not met is 403, since the caller is known (ERR-10)', async () => {
    const { app, identityServer, outcomeWith } = await countingService({ allow: () => false })
    expect(await outcomeWith()).toBe(FORBIDDEN)
    const { headers } = await handMade(identityServer)
    const response = await app.inject({ url: '/stock', headers })
    expect(response.headers['www-authenticate']).toBeUndefined()
    const other = await countingService({ allow: () => true })
    expect(await other.outcomeWith()).toBe('let in')
  })
})
