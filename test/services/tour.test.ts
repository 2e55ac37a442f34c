import {
  type Embedded,
  formatTable,
  type Output,
  run,
  startEmbedded,
  takeTour,
  tour,
  type TourCall,
} from '@wimse-demo/console'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let services: Embedded
beforeAll(async () => {
  services = await startEmbedded()
})
afterAll(async () => services.close())

describe('the tour', () => {
  it('comes out as expected, line by line', async () => {
    const lines = await takeTour(services)
    expect(lines.map(({ outcome }) => outcome)).toEqual(tour.map(({ expected }) => expected))
    expect(lines.every(({ asExpected }) => asExpected)).toBe(true)
    expect(lines.length).toBeGreaterThanOrEqual(12)
  })

  it('shows a call that is let in for each kind of refusal, and no refusal twice', () => {
    const codes = tour.map(({ expected }) => expected.code).filter((code) => code !== null)
    expect(new Set(codes).size).toBe(codes.length)
    expect(tour.filter(({ expected }) => expected.code === null)).toHaveLength(tour.length - codes.length)
  })

  it('comes out the same whatever the order of its calls', async () => {
    const lines = await takeTour(services, tour.toReversed())
    expect(lines.filter(({ asExpected }) => !asExpected)).toEqual([])
  })

  const signedCall = tour.find(({ tried }) => tried === 'a signed call')!
  const surprises: readonly { what: string; call: TourCall; shown: RegExp }[] = [
    {
      what: 'another status',
      call: { ...signedCall, expected: { status: 201, code: null } },
      shown: /a signed call +200 +- +NO, expected 201 -$/m,
    },
    {
      what: 'a refusal that did not come',
      call: { ...signedCall, expected: { status: 400, code: 'WIMSE_WPT_REPLAYED' } },
      shown: /a signed call +200 +- +NO, expected 400 WIMSE_WPT_REPLAYED$/m,
    },
    {
      what: 'another code',
      call: { ...tour[3]!, expected: { status: 400, code: 'WIMSE_WIT_MISSING' } },
      shown: /400 +WIMSE_WPT_MISSING +NO, expected 400 WIMSE_WIT_MISSING$/m,
    },
    {
      what: 'no answer at all',
      call: { ...signedCall, call: async () => Promise.reject(new Error('no answer')) },
      shown: /a signed call +none +- +NO, expected 200 -$/m,
    },
  ]
  for (const { what, call, shown } of surprises) {
    it(`reports ${what}, and goes on`, async () => {
      const lines = await takeTour(services, [call, signedCall])
      expect(lines.map(({ asExpected }) => asExpected)).toEqual([false, true])
      expect(formatTable(lines)).toMatch(shown)
      expect(formatTable(lines)).toContain('1 of 2 as expected')
    })
  }

  it('reports every refusal that does not come from an inventory that lets everybody in', async () => {
    const gullible = Fastify().all('/*', async (_request, reply) =>
      reply.header('deprecation', '@0').send('come in'),
    )
    const inventory = await gullible.listen({ host: '127.0.0.1', port: 0 })
    const lines = await takeTour({ ...services, inventory })
    await gullible.close()
    expect(lines.map(({ asExpected }) => asExpected)).toEqual(
      tour.map(({ expected }) => expected.code === null),
    )
  })
})

describe('run()', () => {
  it('gives exit code 0 when every line came out as expected', async () => {
    const { output, text, errors } = outputOf()
    expect(await run(['--once'], output)).toBe(0)
    expect(text()).toContain(`${tour.length} of ${tour.length} as expected`)
    expect(errors()).toBe('')
  })

  it('gives exit code 1 when a line did not', async () => {
    const { output, text } = outputOf()
    const wrong: TourCall = { ...tour[1]!, expected: { status: 418, code: null } }
    expect(await run(['--once'], output, [tour[0]!, wrong])).toBe(1)
    expect(text()).toContain('NO, expected 418')
  })

  it('shows what the services log when asked to, and no token', async () => {
    const { output, text, errors } = outputOf()
    expect(await run(['--once', '--verbose'], output)).toBe(0)
    expect(errors()).toContain('"name":"inventory"')
    expect(errors()).toContain('request refused')
    expect(text() + errors()).not.toMatch(/eyJ[\w-]+/)
  })

  for (const args of [['--twice'], ['once'], ['--once=yes'], ['--once', '--help']]) {
    it(`refuses ${args.join(' ')} with its usage`, async () => {
      const { output, text, errors } = outputOf()
      expect(await run(args, output)).toBe(2)
      expect(errors()).toMatch(/^Usage: /)
      expect(text()).toBe('')
    })
  }
})

/** Remembers what is written. */
function outputOf(): { output: Output; text: () => string; errors: () => string } {
  let [text, errors] = ['', '']
  return {
    output: {
      stdout: { write: (chunk) => (text += chunk) },
      stderr: { write: (chunk) => (errors += chunk) },
    },
    text: () => text,
    errors: () => errors,
  }
}
