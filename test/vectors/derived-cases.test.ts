import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Revision, TrustDomainOptions, WimseOptions } from 'fastify-wimse'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import { rawRequest, type RawResponse } from '../fastify/raw-request.js'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

interface Trust {
  readonly [domain: string]: { readonly keys: readonly object[]; readonly issuers?: readonly string[] }
}

interface Case {
  readonly id: string
  readonly description: string
  readonly transport: 'workload-proof-token' | 'authorization-wpt'
  readonly requirement?: string
  readonly request: {
    readonly method: string
    readonly requestTarget: string
    readonly headers: Readonly<Record<string, string | readonly string[]>>
  }
  readonly trustConfig?: Trust
  readonly validAt: number
  readonly expected: {
    readonly outcome: 'accept' | 'reject' | 'policy' | 'accept-then-reject'
    readonly code: string | null
    readonly httpStatus: number
    readonly wwwAuthenticate?: string
  }
}

interface Cases {
  readonly defaults: { readonly ownAuthorities: readonly string[]; readonly trust: Trust }
  readonly cases: readonly Case[]
}

const { defaults, cases } = readVectors<Cases>('derived/cases.json', {
  defaults: { ownAuthorities: [], trust: {} },
  cases: [],
})

/** Requirements that a case shows, beside the one it names itself, by the start of its id. */
const REQUIREMENTS: readonly (readonly [prefix: string, ids: string])[] = [
  ['ok-ath', 'WPT-11 WPT-25'],
  ['ok-oth', 'WPT-13 WPT-28'],
  ['ok-aud', 'WPT-18 URI-02'],
  ['ok-typ', 'WIT-05 BCP-10'],
  ['ok-no-kid', 'WIT-06'],
  ['ok-kid', 'WIT-24'],
  ['ok-partner', 'WIT-23'],
  ['ok-spiffe', 'ID-12'],
  ['ok-header', 'WIT-03'],
  ['ok-wpt02', 'WPT-01 BEAR-06'],
  ['ok-', 'WIT-01 WIT-21 WPT-06'],
  ['wit-two', 'WIT-02 NODE-01'],
  ['wit-five', 'WIT-02'],
  ['wit-padding', 'WIT-02'],
  ['wit-json', 'WIT-02 BCP-12'],
  ['wit-not-json', 'WIT-02'],
  ['wit-duplicate', 'BCP-13'],
  ['wit-typ', 'WIT-05 BCP-11'],
  ['wit-alg', 'WIT-04 BCP-01'],
  ['wit-issuer', 'WIT-09 BCP-07'],
  ['wit-other-key', 'WIT-06 WIT-25'],
  ['wit-jku', 'WIT-09 BCP-09'],
  ['wit-kid', 'WIT-06'],
  ['wit-untrusted', 'WIT-23 ID-08'],
  ['wit-exp', 'WIT-10 WIT-11'],
  ['wit-nbf', 'WIT-14'],
  ['wit-sub', 'WIT-07 ID-02'],
  ['wit-cnf', 'WIT-17 WIT-19 CNF-18'],
  ['wit-crit', 'BCP-14'],
  ['wit-tampered', 'WIT-25 CNF-15'],
  ['wit-', 'ERR-01 ERR-02'],
  ['wpt02', 'ERR-03 ERR-04 WPT-02'],
  ['wpt-malformed', 'WPT-03'],
  ['wpt-typ', 'WPT-05'],
  ['wpt-is', 'WPT-05 BCP-11'],
  ['wpt-alg', 'WPT-04 WIT-21'],
  ['wpt-embedded', 'WPT-06'],
  ['wpt-aud', 'WPT-18 WPT-23'],
  ['wpt-exp', 'WPT-08 WPT-19 WPT-20 WPT-36'],
  ['wpt-jti', 'WPT-09'],
  ['wpt-wth', 'WPT-10 WPT-21'],
  ['wpt-ath', 'WPT-25'],
  ['wpt-tth', 'WPT-26'],
  ['wpt-oth', 'WPT-14 WPT-27 WPT-31'],
  ['wpt-crit', 'BCP-14'],
  ['wpt-wit', 'WPT-17'],
  ['wpt-replay', 'WPT-22 SEC-05'],
]

function requirementsOf({ id, requirement }: Case): string {
  const ids = REQUIREMENTS.find(([prefix]) => id.startsWith(prefix))?.[1] ?? ''
  return [requirement, ids].filter((part) => part !== undefined && part !== '').join(' ')
}

describe.skipIf(sharedVectors === null)('derived/cases.json', () => {
  it('has the cases we know', () => {
    expect(cases).toHaveLength(102)
    expect(cases.filter(({ transport }) => transport === 'workload-proof-token')).toHaveLength(95)
  })

  for (const row of cases) {
    describe(`${row.id} (${requirementsOf(row)})`, () => {
      let service: ProtectedService
      beforeAll(async () => {
        service = await startProtectedService(optionsFor(row))
      })
      afterAll(() => service.app.close())

      it(`${row.expected.outcome}: ${row.description}`, async () => {
        const first = await send(service, row)
        if (row.expected.outcome === 'accept') return expectAccepted(first, service)
        if (row.expected.outcome === 'accept-then-reject') {
          expectAccepted(first, service)
          return expectRefused(await send(service, row), row, service, 1)
        }
        return expectRefused(first, row, service, 0)
      })
    })
  }
})

function optionsFor({ transport, trustConfig, validAt }: Case): WimseOptions {
  const revision: Revision = transport === 'authorization-wpt' ? 'wpt-02' : 'wpt-01'
  const trustDomains: Record<string, TrustDomainOptions> = {}
  for (const [domain, { keys, issuers }] of Object.entries(trustConfig ?? defaults.trust)) {
    // The file names domains without their scheme; here keys are bound to scheme and domain.
    for (const scheme of ['wimse', 'spiffe']) {
      trustDomains[`${scheme}://${domain}`] = {
        jwks: { keys },
        ...(issuers === undefined ? {} : { issuer: issuers }),
      }
    }
  }
  return {
    audience: defaults.ownAuthorities,
    trustDomains,
    revisions: [revision],
    clockTolerance: 0,
    now: () => validAt,
  }
}

async function send({ port }: ProtectedService, { request }: Case): Promise<RawResponse> {
  const { method, requestTarget, headers } = request
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}`),
  )
  const host = 'Host' in headers ? [] : ['Host: workload.example.com']
  return rawRequest(
    port,
    [`${method} ${requestTarget} HTTP/1.1`, ...host, ...fields],
    '{"do stuff":"please"}',
  )
}

function expectAccepted({ status, body }: RawResponse, { handled, parsedBodies }: ProtectedService): void {
  expect({ status, body: JSON.parse(body) as unknown }).toEqual({
    status: 200,
    body: { caller: expect.any(String) },
  })
  expect(handled).toHaveLength(1)
  expect(parsedBodies()).toBe(1)
}

function expectRefused(
  { status, headers, body }: RawResponse,
  { expected }: Case,
  { handled, parsedBodies }: ProtectedService,
  handledBefore: number,
): void {
  expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({
    status: expected.httpStatus,
    code: expected.code,
  })
  expect(headers['content-type']).toBe('application/problem+json')
  expect(headers['www-authenticate']).toBe(expected.wwwAuthenticate)
  expect(handled).toHaveLength(handledBefore)
  expect(parsedBodies()).toBe(handledBefore)
}
