import { parseWorkloadIdentifier } from 'wimse'
import { describe, expect, it } from 'vitest'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

const { rows } = readVectors<{ rows: { identifier: string; valid: boolean }[] }>('identifiers.json', {
  rows: [],
})

describe.skipIf(sharedVectors === null)('identifiers.json (ID-01 to ID-04, ID-11, ID-12, WIT-26)', () => {
  it('has the rows we know', () => expect(rows).toHaveLength(19))
  for (const { identifier, valid } of rows) {
    it(`${valid ? 'reads' : 'refuses'} ${identifier || 'nothing'}`, () => {
      if (valid) expect(parseWorkloadIdentifier(identifier).id).toBe(identifier)
      else expect(() => parseWorkloadIdentifier(identifier)).toThrow(TypeError)
    })
  }
})
