import { describe, expect, it } from 'vitest'
import { createAudienceMatcher, isRequestTarget } from '../../packages/core/src/proof/audience.js'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

interface Row {
  readonly requestTarget: string
  readonly configuredAuthorities: readonly string[]
  readonly aud: string
  readonly match: boolean
  readonly why: string
}

const { rows } = readVectors<{ rows: Row[] }>('audience-matching.json', { rows: [] })

describe.skipIf(sharedVectors === null)(
  'audience-matching.json (WPT-18, WPT-23, WPT-24, URI-01 to URI-06)',
  () => {
    it('has the rows we know', () => expect(rows).toHaveLength(22))
    for (const { requestTarget, configuredAuthorities, aud, match, why } of rows) {
      it(`${match ? 'accepts' : 'refuses'} ${why}: ${aud} at ${requestTarget}`, () => {
        const audience = createAudienceMatcher(configuredAuthorities)
        expect(isRequestTarget(requestTarget) && audience.matches(aud, requestTarget)).toBe(match)
      })
    }
  },
)
