import Fastify from 'fastify'
import { type Revision, type TrustDomainOptions, wimse } from 'fastify-wimse'
import { describe, expect, it } from 'vitest'
import { explain, webCrypto } from 'wimse/explain'
import { sharedVectors } from '../machine.js'
import { readVectors } from '../vectors/shared.js'

type Trust = Readonly<Record<string, { keys: readonly object[]; issuers?: readonly string[] }>>

interface Case {
  readonly id: string
  readonly transport: 'workload-proof-token' | 'authorization-wpt'
  readonly request: {
    readonly requestTarget: string
    readonly headers: Readonly<Record<string, string | readonly string[]>>
  }
  readonly trustConfig?: Trust
  readonly validAt: number
  readonly expected: { readonly outcome: string; readonly code: string | null; readonly httpStatus: number }
}

const { defaults, cases } = readVectors<{
  defaults: { ownAuthorities: readonly string[]; trust: Trust }
  cases: readonly Case[]
}>('derived/cases.json', { defaults: { ownAuthorities: [], trust: {} }, cases: [] })

describe.skipIf(sharedVectors === null)('explain() of derived/cases.json', () => {
  it('has the cases we know', () => expect(cases).toHaveLength(102))

  for (const { id, transport, request, trustConfig, validAt, expected } of cases) {
    it(`${id}: names the answer of the service, ${expected.code ?? 'none'}`, async () => {
      const trustDomains: Record<string, TrustDomainOptions> = {}
      for (const [domain, { keys, issuers }] of Object.entries(trustConfig ?? defaults.trust)) {
        for (const scheme of ['wimse', 'spiffe']) {
          trustDomains[`${scheme}://${domain}`] = {
            jwks: { keys },
            ...(issuers === undefined ? {} : { issuer: issuers }),
          }
        }
      }
      const revisions: readonly Revision[] = [transport === 'authorization-wpt' ? 'wpt-02' : 'wpt-01']
      const options = { audience: defaults.ownAuthorities, trustDomains, revisions, clockTolerance: 0 }

      const app = Fastify()
      await app.register(wimse, { ...options, now: () => validAt })
      app.all('/*', async () => 'let in')
      const headers = request.headers as Record<string, string>
      const answer = await app.inject({ url: request.requestTarget, headers })
      const { verdict, code, status } = await explain(
        { target: request.requestTarget, headers },
        { ...options, now: validAt },
        webCrypto(),
      )

      if (answer.statusCode === 200) {
        expect(['accept', 'accept-then-reject']).toContain(expected.outcome)
        expect({ verdict, code }).toEqual({ verdict: 'accepted', code: null })
      } else {
        expect({ verdict, code, status }).toEqual({
          verdict: 'refused',
          code: answer.json<{ code: string }>().code,
          status: answer.statusCode,
        })
        expect(code).toBe(expected.code)
      }
    })
  }
})
