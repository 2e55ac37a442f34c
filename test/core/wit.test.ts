import { describe, expect, it } from 'vitest'
import { AuthenticationError, readTrustBundle } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { tokenHash } from '../../packages/core/src/crypto/token-hash.js'
import {
  checkWitValidity,
  parseWit,
  type TrustedWit,
  trustWit,
  type WitRules,
} from '../../packages/core/src/trust/wit.js'
import { by, forge } from '../attacks/forge.js'

type Members = Readonly<Record<string, unknown>>

const NOON = 1_760_000_000
const [issuer, caller] = [generateTestKeyPair('ES256'), generateTestKeyPair('ES256')]
const algorithms = new Set(['ES256', 'EdDSA'])
const bundle = readTrustBundle({ keys: [{ ...issuer.publicJwk, kid: 'a' }] })
const RULES: WitRules = {
  profile: 'wit',
  algorithms,
  confirmationAlgorithms: algorithms,
  deriveConfirmationAlgorithm: false,
  issuers: null,
  clockTolerance: 5,
  maxTokenLifetime: 3600,
}
const CLAIMS: Members = { sub: 'spiffe://example.com/caller', cnf: { jwk: caller.publicJwk }, exp: NOON + 60 }

interface Change {
  readonly header?: Members
  readonly claims?: Members
  readonly rules?: Partial<WitRules>
  readonly now?: number
}

function trust({ header, claims, rules, now = NOON }: Change = {}): TrustedWit {
  const token = forge(
    { alg: 'ES256', kid: 'a', typ: 'wit+jwt', ...header },
    { ...CLAIMS, ...claims },
    by(issuer.privateJwk, 'ES256'),
  )
  return trustWit(parseWit(token, tokenHash(token), algorithms), bundle, { ...RULES, ...rules }, now)
}

/** The refusal; fails when there is none. */
function refusalOf(attempt: () => unknown): AuthenticationError {
  try {
    attempt()
  } catch (error) {
    if (error instanceof AuthenticationError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const codeOf = (change: Change): string => refusalOf(() => trust(change)).code

describe('trustWit()', () => {
  it('gives what its issuer said, frozen all the way down', () => {
    const wit = trust({ claims: { nbf: NOON, list: [{ a: [1] }], nothing: null } })
    expect(wit).toMatchObject({ expiresAt: NOON + 60, notBefore: NOON })
    expect(wit.claims).toEqual({ ...CLAIMS, nbf: NOON, list: [{ a: [1] }], nothing: null })
    const [list] = wit.claims['list'] as [{ a: number[] }]
    for (const part of [wit.claims, wit.claims['list'], list, list.a, wit.claims['cnf']]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    expect(trust().notBefore).toBeNull()
  })

  it('counts the tolerance on top of every time, to the second (WIT-10, WIT-11, WIT-14)', () => {
    expect(trust({ now: NOON + 64 }).expiresAt).toBe(NOON + 60)
    expect(codeOf({ now: NOON + 65 })).toBe('WIMSE_WIT_EXPIRED')
    expect(trust({ claims: { nbf: NOON + 5 } }).notBefore).toBe(NOON + 5)
    expect(codeOf({ claims: { nbf: NOON + 6 } })).toBe('WIMSE_WIT_NOT_YET_VALID')
    expect(trust({ claims: { exp: NOON + 3605 } }).expiresAt).toBe(NOON + 3605)
    expect(codeOf({ claims: { exp: NOON + 3606 } })).toBe('WIMSE_WIT_LIFETIME')
  })

  it('lets any issuer speak where none is configured, and only those where some are', () => {
    const issuers = new Set(['https://issuer.example'])
    for (const iss of [undefined, 'https://other.example', 42])
      expect(trust({ claims: { iss } })).toBeDefined()
    for (const iss of [undefined, 'https://issuer.example']) {
      expect(trust({ claims: { iss }, rules: { issuers } })).toBeDefined()
    }
    for (const iss of ['https://other.example', 42, null]) {
      expect(codeOf({ claims: { iss }, rules: { issuers } })).toBe('WIMSE_WIT_ISSUER')
    }
  })

  it('takes no signature but the issuer’s', () => {
    const header = { alg: 'ES256', kid: 'a', typ: 'wit+jwt' }
    const token = forge(header, CLAIMS, by(caller.privateJwk, 'ES256'))
    const wit = parseWit(token, tokenHash(token), algorithms)
    const { code, diagnostics } = refusalOf(() => trustWit(wit, bundle, RULES, NOON))
    expect([code, diagnostics.expected, diagnostics.received]).toEqual(['WIMSE_WIT_SIGNATURE', 'a', 'a'])
  })

  const malformed: readonly (readonly [claims: Members, code: string])[] = [
    [{ sub: undefined }, 'WIMSE_WIT_SUBJECT'],
    [{ sub: 'caller' }, 'WIMSE_WIT_SUBJECT'],
    [{ sub: ['spiffe://example.com/caller'] }, 'WIMSE_WIT_SUBJECT'],
    [{ exp: undefined }, 'WIMSE_WIT_LIFETIME'],
    [{ exp: String(NOON + 60) }, 'WIMSE_WIT_LIFETIME'],
    [{ nbf: String(NOON - 60) }, 'WIMSE_WIT_NOT_YET_VALID'],
    [{ nbf: null }, 'WIMSE_WIT_NOT_YET_VALID'],
  ]
  for (const [claims, code] of malformed) {
    it(`refuses ${JSON.stringify(claims, (_, value: unknown) => value ?? 'nothing')}: ${code}`, () => {
      expect(trust()).toBeDefined()
      expect(codeOf({ claims })).toBe(code)
    })
  }

  it('takes a confirmation key that says it is for signatures, and none for anything else (WIT-19)', () => {
    const cnfFor = (use: string): Change => ({ claims: { cnf: { jwk: { ...caller.publicJwk, use } } } })
    expect(trust(cnfFor('sig')).confirmation.names).toEqual(['ES256'])
    for (const use of ['enc', 'wit-svid', '']) expect(codeOf(cnfFor(use))).toBe('WIMSE_WIT_CONFIRMATION')
  })

  it('holds a WIT-SVID to its profile (WIT-28)', () => {
    const rules = { profile: 'wit-svid' } as const
    expect(trust({ rules }).subject.id).toBe(CLAIMS['sub'])
    expect(codeOf({ rules, header: { kid: undefined } })).toBe('WIMSE_WIT_KEY')
    expect(codeOf({ rules, claims: { aud: 'a' } })).toBe('WIMSE_WIT_MALFORMED')
    expect(trust({ header: { kid: undefined }, claims: { aud: 'a' } }).subject.id).toBe(CLAIMS['sub'])
  })

  it('tells which algorithm no key fits, what of the key is wrong, and the subject', () => {
    const diagnosticsOf = (change: Change): unknown => refusalOf(() => trust(change)).diagnostics
    expect(diagnosticsOf({ header: { kid: 'b' } })).toMatchObject({
      reason: 'no single key of the trust domain fits the key id and ES256',
    })
    expect(diagnosticsOf({ claims: { cnf: { jwk: { ...caller.publicJwk, use: 'enc' } } } })).toMatchObject({
      reason: 'cnf.jwk: use is not for signatures',
    })
    expect(diagnosticsOf({ claims: { sub: 'wimse://EXAMPLE.com/a' } })).toMatchObject({
      received: 'wimse://EXAMPLE.com/a',
    })
  })

  const told: readonly (readonly [what: string, change: Change, expected: string, received: string])[] = [
    ['the algorithms', { header: { alg: 'RS256' } }, 'ES256, EdDSA', 'RS256'],
    ['those of the trust domain', { rules: { algorithms: new Set(['EdDSA']) } }, 'EdDSA', 'ES256'],
    ['the ids of its keys', { header: { kid: 'b' } }, 'a', 'b'],
    ['the issuers', { rules: { issuers: new Set(['x', 'y']) }, claims: { iss: 'z' } }, 'x, y', 'z'],
    ['the time', { now: NOON + 65 }, `exp after ${NOON + 60}`, String(NOON + 60)],
    ['the beginning', { claims: { nbf: NOON + 6 } }, `nbf up to ${NOON + 5}`, String(NOON + 6)],
    ['the end', { claims: { exp: NOON + 3606 } }, `exp up to ${NOON + 3605}`, String(NOON + 3606)],
  ]

  for (const [what, change, expected, received] of told) {
    it(`tells the operator ${what} it would have taken, and what came`, () => {
      expect(refusalOf(() => trust(change)).diagnostics).toMatchObject({ expected, received })
    })
  }

  it('tells of a key without an id that it has none', () => {
    const nameless = readTrustBundle({ keys: [issuer.publicJwk] })
    const token = forge({ alg: 'ES256', kid: 'a', typ: 'wit+jwt' }, CLAIMS, by(issuer.privateJwk, 'ES256'))
    const wit = parseWit(token, tokenHash(token), algorithms)
    const { diagnostics } = refusalOf(() => trustWit(wit, nameless, RULES, NOON))
    expect(diagnostics.expected).toBe('a key without id')
  })
})

describe('parseWit()', () => {
  it('takes only a defect of ours for a defect of ours', () => {
    const broken = undefined as unknown as string
    expect(() => parseWit(broken, '', algorithms)).toThrow(/reading 'indexOf'/)
  })
})

describe('checkWitValidity()', () => {
  it('looks at the clock anew, with the same tolerance', () => {
    const lifetime = { expiresAt: NOON, notBefore: NOON - 60 }
    const codeAt = (now: number): string => refusalOf(() => checkWitValidity(lifetime, now, 5)).code
    for (const now of [NOON - 65, NOON, NOON + 4])
      expect(() => checkWitValidity(lifetime, now, 5)).not.toThrow()
    expect([codeAt(NOON - 66), codeAt(NOON + 5)]).toEqual(['WIMSE_WIT_NOT_YET_VALID', 'WIMSE_WIT_EXPIRED'])
    expect(() => checkWitValidity({ expiresAt: 10, notBefore: null }, -100, 5)).not.toThrow()
  })
})
