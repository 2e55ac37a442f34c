import { afterAll, beforeAll, describe, it } from 'vitest'
import { fc } from '../core/property.js'
import { printingProperties, type Property, tokenProperties, wireProperty } from '../properties/properties.js'
import { startWireService, type WireService } from '../properties/wire-service.js'

const minutes = Number(process.env['FUZZ_MINUTES'] ?? '1')
const seed = Number(process.env['FUZZ_SEED'] ?? Math.trunc(Math.random() * 0x7fffffff))

/** Looks for an exception for its share of the time. */
async function look({ name, property, reached }: Property, share: number): Promise<void> {
  const milliseconds = minutes * 60_000 * share
  await fc.assert(property as fc.IRawProperty<unknown>, {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: milliseconds,
    markInterruptAsFailure: false,
  })
  console.log(`${name}: ${JSON.stringify(reached)} in ${Math.round(milliseconds / 1000)} s`)
}

describe(`fuzzing for ${minutes} minutes, seed ${seed}`, () => {
  let service: WireService
  console.log(`fuzzing for ${minutes} minutes; npm run fuzz -- --seed ${seed} makes the same edits again`)
  beforeAll(async () => {
    service = await startWireService()
  })
  afterAll(() => service.app.close())

  const patience = minutes * 60_000 + 60_000
  for (const one of tokenProperties()) it(one.name, { timeout: patience }, async () => look(one, 0.2))
  it('what goes over the wire', { timeout: patience }, async () => look(wireProperty(service), 0.36))
  for (const one of printingProperties()) it(one.name, { timeout: patience }, async () => look(one, 0.01))
})
