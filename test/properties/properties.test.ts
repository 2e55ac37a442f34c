import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fc } from '../core/property.js'
import { printingProperties, type Property, tokenProperties, wireProperty } from './properties.js'
import { startWireService, type WireService } from './wire-service.js'

const SECONDS_EACH = 4

/** Looks for an exception for some seconds; a failure prints the seed and the path to it. */
async function look({ property, reached }: Property, leastOfEach: number): Promise<void> {
  await fc.assert(property as fc.IRawProperty<unknown>, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: SECONDS_EACH * 1000,
    markInterruptAsFailure: false,
  })
  for (const [side, count] of Object.entries(reached)) {
    expect([side, count >= leastOfEach]).toEqual([side, true])
  }
}

describe('whatever is made of the tokens of a good request', () => {
  for (const one of tokenProperties()) it(one.name, async () => look(one, 20))
})

describe('whatever is made of the bytes of a good request', () => {
  let service: WireService
  beforeAll(async () => {
    service = await startWireService()
  })
  afterAll(() => service.app.close())

  it('a message whose bytes are changed is refused, or means the same', async () => {
    await look(wireProperty(service), 20)
  })
})

describe('what is read is what was written', () => {
  for (const one of printingProperties()) {
    it(one.name, async () => {
      await fc.assert(one.property as fc.IRawProperty<unknown>, { numRuns: 1000 })
      expect(one.reached['read']).toBeGreaterThanOrEqual(1000)
    })
  }
})
