import { describe, expect, it } from 'vitest'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'
import { type Jwk, verdictOf } from './verdict.js'

interface Vectors {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}

interface Group {
  readonly comment: string
  readonly public?: Jwk
  readonly private?: Jwk
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

const verdict = ({ public: publicJwk, private: secret }: Group, { jws }: Vector): 'valid' | 'invalid' =>
  verdictOf([publicJwk ?? secret!], jws)

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
      if (reason === undefined) it(title, () => expect(verdict(group, vector)).toBe(result))
      else it(`${title}; not here, since ${reason}`, () => expect(verdict(group, vector)).not.toBe(result))
    }
  }

  it('has every vector whose verdict is another here', () => {
    const ids = new Set(testGroups.flatMap(({ tests }) => tests.map(({ tcId }) => String(tcId))))
    expect(Object.keys(DEVIATIONS).filter((id) => !ids.has(id))).toEqual([])
  })

  it('has two that we accept and it does not: one token, as it should be', () => {
    const accepted = testGroups.flatMap((group) =>
      group.tests.filter((vector) => vector.result === 'invalid' && verdict(group, vector) === 'valid'),
    )
    expect(accepted.map(({ tcId }) => tcId)).toEqual(ACCEPTED_ALL_THE_SAME)
    for (const { jws } of accepted) expect(jws).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(new Set(accepted.map(({ jws }) => jws)).size).toBe(1)
  })
})
