import { Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { WimseOptions } from 'fastify-wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { type Change, countingService, handMade } from './hand-made.js'
import { NOON } from './service-under-test.js'

const { privateJwk: strangersKey, publicJwk: strangersPublicKey } = generateTestKeyPair('ES256')
const workload = generateTestKeyPair('ES256')
const { publicJwk } = workload

afterEach(() => {
  vi.restoreAllMocks()
})

/** What each row changes about a request that is let in, and what becomes of it. */
type Rows = readonly (readonly [
  what: string,
  change: Change,
  outcome: string,
  options?: Partial<WimseOptions>,
])[]

const rows: Rows = [
  [
    'in another field (WIT-01)',
    { headers: { 'workload-identity-token': undefined, 'x-workload-identity-token': 'x' } },
    '400 WIMSE_WIT_MISSING',
  ],
  ['with the case of one letter changed (WIT-03)', { wit: withOtherCase }, '400 WIMSE_WIT_SIGNATURE'],

  ['without a sub (WIT-07)', { witClaims: { sub: undefined } }, '400 WIMSE_WIT_SUBJECT'],
  [
    'whose sub is a list (WIT-07)',
    { witClaims: { sub: ['wimse://example.com/a'] } },
    '400 WIMSE_WIT_SUBJECT',
  ],
  ['whose sub is no URI (WIT-07)', { witClaims: { sub: 'caller' } }, '400 WIMSE_WIT_SUBJECT'],
  [
    'whose sub is an IP address (ID-04)',
    { witClaims: { sub: 'wimse://10.0.0.1/a' } },
    '400 WIMSE_WIT_SUBJECT',
  ],
  [
    'with an iss and no sub (WIT-07, CNF-01)',
    { witClaims: { sub: undefined, iss: 'https://identity.example.com' } },
    '400 WIMSE_WIT_SUBJECT',
  ],
  [
    'of a trust domain that is not configured (WIT-23, ID-08)',
    { witClaims: { sub: 'wimse://sub.example.com/a' } },
    '400 WIMSE_WIT_TRUST_DOMAIN',
  ],

  [
    'of the same name under another scheme (ID-06)',
    { witClaims: { sub: 'spiffe://example.com/caller' } },
    '400 WIMSE_WIT_TRUST_DOMAIN',
  ],

  ['with an iss where none is configured (WIT-08)', { witClaims: { iss: 'urn:anyone' } }, 'let in'],
  ['whose iss is no text, where none is configured (WIT-08)', { witClaims: { iss: 7 } }, 'let in'],

  ['without an exp (WIT-10)', { witClaims: { exp: undefined } }, '400 WIMSE_WIT_LIFETIME'],
  ['whose exp is text (WIT-10)', { witClaims: { exp: String(NOON + 60) } }, '400 WIMSE_WIT_LIFETIME'],
  ['in its last second (WIT-10)', { witClaims: { exp: NOON + 1 } }, 'let in'],
  ['at its exp (WIT-10)', { witClaims: { exp: NOON } }, '400 WIMSE_WIT_EXPIRED'],
  ['that lives for a day (WIT-11)', { witClaims: { exp: NOON + 86_400 } }, 'let in'],
  ['that lives for longer (WIT-11)', { witClaims: { exp: NOON + 86_401 } }, '400 WIMSE_WIT_LIFETIME'],
  [
    'that lives for longer than the operator allows (WIT-11)',
    { witClaims: { exp: NOON + 601 } },
    '400 WIMSE_WIT_LIFETIME',
    { maxTokenLifetime: 600 },
  ],
  ['whose nbf has come (WIT-14)', { witClaims: { nbf: NOON } }, 'let in'],
  ['whose nbf lies ahead (WIT-14)', { witClaims: { nbf: NOON + 1 } }, '400 WIMSE_WIT_NOT_YET_VALID'],
  ['whose nbf is text (WIT-14)', { witClaims: { nbf: String(NOON) } }, '400 WIMSE_WIT_NOT_YET_VALID'],
  ['whose iat lies ahead (WIT-14)', { witClaims: { iat: NOON + 600 } }, 'let in'],

  [
    'with claims and header parameters that nobody knows (WIT-15, WIT-28, CNF-04)',
    {
      key: workload,
      witClaims: { note: 'x', act: { sub: 'x' }, cnf: { jwk: workload.publicJwk, note: {} } },
      witHeader: { note: 'x' },
    },
    'let in',
  ],
  ['with claims of its own (WIT-15)', { witClaims: { 'https://example.com/team': { name: 'x' } } }, 'let in'],

  ['without cnf (WIT-17)', { witClaims: { cnf: undefined } }, '400 WIMSE_WIT_CONFIRMATION'],
  ['whose cnf is null (WIT-17)', { witClaims: { cnf: null } }, '400 WIMSE_WIT_CONFIRMATION'],
  ['whose cnf has a kid alone (CNF-08)', { witClaims: { cnf: { kid: 'a' } } }, '400 WIMSE_WIT_CONFIRMATION'],
  ['whose cnf has a jwe (CNF-18)', { witClaims: { cnf: { jwe: 'a' } } }, '400 WIMSE_WIT_CONFIRMATION'],
  [
    'whose cnf has a thumbprint alone (WIT-17)',
    { witClaims: { cnf: { jkt: 'a' } } },
    '400 WIMSE_WIT_CONFIRMATION',
  ],
  [
    'whose cnf.jwk has no alg (WIT-18)',
    { witClaims: { cnf: { jwk: { ...publicJwk, alg: undefined } } } },
    '400 WIMSE_WIT_CONFIRMATION',
  ],
  ...['none', 'HS256', 'ECDH-ES', 'es256', 'ES384'].map(
    (alg) =>
      [
        `whose cnf.jwk.alg is ${alg} (WIT-19)`,
        { witClaims: { cnf: { jwk: { ...publicJwk, alg } } } },
        '400 WIMSE_WIT_CONFIRMATION',
      ] as const,
  ),
  [
    'whose cnf.jwk is symmetric (CNF-06)',
    { witClaims: { cnf: { jwk: { kty: 'oct', k: 'A'.repeat(43), alg: 'HS256' } } } },
    '400 WIMSE_WIT_CONFIRMATION',
  ],
  [
    'that gives the private key away (WIT-31)',
    { witClaims: { cnf: { jwk: strangersKey } } },
    '400 WIMSE_WIT_CONFIRMATION',
  ],
  ['that was changed after signing (WIT-25, CNF-15)', { wit: withClaim }, '400 WIMSE_WIT_SIGNATURE'],
  ['signed with another key of the same id (WIT-25)', { witKey: strangersKey }, '400 WIMSE_WIT_SIGNATURE'],
]

describe('an identity token', () => {
  for (const [what, change, outcome, options] of rows) {
    it(`${what}: ${outcome}`, async () => {
      const { outcomeWith } = await countingService(options)
      if (options === undefined) expect(await outcomeWith()).toBe('let in')
      else expect(await outcomeWith({ witClaims: { exp: NOON + 600 } })).toBe('let in')
      expect(await outcomeWith(change)).toBe(outcome)
    })
  }

  it('may have an issuer of its trust domain, or none, and no other (WIT-08, WIT-09, BCP-07)', async () => {
    const { identityServer } = await countingService()
    const { outcomeOf } = await countingService({
      trustDomains: {
        'wimse://example.com': {
          jwks: identityServer.jwks,
          issuer: ['https://a.example', 'https://b.example'],
        },
      },
    })
    const outcomeFor = async (iss: unknown): Promise<string> =>
      outcomeOf((await handMade(identityServer, { witClaims: { iss } })).headers)
    expect(await outcomeFor('https://a.example')).toBe('let in')
    expect(await outcomeFor('https://b.example')).toBe('let in')
    expect(await outcomeFor(undefined)).toBe('let in')
    for (const iss of [
      'https://c.example',
      'https://a.example/',
      'https://A.example',
      '',
      7,
      ['https://a.example'],
    ]) {
      expect(await outcomeFor(iss)).toBe('400 WIMSE_WIT_ISSUER')
    }
  })

  it('does not bring its own keys, and nothing is fetched for it (WIT-09, BCP-09, CNF-18)', async () => {
    const { outcomeWith } = await countingService()
    const connections = vi.spyOn(Socket.prototype, 'connect')
    expect(await outcomeWith({ witHeader: { jku: 'https://evil.example/keys' } })).toBe('let in')
    for (const witHeader of [
      { jwk: strangersPublicKey },
      { jku: 'http://127.0.0.1:1/keys' },
      { x5u: 'http://127.0.0.1:1/certificate' },
      { x5c: ['AAAA'] },
      { jwk: strangersPublicKey, kid: undefined },
    ]) {
      expect(await outcomeWith({ witKey: strangersKey, witHeader })).toBe('400 WIMSE_WIT_SIGNATURE')
    }
    const cnf = { jku: 'http://127.0.0.1:1/keys', kid: 'a' }
    expect(await outcomeWith({ witClaims: { cnf } })).toBe('400 WIMSE_WIT_CONFIRMATION')
    expect(connections).not.toHaveBeenCalled()
  })

  it('may name its key by any text, which is compared and nothing else (BCP-09)', async () => {
    const { outcomeWith } = await countingService()
    expect(await outcomeWith()).toBe('let in')
    for (const kid of ["'; DROP TABLE keys", '../../etc/passwd', '__proto__', '\u0000', 'x'.repeat(10_000)]) {
      expect(await outcomeWith({ witHeader: { kid } })).toBe('400 WIMSE_WIT_KEY')
    }
  })

  it('is no credential without a proof, nor in the Authorization field (WIT-16)', async () => {
    const { identityServer, outcomeOf } = await countingService()
    const { wit, headers } = await handMade(identityServer)
    expect(await outcomeOf({ 'workload-identity-token': wit })).toBe('400 WIMSE_WPT_MISSING')
    expect(await outcomeOf({ authorization: `Bearer ${wit}` })).toBe('400 WIMSE_WIT_MISSING')
    expect(await outcomeOf(headers)).toBe('let in')
  })
})

/** Changes the case of one letter of the signature. */
function withOtherCase(wit: string): string {
  const at = wit.lastIndexOf('.') + 1 + wit.slice(wit.lastIndexOf('.') + 1).search(/[A-Za-z]/)
  const letter = wit[at]!
  const other = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()
  return wit.slice(0, at) + other + wit.slice(at + 1)
}

/** Adds a claim that was not signed. */
function withClaim(wit: string): string {
  const [header, payload, signature] = wit.split('.') as [string, string, string]
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  return `${header}.${Buffer.from(JSON.stringify({ ...claims, admin: true })).toString('base64url')}.${signature}`
}
