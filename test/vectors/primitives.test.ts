import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { makeSignature, verifySignature } from '../../packages/core/src/crypto/signature.js'
import { tokenHash } from '../../packages/core/src/crypto/token-hash.js'
import { ALGORITHM_NAMES, ALGORITHMS } from '../../packages/core/src/jws/algorithms.js'
import { decodeBase64url } from '../../packages/core/src/jws/base64url.js'
import { parseCompactJws } from '../../packages/core/src/jws/compact-jws.js'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

type Row =
  | { readonly id: string; readonly source: string; readonly input: string; readonly expected: string }
  | {
      readonly id: string
      readonly source: string
      readonly jwk: JsonWebKey
      readonly jws: string
      readonly reproduced?: boolean
    }

const rows = readVectors<Row[]>('primitives.json', [])
const everyAlgorithm = new Set<string>(ALGORITHM_NAMES)

describe.skipIf(sharedVectors === null)('primitives.json (WPT-10 to WPT-13, BCP-04, BCP-11)', () => {
  it('has the rows we know', () => expect(rows).toHaveLength(6))
  for (const row of rows) {
    if ('input' in row) {
      it(`${row.id}: hashes as ${row.source}`, () => expect(tokenHash(row.input)).toBe(row.expected))
      continue
    }
    const [header, payload, signature] = row.jws.split('.') as [string, string, string]
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg: string }
    const algorithm = ALGORITHMS.get(alg)!
    const signingInput = `${header}.${payload}`
    it(`${row.id}: verifies ${row.source}`, () => {
      const key = createPublicKey({ key: row.jwk, format: 'jwk' })
      const bytes = decodeBase64url(signature)!
      expect(verifySignature(algorithm, key, signingInput, bytes)).toBe(true)
      expect(verifySignature(algorithm, key, `${signingInput}A`, bytes)).toBe(false)
    })
    it(`${row.id}: is refused as a WIT and as a proof`, () => {
      for (const typ of ['wit+jwt', 'wpt+jwt']) {
        expect(() => parseCompactJws(row.jws, { typ, algorithms: everyAlgorithm })).toThrow()
      }
    })
    if (row.reproduced) {
      it(`${row.id}: signs it byte for byte`, () => {
        const key = createPrivateKey({ key: row.jwk, format: 'jwk' })
        expect(makeSignature(algorithm, key, signingInput)).toBe(signature)
      })
    }
  }
})
