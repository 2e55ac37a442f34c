import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { AuthenticationError } from 'wimse'
import { verifyProof, type VerifiedProof } from '../../packages/core/src/proof/wpt.js'

const NOW = 1_800_000_000
const HASH = 'the hash of the WIT'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

type Arguments = Parameters<typeof verifyProof>
interface Change {
  readonly header?: object
  readonly claims?: object
  readonly context?: Partial<Arguments[2]>
  readonly rules?: Partial<Arguments[3]>
  readonly verify?: Arguments[5]
}

/** Verifies a good proof in which one thing was changed; no key takes part. */
function verified({ header, claims, context, rules, verify = () => true }: Change = {}): VerifiedProof {
  const token = [
    encode({ alg: 'ES256', typ: 'wpt+jwt', ...header }),
    encode({ aud: 'https://shop.example/a', exp: NOW + 60, jti: 'one', wth: HASH, ...claims }),
    'AA',
  ].join('.')
  const wit = {
    hash: HASH,
    subject: { id: 'wimse://example.com/checkout' },
    confirmation: { key: 'a key', algorithm: { name: 'ES256' }, names: ['ES256'] },
  } as unknown as Arguments[1]
  return verifyProof(
    token,
    wit,
    {
      revision: 'wpt-01',
      target: '/a',
      accessToken: undefined,
      txnToken: undefined,
      header: () => [],
      ...context,
    },
    {
      algorithms: new Set(['ES256', 'EdDSA']),
      audience: {
        matches: (aud) => aud.startsWith('https://shop.example/a'),
        expectedFor: () => ['this one'],
      },
      clockTolerance: 5,
      maxProofLifetime: 300,
      otherTokens: [],
      ...rules,
    },
    NOW,
    verify,
  ) as VerifiedProof
}

function refusalOf(change: Change): AuthenticationError {
  try {
    verified(change)
  } catch (error) {
    if (error instanceof AuthenticationError) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('verifyProof()', () => {
  it('says what a proof is good for', () => {
    expect(verified()).toEqual({
      jti: 'one',
      expiresAt: NOW + 60,
      boundTokens: { accessToken: false, txnToken: false, otherTokens: [] },
    })
    const bound = verified({
      claims: { ath: hashOf('access'), tth: hashOf('txn'), oth: { 'x-token': hashOf('other') } },
      context: {
        accessToken: 'access',
        txnToken: 'txn',
        header: (name) => (name === 'x-token' ? [' other '] : []),
      },
    })
    expect(bound.boundTokens).toEqual({ accessToken: true, txnToken: true, otherTokens: ['x-token'] })
    expect(Object.isFrozen(bound.boundTokens)).toBe(true)
  })

  const edges: readonly (readonly [what: string, change: Change])[] = [
    ['an end as near as clocks may differ (WPT-15)', { claims: { exp: NOW - 5 + 0.001 } }],
    ['an end as far ahead as a proof may live', { claims: { exp: NOW + 300 + 5 } }],
    ['a start as far ahead as clocks may differ', { claims: { nbf: NOW + 5 } }],
    ['an identifier of 256 characters', { claims: { jti: 'j'.repeat(256) } }],
    ['an audience of 8192 characters', { claims: { aud: 'https://shop.example/a'.padEnd(8192, 'a') } }],
    ['a list of one audience', { claims: { aud: ['https://shop.example/a'] } }],
    ['no field that has to be covered', { rules: { otherTokens: ['session'] } }],
    ['no other tokens', { claims: { oth: {} } }],
  ]
  for (const [what, change] of edges) {
    it(`takes ${what}`, () => expect(verified(change)).toMatchObject({ boundTokens: {} }))
  }

  const refusals: readonly (readonly [
    what: string,
    change: Change,
    code: string,
    diagnostics: Partial<AuthenticationError['diagnostics']>,
  ])[] = [
    [
      'another algorithm than the key’s',
      { header: { alg: 'EdDSA' } },
      'WIMSE_WPT_ALGORITHM',
      { expected: 'ES256', received: 'EdDSA' },
    ],
    ['another type', { header: { typ: 'jwt' } }, 'WIMSE_WPT_TYPE', { received: 'jwt' }],
    ['no end', { claims: { exp: '1' } }, 'WIMSE_WPT_LIFETIME', { received: '1' }],
    [
      'an end that has passed',
      { claims: { exp: NOW - 5 } },
      'WIMSE_WPT_EXPIRED',
      { expected: `exp after ${NOW - 5}`, received: `${NOW - 5}` },
    ],
    [
      'an end too far ahead',
      { claims: { exp: NOW + 306 } },
      'WIMSE_WPT_LIFETIME',
      { expected: `exp up to ${NOW + 305}`, received: `${NOW + 306}` },
    ],
    [
      'a start that lies ahead',
      { claims: { nbf: NOW + 5.001 } },
      'WIMSE_WPT_NOT_YET_VALID',
      { expected: `nbf up to ${NOW + 5}`, received: `${NOW + 5.001}` },
    ],
    ['a start that is text', { claims: { nbf: '0' } }, 'WIMSE_WPT_NOT_YET_VALID', { received: '0' }],
    ['an identifier of 257 characters', { claims: { jti: 'j'.repeat(257) } }, 'WIMSE_WPT_JTI', {}],
    ['an identifier that is a list', { claims: { jti: ['one'] } }, 'WIMSE_WPT_JTI', {}],
    [
      'an empty identifier',
      { claims: { jti: '' } },
      'WIMSE_WPT_JTI',
      { reason: 'jti is not a string of 1 to 256 characters' },
    ],
    [
      'an audience of 8193 characters',
      { claims: { aud: 'https://shop.example/a'.padEnd(8193, 'a') } },
      'WIMSE_WPT_AUDIENCE',
      {},
    ],
    [
      'many audiences',
      { claims: { aud: ['a', 'b', 'c', 'd', 'e', 'f'] } },
      'WIMSE_WPT_AUDIENCE',
      { expected: 'this one', received: 'a, b, c, d' },
    ],
    [
      'two audiences, of which the first is right',
      { claims: { aud: ['https://shop.example/a', 'https://b.example/a'] } },
      'WIMSE_WPT_AUDIENCE',
      {},
    ],
    ['another WIT', { claims: { wth: 'x' } }, 'WIMSE_WPT_WIT_HASH', { expected: HASH, received: 'x' }],
    [
      'a hash without its access token',
      { claims: { ath: hashOf('a') } },
      'WIMSE_WPT_ACCESS_TOKEN_HASH',
      { reason: 'ath is there and the token it covers is not' },
    ],
    [
      'an access token without its hash',
      { context: { accessToken: 'a' } },
      'WIMSE_WPT_ACCESS_TOKEN_HASH',
      { reason: 'ath is not the hash of the token in the request' },
    ],
    [
      'a hash without its transaction token',
      { claims: { tth: hashOf('a') } },
      'WIMSE_WPT_TXN_TOKEN_HASH',
      { reason: 'tth is there and the token it covers is not' },
    ],
    [
      'a transaction token with the hash of another',
      { claims: { tth: hashOf('a') }, context: { txnToken: 'b' } },
      'WIMSE_WPT_TXN_TOKEN_HASH',
      { reason: 'tth is not the hash of the token in the request' },
    ],
    ...[42, 'text', true, null, []].map(
      (oth) =>
        [
          `oth that is ${JSON.stringify(oth)}`,
          { claims: { oth } },
          'WIMSE_WPT_OTHER_TOKEN_HASH',
          { reason: 'oth is not an object' },
        ] as const,
    ),
    // Whatever the application would find under such a name, nothing is asked for by it.
    ...['Session', 'ses sion', 'session\n', ' session', 'session:', ''].map(
      (name) =>
        [
          `oth that names ${JSON.stringify(name)}`,
          { claims: { oth: { [name]: hashOf('x') } }, context: { header: () => ['x'] } },
          'WIMSE_WPT_OTHER_TOKEN_HASH',
          { expected: '1', received: '0' },
        ] as const,
    ),
    [
      'oth that names a field that came twice',
      { claims: { oth: { session: hashOf('x') } }, context: { header: () => ['x', 'x'] } },
      'WIMSE_WPT_OTHER_TOKEN_HASH',
      { expected: '1', received: '2' },
    ],
    [
      'oth that has the hash of another token',
      { claims: { oth: { session: hashOf('y') } }, context: { header: () => ['x'] } },
      'WIMSE_WPT_OTHER_TOKEN_HASH',
      { received: 'session' },
    ],
    [
      'oth that leaves out a field that carries a token here',
      {
        claims: { oth: { session: hashOf('x') } },
        context: { header: () => ['x'] },
        rules: { otherTokens: ['session', 'x-api-key'] },
      },
      'WIMSE_WPT_OTHER_TOKEN_HASH',
      { expected: 'x-api-key' },
    ],
    ['a signature by another key', { verify: () => false }, 'WIMSE_WPT_SIGNATURE', {}],
  ]
  for (const [what, change, code, diagnostics] of refusals) {
    it(`refuses ${what}: ${code}`, () => {
      expect(verified()).toBeDefined()
      const { code: actual, diagnostics: found, statusCode, challenges } = refusalOf(change)
      expect({ code: actual, statusCode, challenges }).toEqual({ code, statusCode: 400, challenges: [] })
      expect(found).toMatchObject({ stage: 'proof', reason: expect.any(String) as string, ...diagnostics })
    })
  }

  it('asks for another proof where the carriage has a challenge for that', () => {
    const { statusCode, challenges } = refusalOf({
      claims: { exp: NOW - 60 },
      context: { revision: 'wpt-02' },
    })
    expect(statusCode).toBe(401)
    expect(challenges).toEqual([expect.stringMatching(/^WPT/)])
  })

  it('takes nothing that goes wrong on our side for a fault of the proof', () => {
    const defect = new RangeError('a defect')
    const algorithms = {
      has: () => {
        throw defect
      },
    } as unknown as Set<string>
    expect(() => verified({ rules: { algorithms } })).toThrow(defect)
  })

  it('waits for a signature that takes its time', async () => {
    const verify = async (): Promise<boolean> => Promise.resolve(true)
    await expect(verified({ verify })).resolves.toMatchObject({ jti: 'one' })
    await expect(verified({ verify: async () => Promise.resolve(false) })).rejects.toMatchObject({
      code: 'WIMSE_WPT_SIGNATURE',
    })
  })
})
