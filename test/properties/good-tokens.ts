import { isDeepStrictEqual } from 'node:util'
import { importJWK, jwtVerify } from 'jose'
import { type Authenticator, AuthenticationError, createAuthenticator } from 'wimse'
import { createTestIdentityServer, generateTestKeyPair } from 'wimse-testkit'
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

// Ed25519 under its old name: signatures are the same each time, so that a failure can be repeated.
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', algorithm: 'EdDSA' })
const key = generateTestKeyPair('EdDSA')
const { issuerKey } = identityServer
const [signWit, signWpt] = [by(issuerKey, 'EdDSA'), by(key.privateJwk, 'EdDSA')]

const TARGET = '/stock'
const AUDIENCE = ORIGIN + TARGET

/** Both tokens as they should be. */
export const goodDraft: Draft = {
  witHeader: { alg: 'EdDSA', kid: issuerKey.kid, typ: 'wit+jwt' },
  witClaims: { sub: 'wimse://example.com/caller', cnf: { jwk: key.publicJwk }, exp: NOON + 3600 },
  wptHeader: { alg: 'EdDSA', typ: 'wpt+jwt' },
  wptClaims: { aud: AUDIENCE, exp: NOON + 60, jti: 'a-proof' },
}

/** Signs a draft, both tokens with the keys they should be signed with. */
export function mint({ witHeader, witClaims, wptHeader, wptClaims }: Draft): Tokens {
  const wit = forge(witHeader, witClaims, signWit)
  return { wit, wpt: mintProof(wit, wptHeader, wptClaims) }
}

/** Signs a WIT whose claims are this text, and a good proof for it. */
export function mintText(witClaims: string): Tokens {
  const wit = forge(goodDraft.witHeader, witClaims, signWit)
  return { wit, wpt: mintProof(wit, goodDraft.wptHeader, goodDraft.wptClaims) }
}

function mintProof(wit: string, wptHeader: Members, wptClaims: Members): string {
  const wth = 'wth' in wptClaims ? {} : { wth: hashOf(wit) }
  return forge(wptHeader, { ...wptClaims, ...wth }, signWpt)
}

const authenticator: Authenticator = createAuthenticator({
  audience: ORIGIN,
  trustDomains: identityServer.trustDomains,
  replay: false,
  clockTolerance: 0,
  now: () => NOON,
})

/** What we say of two tokens: `good`, or the code of the refusal. Anything else that is thrown stays thrown. */
export async function verdictOf({ wit, wpt }: Tokens): Promise<string> {
  try {
    const { id } = await authenticator.authenticate({ wit, wpt, path: TARGET })
    return SUBJECTS.has(id) ? 'good' : `good, but for ${id}`
  } catch (error) {
    if (error instanceof AuthenticationError) return error.code
    throw error
  }
}

/** What jose says of the same two tokens, under the same constraints as far as it knows them. */
export async function joseAccepts({ wit, wpt }: Tokens): Promise<boolean> {
  const common = { algorithms: ['EdDSA'], currentDate: new Date(NOON * 1000), clockTolerance: 0 }
  try {
    const { payload } = await jwtVerify(wit, await importJWK(identityServer.jwks.keys[0]!), {
      ...common,
      typ: 'wit+jwt',
      requiredClaims: ['exp', 'sub', 'cnf'],
    })
    const { jwk } = payload['cnf'] as { jwk: Parameters<typeof importJWK>[0] }
    await jwtVerify(wpt, await importJWK(jwk), {
      ...common,
      typ: 'wpt+jwt',
      audience: AUDIENCE,
      requiredClaims: ['exp', 'jti', 'wth'],
    })
    return true
  } catch {
    return false
  }
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

/**
 * Whether a draft is good, told from the specifications and not from the code: the oracle for drafts that
 * were edited and signed again. Knows as good only those subjects and audiences that are listed.
 */
export function isGood({ witHeader, witClaims, wptHeader, wptClaims }: Draft): boolean {
  if (![witHeader, witClaims, wptHeader, wptClaims].every((part) => isStrict(part, 0))) return false
  const { sub, cnf, exp, nbf } = present(witClaims)
  const proof = present(wptClaims)
  const aud = Array.isArray(proof['aud']) && proof['aud'].length === 1 ? proof['aud'][0] : proof['aud']
  return (
    isHeader(present(witHeader), 'wit+jwt') &&
    [undefined, issuerKey.kid].includes(witHeader['kid'] as string) &&
    SUBJECTS.has(sub) &&
    isDeepStrictEqual(cnf, goodDraft.witClaims['cnf']) &&
    isWithin(exp, 86_400) &&
    isPast(nbf) &&
    isHeader(present(wptHeader), 'wpt+jwt') &&
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

function isHeader({ typ, alg, ...rest }: Members, expected: string): boolean {
  const type = typeof typ === 'string' ? typ.toLowerCase() : ''
  return alg === 'EdDSA' && (type === expected || type === `application/${expected}`) && !('crit' in rest)
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
