import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fc } from '../core/property.js'
import { printingProperties, type Property, tokenProperties, wireProperty } from './properties.js'
import { startWireService, type WireService } from './wire-service.js'

const PATIENCE = 120_000

/** Looks for an exception, so often that either side is reached; a failure prints seed and path. */
async function look({ property, reached, seconds }: Property): Promise<void> {
  await fc.assert(property as fc.IRawProperty<unknown>, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
  })
  for (const [side, count] of Object.entries(reached)) {
    expect([side, count >= 10]).toEqual([side, true])
  }
}

describe('whatever is made of the tokens of a good request', () => {
  for (const one of tokenProperties()) it(one.name, { timeout: PATIENCE }, async () => look(one))
})

describe('whatever is made of the bytes of a good request', () => {
  let service: WireService
  beforeAll(async () => {
    service = await startWireService()
  })
  afterAll(() => service.app.close())

  it('a message whose bytes are changed is refused, or means the same', { timeout: PATIENCE }, async () => {
    await look(wireProperty(service))
  })
})

describe('what is read is what was written', () => {
  for (const one of printingProperties()) it(one.name, { timeout: PATIENCE }, async () => look(one))
})
