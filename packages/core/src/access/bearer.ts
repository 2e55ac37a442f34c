import { errors, jwtVerify } from 'jose'
import { beforeDeadline } from '../deadline.js'
import { AuthenticationError, UnavailableError } from '../errors.js'
import { readWorkloadIdentifier } from '../identity/workload-identifier.js'
import type { Workload } from '../identity/workload.js'
import { JwsRefused, splitCompactJws } from '../jws/compact-jws.js'
import { type JsonObject, parseJsonObject } from '../jws/strict-json.js'
import { selectTrustKey, type TrustKey } from '../trust/trust-bundle.js'
import {
  type BearerContext,
  type BearerOptions,
  type BearerEntry,
  readBearerOptions,
} from './bearer-options.js'

/** Finds out whom a bearer token names. */
export interface BearerVerifier {
  /**
   * Establishes whom a bearer token names: its issuer says so, or the operator's function.
   *
   * This does NOT show that the token was sent by that workload: whoever has seen it can send it.
   *
   * @param now epoch seconds
   * @throws AuthenticationError `WIMSE_BEARER_INVALID`
   * @throws UnavailableError `WIMSE_TRUST_UNAVAILABLE` when keys, or the operator's function, give no answer
   */
  verify(token: string, now: number): Promise<Workload>
  /** Settles once the keys of every issuer are there. Rejects after five seconds. */
  ready(): Promise<void>
  /** Whether the keys of every issuer are there now. Never rejects. */
  haveKeys(): Promise<boolean>
  /** Lets go of what the key sources hold. */
  close(): Promise<void>
}

/** Milliseconds an operator's function may take. */
const LONGEST_ANSWER_MS = 30_000
const LONGEST_WARM_UP_MS = 5000

// RFC 6750 section 2.1.
const BEARER_TOKEN = /^[\w.~+/-]+=*$/

/**
 * Makes a verifier of bearer tokens.
 *
 * @throws TypeError naming the option that is wrong
 */
export function createBearerVerifier(
  options: BearerOptions | readonly BearerOptions[],
  context: BearerContext,
): BearerVerifier {
  const entries = readBearerOptions(options, context)

  async function verify(token: string, now: number): Promise<Workload> {
    if (!BEARER_TOKEN.test(token)) throw refuse('the bearer token is not one by its characters')
    const jwt = readJwt(token)
    // Another reader may forgive what ours does not: a JWT in any spelling is never one for a function.
    if (jwt === null && looksLikeJwt(token)) throw refuse('the token is a JWT, and not in strict form')
    // Before anyone is asked: a token that is bound to a key is not one to be carried by just anybody.
    if (jwt !== null && isWit(jwt.header)) throw refuse('a WIT is not a bearer token')
    if (jwt !== null && 'cnf' in jwt.claims) throw refuse('the JWT is bound to a key that nobody has shown')
    const byIssuer = jwt === null ? [] : entries.filter((entry) => isIssuedFor(entry, jwt.claims))
    const asked = byIssuer.length > 0 ? byIssuer : entries.filter(({ kind }) => kind === 'opaque')
    let refusal = refuse('no entry of the option bearer is for this token', undefined, jwt?.claims['iss'])
    for (const entry of asked) {
      try {
        return await identify(entry, token, now)
      } catch (error) {
        if (!(error instanceof AuthenticationError)) throw error
        refusal = error
      }
    }
    throw refusal
  }

  async function identify(entry: BearerEntry, token: string, now: number): Promise<Workload> {
    const claims = entry.kind === 'jwt' ? await verifyJwt(entry, token, now) : {}
    const named = await askOperator(async () =>
      entry.kind === 'jwt' ? entry.identify(claims) : entry.verify(token),
    )
    const identifier = readWorkloadIdentifier(named)
    if (identifier === null) throw refuse('the token names no workload')
    if (!entry.trustDomains.has(identifier.trustDomain)) {
      throw refuse(
        'the issuer may not name this trust domain',
        [...entry.trustDomains],
        identifier.trustDomain,
      )
    }
    const expiresAt = claims['exp']
    return Object.freeze({
      ...identifier,
      via: 'bearer',
      revision: null,
      claims: freezeDeep(claims),
      keyThumbprint: null,
      expiresAt: typeof expiresAt === 'number' ? expiresAt : now,
      boundTokens: Object.freeze({ accessToken: false, txnToken: false, otherTokens: Object.freeze([]) }),
    })
  }

  const sources = entries.flatMap((entry) => (entry.kind === 'jwt' ? [entry.source] : []))
  return {
    verify,
    ready: async () => {
      await beforeDeadline(Promise.all(sources.map(async (source) => source.ready?.())), LONGEST_WARM_UP_MS)
    },
    haveKeys: async () => {
      try {
        await Promise.all(sources.map(async (source) => source.bundleFor('bearer')))
        return true
      } catch {
        return false
      }
    },
    close: async () => {
      await Promise.all(sources.map(async (source) => source.close?.()))
    },
  }
}

/** Whether a token, by its own word, is one for this entry to check. */
function isIssuedFor(entry: BearerEntry, { iss, sub }: JsonObject): boolean {
  if (entry.kind !== 'jwt') return false
  if (entry.issuer !== null) return entry.issuer === iss
  const subject = readWorkloadIdentifier(sub)
  return subject !== null && entry.trustDomains.has(subject.trustDomain)
}

type JwtEntry = Extract<BearerEntry, { kind: 'jwt' }>

async function verifyJwt(entry: JwtEntry, token: string, now: number): Promise<JsonObject> {
  const { header } = readJwt(token)!
  const key = await findKey(entry, header)
  if (key === null) throw refuse('no single key of the issuer fits the token', undefined, header['kid'])
  try {
    const { payload } = await jwtVerify(token, key.key, {
      ...(entry.issuer === null ? {} : { issuer: entry.issuer }),
      audience: [...entry.audience],
      algorithms: [...entry.algorithms],
      clockTolerance: entry.clockTolerance,
      currentDate: dateOf(now),
      requiredClaims: ['exp', 'aud'],
      ...(entry.typ === undefined ? {} : { typ: entry.typ }),
    })
    return payload
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    throw refuse(`the JWT is refused: ${error.code}`)
  }
}

/** Beyond what a date can hold nothing can be told. */
function dateOf(now: number): Date {
  const date = new Date(now * 1000)
  if (Number.isFinite(date.getTime())) return date
  throw new UnavailableError('WIMSE_TRUST_UNAVAILABLE', { reason: 'the clock gives no date' })
}

async function findKey(entry: JwtEntry, { kid, alg }: JsonObject): Promise<TrustKey | null> {
  const algorithm = [...entry.algorithms].find((name) => name === alg)
  if (algorithm === undefined)
    throw refuse('alg is not one of the accepted algorithms', [...entry.algorithms], alg)
  if (kid !== undefined && typeof kid !== 'string') throw refuse('kid is not a string')
  const { source, issuer } = entry
  const name = issuer ?? 'bearer'
  const key = selectTrustKey(await ask(async () => source.bundleFor(name)), kid, algorithm)
  if (key !== null || source.refreshedFor === undefined) return key
  return selectTrustKey(await ask(async () => source.refreshedFor!(name)), kid, algorithm)
}

async function ask<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await beforeDeadline(question(), LONGEST_ANSWER_MS)
  } catch (cause) {
    throw new UnavailableError('WIMSE_TRUST_UNAVAILABLE', {
      reason: 'bearer tokens cannot be checked',
      cause,
    })
  }
}

/**
 * Asks a function of the operator's that has the token in hand. What it throws is told by its type alone: an
 * error of an HTTP client has the request in it, and the token in that.
 */
async function askOperator<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await beforeDeadline(question(), LONGEST_ANSWER_MS)
  } catch (error) {
    throw new UnavailableError('WIMSE_TRUST_UNAVAILABLE', {
      reason: 'the function that names the owner of a bearer token failed',
      received: error instanceof Error ? error.name : typeof error,
    })
  }
}

interface ReadJwt {
  readonly header: JsonObject
  readonly claims: JsonObject
}

/** Reads a token that is a JWT in strict form; null for any other, which is opaque to us. */
function readJwt(token: string): ReadJwt | null {
  try {
    const { header, payload } = splitCompactJws(token)
    const claims = parseJsonObject(payload)
    return claims === null ? null : { header, claims }
  } catch (error) {
    if (error instanceof JwsRefused) return null
    throw error
  }
}

/** Begins with JSON, however it is spelled and however many parts follow. Encrypted ones are opaque to us. */
function looksLikeJwt(token: string): boolean {
  const parts = token.split('.')
  const header = Buffer.from(parts.find((part) => part !== '') ?? '', 'base64url').toString('latin1')
  const isEncrypted = parts.length === 5 && /"enc"\s*:/.test(header)
  return parts.length > 1 && /^\s*\{/.test(header) && !isEncrypted
}

function isWit({ typ }: JsonObject): boolean {
  return typeof typ === 'string' && /^(?:application\/)?w[ip]t\+jwt$/i.test(typ)
}

function refuse(reason: string, expected?: unknown, received?: unknown): AuthenticationError {
  const challenges = [`Bearer realm="${REALM}", error="invalid_token"`]
  return new AuthenticationError('WIMSE_BEARER_INVALID', { reason, expected, received, challenges })
}

/** What bearer tokens are for here. */
export const REALM = 'workloads'

function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const member of Object.values(Object.freeze(value))) freezeDeep(member)
  }
  return value
}
