import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Attack, AttackTable, Request, Sent, ServiceName } from './attack.js'
import { algorithmConfusion } from './algorithm-confusion.js'
import { audienceTricks } from './audience-tricks.js'
import { cpuTimeOf, heapHeldBy } from './cost.js'
import { downgrade } from './downgrade.js'
import { exhaustion } from './exhaustion.js'
import { forgedConfirmation } from './forged-confirmation.js'
import { headerSmuggling } from './header-smuggling.js'
import { leaks } from './leaks.js'
import { lookAlikes } from './look-alikes.js'
import { replay } from './replay.js'
import {
  type AttackedService,
  createScene,
  fieldsOf,
  get,
  goodRequestFor,
  http2,
  type Scene,
  startAttackedService,
} from './scene.js'
import { identifiersIn, keyMaterialOf, readingsOf, secretsOf } from './secrets.js'
import { type Answer, exchange } from './wire.js'
import { CHANNELS, listen } from '../observability/heard.js'
import { startTelemetry } from '../observability/telemetry.js'

const tables: readonly AttackTable[] = [
  headerSmuggling,
  algorithmConfusion,
  forgedConfirmation,
  lookAlikes,
  audienceTricks,
  replay,
  downgrade,
  exhaustion,
  leaks,
]

const services = new Map<ServiceName, AttackedService>()
let attacked: AttackedService
let scene: Scene

const spend = async (sent: Sent): Promise<void> => {
  const outcomes = (await exchange(attacked.port, sent)).map(({ outcome }) => outcome)
  expect(new Set(outcomes)).toEqual(new Set(['200']))
}

async function serviceOf({ service: name = 'plain' }: Attack): Promise<AttackedService> {
  const running = services.get(name)
  if (running !== undefined) return running
  const started = await startAttackedService(name, scene)
  services.set(name, started)
  return started
}

/** All that an attack sends. */
async function prepare({ request }: Pick<Attack, 'request'>, times: number): Promise<readonly Sent[]> {
  const made = await request(scene)
  const next = typeof made === 'function' ? made : async () => made
  return Promise.all(Array.from({ length: times }, next))
}

const sendAll = async (sent: readonly Sent[]): Promise<readonly Answer[]> =>
  (await Promise.all(sent.map(async (one) => exchange(attacked.port, one)))).flat()

/** What services tell of themselves while they are attacked: on their channels, and in metrics. */
const ear = listen()
const telemetry = startTelemetry()
const takeTold = async (): Promise<string> =>
  JSON.stringify([CHANNELS.map((name) => ear.take(name)), await telemetry.series()])

beforeAll(async () => {
  scene = await createScene(spend)
})
afterAll(async () => {
  await Promise.all([...services.values()].map(async ({ app }) => app.close()))
  ear.close()
  await telemetry.stop()
})

/** As often as an attack is sent, its control, each time with tokens of its own. */
const repeated = (control: Request): Pick<Attack, 'request'> => ({
  request: async (scene) => async () => control(scene),
})

/** Measures until it is little enough, for what else goes on takes its part now and then: gives the least. */
async function leastOf(enough: number, measure: () => Promise<number>): Promise<number> {
  let least = await measure()
  for (let attempt = 1; attempt < 5 && least >= enough; attempt++) least = Math.min(least, await measure())
  return least
}

/** Neither takes much more CPU time than the good request nor, sent many times, stays in memory as that does. */
async function expectCheap(attack: Attack, control: Request): Promise<void> {
  const { times = 1 } = attack
  const timeOf = async (one: Pick<Attack, 'request'>): Promise<number> => {
    const sent = await prepare(one, times)
    return cpuTimeOf(async () => sendAll(sent))
  }
  const most = 3 * (await leastOf(0, async () => timeOf(repeated(control)))) + 5
  expect(await leastOf(most, async () => timeOf(attack))).toBeLessThan(most)
  if (times === 1) return
  const heldBy = async (one: Pick<Attack, 'request'>): Promise<number> =>
    heapHeldBy(async () => {
      for (let round = 0; round < HELD_ROUNDS; round++) {
        await sendAll(await prepare(one, times))
        attacked.takeLog()
        await takeTold()
      }
    })
  const mostHeld = HELD_ROUNDS * times * LESS_THAN_A_TOKEN
  // The first may let go of what was there before.
  const heldByGood = [await heldBy(repeated(control)), await heldBy(repeated(control))]
  expect(Math.max(...heldByGood)).toBeGreaterThan(mostHeld)
  expect(await leastOf(mostHeld, async () => heldBy(attack))).toBeLessThan(mostHeld)
}

const HELD_ROUNDS = 5
/** Bytes. */
const LESS_THAN_A_TOKEN = 400

for (const { name, attacks, isAboutCost = false } of tables) {
  describe(`an attacker tries ${name}`, () => {
    for (const attack of attacks) {
      it(`${attack.name}: ${attack.answer}`, { timeout: isAboutCost ? 120_000 : 30_000 }, async () => {
        attacked = await serviceOf(attack)
        const { times = 1, letIn = 0, answer, service = 'plain' } = attack
        const { controls = [async () => goodRequestFor(service, scene)] } = attack
        expect(controls).not.toEqual([])
        const secrets = new Set(keyMaterialOf(scene))
        const good = async (): Promise<void> => {
          for (const control of controls) {
            const sent = await control(scene)
            for (const secret of secretsOf(sent)) secrets.add(secret)
            await spend(sent)
          }
        }
        attacked.takeLog()

        await good()
        const sent = await prepare(attack, times)
        for (const secret of sent.flatMap(secretsOf)) secrets.add(secret)
        const handledBefore = attacked.handled()
        const answers = await sendAll(sent)

        const refused = answers.map(({ outcome }) => outcome).filter((outcome) => outcome !== '200')
        expect(new Set(refused)).toEqual(new Set([answer]))
        expect(answers).toHaveLength(letIn + refused.length)
        expect(attacked.handled()).toBe(handledBefore + letIn)
        await good()
        const told = await takeTold()
        expect(told).toContain('"outcome":"admitted"')
        const written = readingsOf([attacked.takeLog(), told, ...answers.map(({ text }) => text)].join('\n'))
        expect([...secrets].filter((secret) => written.includes(secret))).toEqual([])
        expect(identifiersIn(secrets).filter((identifier) => told.includes(identifier))).toEqual([])
        if (isAboutCost) await expectCheap(attack, controls[0]!)
        attacked.takeLog()
        await takeTold()
      })
    }
  })
}

describe('the attacks', () => {
  const all = tables.flatMap((table) => table.attacks.map(({ name }) => `${table.name}: ${name}`))

  it('are many', () => {
    console.log(`${all.length} attacks, each on a service that listens`)
    expect(all.length).toBeGreaterThanOrEqual(150)
  })

  it('are refused, each by a code of ours, or by Node before any hook', () => {
    const answers = new Set(tables.flatMap(({ attacks }) => attacks.map(({ answer }) => answer)))
    const odd = [...answers].filter((answer) => !/^(?:WIMSE_[A-Z_]+|400|431|closed|RST_STREAM)$/.test(answer))
    expect(odd).toEqual([])
  })

  it('are each another', () => expect(new Set(all).size).toBe(all.length))
})

describe('what must be found nowhere', () => {
  it('is every part of every token, wherever it stands in a message', async () => {
    const { wit, wpt } = await scene.tokens()
    const parts = [wit, wpt].flatMap((token) => token.split('.'))
    const found = secretsOf(get([...fieldsOf({ wit: `x, "${wit}"`, wpt }), `Cookie: a=${wpt}`]))
    expect([...found].sort()).toEqual([...new Set(parts)].sort())
    expect(secretsOf(http2({ wit, wpt }))).toEqual(parts)
    expect(secretsOf(get([`Authorization: Bearer ${wit}`]))).toEqual(wit.split('.'))
    expect(secretsOf(get(fieldsOf({ wit: `\r\n ${wit}`, wpt })).replaceAll('\r\n', '\n'))).toEqual(parts)
  })

  it('is found in numbers, in hexadecimal digits and in base64, as in the text', async () => {
    const { wit, wpt } = await scene.tokens()
    const bytes = Buffer.from(get(fieldsOf({ wit, wpt })))
    for (const shown of [
      bytes.toString(),
      JSON.stringify({ bytes }),
      JSON.stringify({ bytes: Uint8Array.from(bytes) }),
      JSON.stringify([...bytes], null, 1).replaceAll('\n', ''),
      `<${bytes.toString('hex')}>`,
      `<${bytes.toString('base64')}>`,
      `<${bytes.toString('base64url')}>`,
    ]) {
      for (const secret of [wit, wpt]) expect(readingsOf(shown)).toContain(secret)
    }
  })

  it('is in the log of a service at level trace, of what Node could not read, unless it is redacted', async () => {
    const { wit, wpt } = await scene.tokens()
    const unreadable = get([...fieldsOf({ wit, wpt }), 'X: \0'])
    const logOf = async (redact?: string[]): Promise<string> => {
      const service = await startAttackedService('plain', scene, redact)
      expect((await exchange(service.port, unreadable)).map(({ outcome }) => outcome)).toEqual(['400'])
      await service.app.close()
      return service.takeLog()
    }
    const [unredacted, redacted] = [await logOf([]), await logOf()]
    expect(unredacted).not.toContain(wit)
    expect(readingsOf(unredacted)).toContain(wit)
    expect(readingsOf(unredacted)).toContain(wpt)
    expect(redacted).toContain('client error')
    expect(secretsOf(unreadable).filter((secret) => readingsOf(redacted).includes(secret))).toEqual([])
  })

  it('is, in what a service tells of itself, every subject and every identifier of a proof', async () => {
    const { wit, wpt } = await scene.tokens()
    const identifiers = identifiersIn(secretsOf(get(fieldsOf({ wit, wpt }))))
    expect(identifiers).toContain('wimse://example.com/caller')
    expect(identifiers).toHaveLength(2)
  })

  it('is every private key', () => {
    const { key, attackerKey, identityServer } = scene
    const secrets = [key.privateJwk, attackerKey.privateJwk, identityServer.issuerKey].map(({ d }) => d)
    expect(keyMaterialOf(scene)).toEqual(expect.arrayContaining(secrets))
  })
})
