import { trimmed } from '../field-value.js'
import { encodeBase64url } from '../jws/base64url.js'
import type { JsonObject } from '../jws/strict-json.js'
import { isRequestTarget } from '../proof/audience.js'
import { REVISIONS } from '../revisions.js'
import type { CheckList } from './check-list.js'
import type { ReadPolicy } from './policy.js'
import type { Fields, ReadTokens } from './presented-fields.js'
import { checkSignature, type ExplainCrypto, latin1 } from './signature-check.js'
import type { ReadToken } from './token-shape.js'
import type { NamedKey } from './wit-checks.js'

/** What a proof is checked against. */
export interface ProofSurroundings {
  readonly tokens: ReadTokens
  readonly fields: Fields
  readonly target: string
  /** The key that the WIT names; null when it names none that can be used. */
  readonly confirmation: NamedKey | null
}

const LONGEST_JTI = 256
const LONGEST_AUDIENCE = 8192
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** Checks everything of a proof behind its shape, but whether it was used before. */
export async function checkProof(
  token: ReadToken,
  surroundings: ProofSurroundings,
  policy: ReadPolicy,
  crypto: ExplainCrypto,
  list: CheckList,
): Promise<void> {
  const { claims, algorithm, parts } = token
  const { confirmation, tokens, target } = surroundings
  const isConfirmed = algorithm !== null && confirmation?.names.includes(algorithm.name) === true
  if (algorithm !== null && confirmation !== null) {
    list.judge('proof.confirmed-algorithm', isConfirmed, {
      expected: confirmation.names,
      received: algorithm.name,
      reason: 'alg is not that of cnf.jwk',
    })
  }
  checkTimes(claims, policy, list)
  checkIdentifier(claims['jti'], list)
  checkAudience(claims['aud'], target, policy, list)
  const hashOf = async (text: string): Promise<string> => encodeBase64url(await crypto.sha256(latin1(text)))
  if (tokens.wit !== null) {
    const hash = await hashOf(tokens.wit)
    list.judge('proof.wit-hash', claims['wth'] === hash, {
      expected: hash,
      received: claims['wth'],
      reason: 'wth is not the hash of the WIT',
    })
  }
  await checkBoundTokens(claims, surroundings, policy, hashOf, list)
  if (isConfirmed) {
    await checkSignature('proof.signature', algorithm, confirmation.jwk, parts, crypto, list)
  }
}

function checkTimes(
  { exp, nbf }: JsonObject,
  { now, clockTolerance, maxProofLifetime }: ReadPolicy,
  list: CheckList,
): void {
  const hasExpiry = list.judge('proof.expiry-form', typeof exp === 'number', {
    expected: 'exp is a number',
    received: exp,
    instant: exp,
    reason: 'exp is not a number',
  })
  list.judge(
    'proof.not-before',
    nbf === undefined || (typeof nbf === 'number' && nbf <= now + clockTolerance),
    {
      expected: `nbf up to ${now + clockTolerance}`,
      received: nbf,
      instant: nbf,
      reason: 'nbf lies ahead',
    },
  )
  if (!hasExpiry) return
  const expiresAt = exp as number
  list.judge('proof.expiry', now < expiresAt + clockTolerance, {
    expected: `exp after ${now - clockTolerance}`,
    received: exp,
    instant: exp,
    reason: 'exp has passed',
  })
  const latest = now + maxProofLifetime + clockTolerance
  list.judge('proof.lifetime', expiresAt <= latest, {
    expected: `exp up to ${latest}`,
    received: exp,
    instant: exp,
    reason: 'exp lies too far ahead',
  })
}

function checkIdentifier(jti: unknown, list: CheckList): void {
  list.judge('proof.identifier', typeof jti === 'string' && jti !== '' && jti.length <= LONGEST_JTI, {
    expected: `a string of 1 to ${LONGEST_JTI} characters`,
    received: jti,
    reason: `jti is not a string of 1 to ${LONGEST_JTI} characters`,
  })
}

function checkAudience(aud: unknown, target: string, { audience }: ReadPolicy, list: CheckList): void {
  const single: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  const fits =
    typeof single === 'string' &&
    single.length <= LONGEST_AUDIENCE &&
    isRequestTarget(target) &&
    audience.matches(single, target)
  list.judge('proof.audience', fits, {
    expected: audience.expectedFor(target),
    received: aud,
    reason: 'aud is not the target of this request',
  })
}

type HashOf = (text: string) => Promise<string>

async function checkBoundTokens(
  claims: JsonObject,
  { tokens, fields }: ProofSurroundings,
  { otherTokens }: ReadPolicy,
  hashOf: HashOf,
  list: CheckList,
): Promise<void> {
  const { revision, accessToken, txnToken } = tokens
  if (REVISIONS[revision].accessToken) {
    await checkCovered('proof.access-token', 'ath', claims['ath'], accessToken, hashOf, list)
  } else {
    list.skip(['proof.access-token'], 'with the proof in Authorization there is no access token to cover')
  }
  await checkCovered('proof.txn-token', 'tth', claims['tth'], txnToken, hashOf, list)
  const fault = await faultOfOtherTokens(claims['oth'], fields, otherTokens, hashOf)
  list.judge('proof.other-tokens', fault === null, {
    expected: otherTokens.length === 0 ? 'each field that oth names, once' : otherTokens,
    received: namesIn(claims['oth']),
    reason: fault ?? '',
  })
}

async function checkCovered(
  id: 'proof.access-token' | 'proof.txn-token',
  claim: 'ath' | 'tth',
  received: unknown,
  token: string | undefined,
  hashOf: HashOf,
  list: CheckList,
): Promise<void> {
  const expected = token === undefined ? undefined : await hashOf(token)
  list.judge(id, received === expected, {
    expected: expected ?? `no ${claim}, since no such token came`,
    received,
    reason:
      token === undefined
        ? `${claim} is there and the token it covers is not`
        : `${claim} is not the hash of the token in the request`,
  })
}

async function faultOfOtherTokens(
  oth: unknown,
  fields: Fields,
  required: readonly string[],
  hashOf: HashOf,
): Promise<string | null> {
  if (oth !== undefined && (typeof oth !== 'object' || oth === null || Array.isArray(oth))) {
    return 'oth is not an object'
  }
  const hashes = Object.entries((oth ?? {}) as JsonObject)
  for (const [name, hash] of hashes) {
    const values = FIELD_NAME.test(name) ? fields(name) : []
    if (values.length !== 1) return `oth names ${name}, which is not there exactly once`
    if (hash !== (await hashOf(trimmed(values[0]!)))) return `the hash in oth is not that of ${name}`
  }
  const uncovered = required.find(
    (name) => fields(name).length > 0 && !hashes.some(([covered]) => covered === name),
  )
  return uncovered === undefined ? null : `oth does not cover ${uncovered}`
}

function namesIn(oth: unknown): unknown {
  return typeof oth === 'object' && oth !== null && !Array.isArray(oth) ? Object.keys(oth) : oth
}
