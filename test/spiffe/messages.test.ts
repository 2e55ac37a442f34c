import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  MessageRefused,
  readWitBundles,
  readWitSvids,
  writeWitSvidRequest,
} from '../../packages/spiffe/src/messages.js'
import { message } from './workload-api-server.js'

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const some = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const readers = [readWitSvids, readWitBundles]

describe('messages of the Workload API', () => {
  it('are read as another implementation writes them: identities', () => {
    const svid = fc.record({ spiffeId: some, witSvid: some, witSvidKey: some, hint: text })
    fc.assert(
      fc.property(fc.array(svid, { maxLength: 4 }), (svids) => {
        const bytes = message('WITSVIDResponse').encode({ svids }).finish()
        expect(readWitSvids(bytes)).toEqual(
          svids.map(({ spiffeId, witSvid, witSvidKey, hint }) => ({
            spiffeId,
            wit: witSvid,
            key: witSvidKey,
            hint,
          })),
        )
      }),
    )
  })

  it('are read as another implementation writes them: bundles', () => {
    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 4 }), (bundles) => {
        const bytes = message('WITBundlesResponse').encode({ bundles }).finish()
        expect(Object.fromEntries(readWitBundles(bytes))).toEqual({ ...bundles })
      }),
    )
  })

  it('are written as another implementation reads them', () => {
    for (const spiffeId of ['', 'spiffe://example.org/a']) {
      const read = message('WITSVIDRequest').decode(writeWitSvidRequest(spiffeId))
      expect(read.toJSON()).toEqual(spiffeId === '' ? {} : { spiffeId })
    }
  })

  it('of which an identity has fields twice count with the last', () => {
    const once = message('WITSVID').encode({ spiffeId: 'a', witSvid: 'b', witSvidKey: 'c' }).finish()
    const again = message('WITSVID').encode({ witSvid: 'd' }).finish()
    const svid = Buffer.concat([once, again])
    expect(readWitSvids(Buffer.concat([Buffer.from([0x0a, svid.length]), svid]))).toEqual([
      { spiffeId: 'a', wit: 'd', key: 'c', hint: '' },
    ])
  })

  it('are refused, and nothing else happens, whatever bytes they are', () => {
    let refused = 0
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const read of readers) {
          try {
            read(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(MessageRefused)
            refused++
          }
        }
      }),
      { numRuns: 2000 },
    )
    expect(refused).toBeGreaterThan(1000)
  })

  it('are refused with a text that is not UTF-8, wherever it is, and taken with the same in UTF-8', () => {
    const svid = { spiffeId: 'AAA', witSvid: 'BBB', witSvidKey: 'CCC', hint: 'DDD' }
    const svids = Buffer.from(
      message('WITSVIDResponse')
        .encode({ svids: [svid] })
        .finish(),
    )
    const bundles = Buffer.from(
      message('WITBundlesResponse')
        .encode({ bundles: { EEE: 'FFF' } })
        .finish(),
    )
    for (const [read, good, texts] of [
      [readWitSvids, svids, ['AAA', 'BBB', 'CCC', 'DDD']],
      [readWitBundles, bundles, ['EEE', 'FFF']],
    ] as const) {
      for (const text of texts) {
        // The euro sign has three bytes, and is none without its last.
        const [whole, half] = [Buffer.from(good), Buffer.from(good)]
        whole.set([0xe2, 0x82, 0xac], whole.indexOf(text))
        half.set([0xe2, 0x82, 0x41], half.indexOf(text))
        expect(JSON.stringify([...read(whole)])).toContain('€')
        expect(() => read(half)).toThrow(MessageRefused)
      }
    }
  })

  it('are refused when cut off anywhere but before a field', () => {
    const svid = { spiffeId: 'spiffe://example.org/a', witSvid: 'wit', witSvidKey: 'key', hint: 'hint' }
    const bytes = message('WITSVIDResponse')
      .encode({ svids: [svid] })
      .finish()
    expect(readWitSvids(bytes)).toHaveLength(1)
    for (let length = 1; length < bytes.length; length++) {
      expect(() => readWitSvids(bytes.subarray(0, length))).toThrow(MessageRefused)
    }
  })

  for (const [what, bytes] of [
    ['a field with the number 0', [0x02, 0]],
    ['a kind of field that there is not', [0x0f, 0]],
    ['a length beyond its end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a length without end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['groups without end', Array.from({ length: 50_000 }, () => 0x7b)],
    ['an end without its group', [0x7c]],
  ] as const) {
    it(`are refused with ${what}`, () => {
      for (const read of readers) expect(() => read(Buffer.from(bytes))).toThrow(MessageRefused)
    })
  }
})
