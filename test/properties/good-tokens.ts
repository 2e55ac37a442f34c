import { isDeepStrictEqual } from 'node:util'
import { importJWK, jwtVerify } from 'jose'
import { AuthenticationError, createAuthenticator } from 'wimse'
import { generateTestKeyPair, type TestKeyPair } from 'wimse-testkit'
import { by, forge } from '../attacks/forge.js'
import { hashOf } from '../fastify/hand-made.js'
import { NOON, ORIGIN } from '../fastify/service-under-test.js'

type Members = Readonly<Record<string, unknown>>

/** What a WIT and its proof say, before they are signed. */
export interface Draft {
  readonly witHeader: Members
  readonly witClaims: Members
  readonly wptHeader: Members
  /** Without a `wth` of its own it has that of the WIT. */
  readonly wptClaims: Members
}

/** The two tokens of a request. */
export interface Tokens {
  readonly wit: string
  readonly wpt: string
}

/** EdDSA is Ed25519 under its old name. */
export const ALGORITHMS = ['ES256', 'EdDSA', 'RS256', 'PS256'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

const TARGET = '/stock'
const AUDIENCE = ORIGIN + TARGET

/** Tokens of an issuer and a workload whose keys are for two algorithms, and what is said of them. */
export interface Suite {
  /** Both tokens as they should be. */
  readonly goodDraft: Draft
  /** Signs a draft, both tokens with the keys they should be signed with. */
  readonly mint: (draft: Draft) => Tokens
  /** Signs a WIT whose claims are this text, and a good proof for it. */
  readonly mintText: (witClaims: string) => Tokens
  /** Makes a good proof for a WIT, whatever that is. */
  readonly proofFor: (wit: string) => string
  /** What we say: `good`, or the code of the refusal. Anything else that is thrown stays thrown. */
  readonly verdictOf: (tokens: Tokens) => Promise<string>
  /** What jose says of the same tokens, under the same constraints as far as it knows them. */
  readonly joseAccepts: (tokens: Tokens) => Promise<boolean>
  /**
   * Whether a draft is good, told from the specifications and not from the code: the oracle for drafts that
   * were edited and signed again. Knows as good only those subjects and audiences that are listed.
   */
  readonly isGood: (draft: Draft) => boolean
}

// RSA keys take long to make: one for each side, under two names.
const keyPairs = (): Readonly<Record<Algorithm, TestKeyPair>> => {
  const RS256 = generateTestKeyPair('RS256')
  const [privateJwk, publicJwk] = [RS256.privateJwk, RS256.publicJwk].map((jwk) => ({ ...jwk, alg: 'PS256' }))
  return {
    ES256: generateTestKeyPair('ES256'),
    EdDSA: generateTestKeyPair('EdDSA'),
    RS256,
    PS256: { privateJwk, publicJwk } as TestKeyPair,
  }
}
const [issuerKeys, workloadKeys] = [keyPairs(), keyPairs()]

function createSuite(witAlgorithm: Algorithm, wptAlgorithm: Algorithm): Suite {
  const issuerKey = { ...issuerKeys[witAlgorithm].publicJwk, kid: `issuer-${witAlgorithm}` }
  const key = workloadKeys[wptAlgorithm]
  const signWit = by(issuerKeys[witAlgorithm].privateJwk, witAlgorithm)
  const signWpt = by(key.privateJwk, wptAlgorithm)
  const goodDraft: Draft = {
    witHeader: { alg: witAlgorithm, kid: issuerKey.kid, typ: 'wit+jwt' },
    witClaims: { sub: 'wimse://example.com/caller', cnf: { jwk: key.publicJwk }, exp: NOON + 3600 },
    wptHeader: { alg: wptAlgorithm, typ: 'wpt+jwt' },
    wptClaims: { aud: AUDIENCE, exp: NOON + 60, jti: 'a-proof' },
  }
  const authenticator = createAuthenticator({
    audience: ORIGIN,
    trustDomains: { 'wimse://example.com': { jwks: { keys: [issuerKey] } } },
    replay: false,
    clockTolerance: 0,
    now: () => NOON,
  })
  const mintProof = (wit: string, wptHeader: Members, wptClaims: Members): string => {
    const wth = 'wth' in wptClaims ? {} : { wth: hashOf(wit) }
    return forge(wptHeader, { ...wptClaims, ...wth }, signWpt)
  }
  const proofFor = (wit: string): string => mintProof(wit, goodDraft.wptHeader, goodDraft.wptClaims)
  return {
    goodDraft,
    mint({ witHeader, witClaims, wptHeader, wptClaims }) {
      const wit = forge(witHeader, witClaims, signWit)
      return { wit, wpt: mintProof(wit, wptHeader, wptClaims) }
    },
    mintText(witClaims) {
      const wit = forge(goodDraft.witHeader, witClaims, signWit)
      return { wit, wpt: proofFor(wit) }
    },
    proofFor,
    async verdictOf({ wit, wpt }) {
      try {
        const { id } = await authenticator.authenticate({ wit, wpt, path: TARGET })
        return SUBJECTS.has(id) ? 'good' : `good, but for ${id}`
      } catch (error) {
        if (error instanceof AuthenticationError) return error.code
        throw error
      }
    },
    async joseAccepts({ wit, wpt }) {
      const common = { currentDate: new Date(NOON * 1000), clockTolerance: 0 }
      try {
        const { payload } = await jwtVerify(wit, await importJWK(issuerKey), {
          ...common,
          algorithms: [witAlgorithm],
          typ: 'wit+jwt',
          requiredClaims: ['exp', 'sub', 'cnf'],
        })
        const { jwk } = payload['cnf'] as { jwk: Parameters<typeof importJWK>[0] }
        await jwtVerify(wpt, await importJWK(jwk), {
          ...common,
          algorithms: [wptAlgorithm],
          typ: 'wpt+jwt',
          audience: AUDIENCE,
          requiredClaims: ['exp', 'jti', 'wth'],
        })
        return true
      } catch {
        return false
      }
    },
    isGood: (draft) => isGood(draft, goodDraft),
  }
}

const suites = new Map(
  ALGORITHMS.flatMap((wit) => ALGORITHMS.map((wpt) => [`${wit} ${wpt}`, createSuite(wit, wpt)] as const)),
)

/** The tokens of an issuer and of a workload with keys for these algorithms. */
export function suiteOf(wit: Algorithm, wpt: Algorithm): Suite {
  return suites.get(`${wit} ${wpt}`)!
}

/** Workloads of the trust domain, as they are spelled. */
export const SUBJECTS: ReadonlySet<unknown> = new Set([
  'wimse://example.com/caller',
  'wimse://example.com',
  'wimse://example.com/a/b%2Fc',
])

/** Spellings of the audience that mean this target. */
export const AUDIENCES: ReadonlySet<unknown> = new Set([
  AUDIENCE,
  `${ORIGIN.toUpperCase()}/stock`,
  `${ORIGIN}:443/stock?a#b`,
  `${ORIGIN}/%73tock`,
])

function isGood({ witHeader, witClaims, wptHeader, wptClaims }: Draft, good: Draft): boolean {
  if (![witHeader, witClaims, wptHeader, wptClaims].every((part) => isStrict(part, 0))) return false
  const { sub, cnf, exp, nbf } = present(witClaims)
  const proof = present(wptClaims)
  const aud = Array.isArray(proof['aud']) && proof['aud'].length === 1 ? proof['aud'][0] : proof['aud']
  return (
    isHeader(present(witHeader), 'wit+jwt', good.witHeader['alg']) &&
    [undefined, good.witHeader['kid']].includes(witHeader['kid']) &&
    SUBJECTS.has(sub) &&
    isDeepStrictEqual(cnf, good.witClaims['cnf']) &&
    isWithin(exp, 86_400) &&
    isPast(nbf) &&
    isHeader(present(wptHeader), 'wpt+jwt', good.wptHeader['alg']) &&
    ['undefined', 'string'].includes(typeof wptHeader['kid']) &&
    isWithin(proof['exp'], 300) &&
    isPast(proof['nbf']) &&
    typeof proof['jti'] === 'string' &&
    proof['jti'].length > 0 &&
    proof['jti'].length <= 256 &&
    AUDIENCES.has(aud) &&
    !('wth' in wptClaims) &&
    !('ath' in proof) &&
    !('tth' in proof) &&
    (proof['oth'] === undefined || isDeepStrictEqual(proof['oth'], {}))
  )
}

function present(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

function isHeader({ typ, alg, ...rest }: Members, expected: string, algorithm: unknown): boolean {
  const type = typeof typ === 'string' ? typ.toLowerCase() : ''
  return alg === algorithm && (type === expected || type === `application/${expected}`) && !('crit' in rest)
}

function isWithin(exp: unknown, seconds: number): boolean {
  return typeof exp === 'number' && exp > NOON && exp <= NOON + seconds
}

function isPast(nbf: unknown): boolean {
  return nbf === undefined || (typeof nbf === 'number' && nbf <= NOON)
}

/** What strict JSON lets through: no `__proto__`, no half characters, and a token itself at most 32 deep. */
function isStrict(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (depth === 32) return false
  return Object.entries(value).every(
    ([name, member]) => name !== '__proto__' && name.isWellFormed() && isStrict(member, depth + 1),
  )
}
