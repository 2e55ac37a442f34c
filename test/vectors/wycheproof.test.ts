import { describe, expect, it } from 'vitest'
import { readTrustBundle } from 'wimse'
import { importSecret, verifyMac } from '../../packages/core/src/crypto/mac.js'
import { verifySignature } from '../../packages/core/src/crypto/signature.js'
import { ALGORITHMS } from '../../packages/core/src/jws/algorithms.js'
import { JwsRefused, refuseCritical, splitCompactJws } from '../../packages/core/src/jws/compact-jws.js'
import { readSymmetricJwk } from '../../packages/core/src/jws/symmetric-jwk.js'
import { selectTrustKey } from '../../packages/core/src/trust/trust-bundle.js'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

interface Vectors {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}

interface Group {
  readonly comment: string
  readonly public?: Readonly<Record<string, unknown>>
  readonly private?: Readonly<Record<string, unknown>>
  readonly tests: readonly Vector[]
}

interface Vector {
  readonly tcId: number
  readonly comment: string
  /** A string, or an object in JSON serialization. */
  readonly jws: unknown
  readonly result: 'valid' | 'invalid'
}

const { numberOfTests, testGroups } = readVectors<Vectors>('wycheproof/json_web_signature_test.json', {
  numberOfTests: 0,
  testGroups: [],
})

/** Where our verdict is another than that of the vectors, and why. */
const DEVIATIONS: Readonly<Record<number, string>> = {
  ...fromEntries(
    [259, 264, 268, 272, 320, 325],
    'an empty payload is refused: a detached one looks the same',
  ),
  ...fromEntries([346, 350], 'the key says PS256 and the token PS384: a key has one algorithm'),
  ...fromEntries([347, 351], 'the key says ES521, which is no algorithm'),
  ...fromEntries([367, 370], 'the padding it is named after is not in the file: the token is a good one'),
  ...fromEntries([372, 373], 'a question mark is not in the alphabet of base64url'),
}

/** Vectors that we accept and whose result is `invalid`; each has to be looked into. */
const ACCEPTED_ALL_THE_SAME = [367, 370]

function fromEntries(ids: readonly number[], reason: string): Record<number, string> {
  return Object.fromEntries(ids.map((id) => [id, reason]))
}

/** Our verdict, on the road that a token takes: split, no extension, the one key of a set, its one algorithm. */
function verdictOf({ public: publicJwk, private: secret }: Group, { jws }: Vector): 'valid' | 'invalid' {
  if (typeof jws !== 'string') return 'invalid'
  try {
    const { header, kid, signingInput, signature } = splitCompactJws(jws)
    refuseCritical(header)
    if (publicJwk === undefined) {
      const read = readSymmetricJwk(secret!)
      if (typeof read === 'string' || header['alg'] !== read.algorithm.name) return 'invalid'
      const holds = verifyMac(read.algorithm, importSecret(read.secret), signingInput, signature)
      return holds ? 'valid' : 'invalid'
    }
    const algorithm = ALGORITHMS.get(header['alg'] as string)
    if (algorithm === undefined) return 'invalid'
    const key = selectTrustKey(readTrustBundle({ keys: [publicJwk] }), kid, algorithm.name)
    return key !== null && verifySignature(algorithm, key.key, signingInput, signature) ? 'valid' : 'invalid'
  } catch (error) {
    // Of a set none of whose keys can be used.
    if (error instanceof JwsRefused || error instanceof TypeError) return 'invalid'
    throw error
  }
}

describe.skipIf(sharedVectors === null)('wycheproof/json_web_signature_test.json (WIT-25, BCP-04)', () => {
  it('has the vectors we know', () => {
    expect(numberOfTests).toBe(401)
    expect(testGroups.flatMap(({ tests }) => tests)).toHaveLength(401)
  })

  for (const group of testGroups) {
    for (const vector of group.tests) {
      const { tcId, comment, result } = vector
      const reason = DEVIATIONS[tcId]
      const title = `${tcId}, ${group.comment}, ${comment}: ${result}`
      if (reason === undefined) it(title, () => expect(verdictOf(group, vector)).toBe(result))
      else it(`${title}; not here, since ${reason}`, () => expect(verdictOf(group, vector)).not.toBe(result))
    }
  }

  it('has every vector whose verdict is another here', () => {
    const ids = new Set(testGroups.flatMap(({ tests }) => tests.map(({ tcId }) => String(tcId))))
    expect(Object.keys(DEVIATIONS).filter((id) => !ids.has(id))).toEqual([])
  })

  it('has two that we accept and it does not: one token, as it should be', () => {
    const accepted = testGroups.flatMap((group) =>
      group.tests.filter((vector) => vector.result === 'invalid' && verdictOf(group, vector) === 'valid'),
    )
    expect(accepted.map(({ tcId }) => tcId)).toEqual(ACCEPTED_ALL_THE_SAME)
    for (const { jws } of accepted) expect(jws).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(new Set(accepted.map(({ jws }) => jws)).size).toBe(1)
  })
})
