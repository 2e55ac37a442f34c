import { hash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { ReplayStore } from 'wimse'

/** A store under test, and how its time goes by. */
export interface StoreUnderTest {
  readonly store: ReplayStore
  /** A second connection or handle to the same entries. */
  readonly other: ReplayStore
  /** Lets this much time go by. Default: real time. */
  readonly wait?: (seconds: number) => unknown
  /** Seconds an entry may live on past its end, if it counts time in larger pieces. Default 0. */
  readonly roundsUpBy?: number
}

/** A fingerprint as the authenticator makes them. */
function fingerprintOf(sender: string, jti: string): string {
  return hash('sha256', `${sender}\n${jti}`, 'base64url')
}

/** A fingerprint nobody has used. */
export function newFingerprint(): string {
  return randomBytes(32).toString('base64url')
}

const CHECKOUT = 'wimse://example.com/checkout'
const AUDIT = 'wimse://example.com/audit'

/** What every replay store promises; runs against one. */
export function promisesOfReplayStores(open: () => StoreUnderTest): void {
  const wait = async (seconds: number): Promise<void> => {
    await (open().wait ?? (async (time: number) => sleep(time * 1000)))(seconds)
  }
  const waitForEnd = async (seconds: number): Promise<void> => wait(seconds + 0.2 + (open().roundsUpBy ?? 0))

  it('says first, then seen, from whatever side it is asked', async () => {
    const { store, other } = open()
    const proof = newFingerprint()
    expect(await store.claim(proof, 60, CHECKOUT)).toBe('first')
    expect(await store.claim(proof, 60, CHECKOUT)).toBe('seen')
    expect(await other.claim(proof, 60, CHECKOUT)).toBe('seen')
    expect(await other.claim(newFingerprint(), 60, CHECKOUT)).toBe('first')
  })

  it('says seen to whoever brings the same proof', async () => {
    const { store } = open()
    const proof = newFingerprint()
    expect(await store.claim(proof, 60, CHECKOUT)).toBe('first')
    expect(await store.claim(proof, 60, AUDIT)).toBe('seen')
  })

  it('lets another caller use the same jti', async () => {
    const { store } = open()
    const jti = randomBytes(16).toString('hex')
    expect(await store.claim(fingerprintOf(CHECKOUT, jti), 60, CHECKOUT)).toBe('first')
    expect(await store.claim(fingerprintOf(AUDIT, jti), 60, AUDIT)).toBe('first')
  })

  it('remembers for as long as it was told, and not forever', async () => {
    const { store } = open()
    const proof = newFingerprint()
    expect(await store.claim(proof, 0.4, CHECKOUT)).toBe('first')
    await wait(0.1)
    expect(await store.claim(proof, 0.4, CHECKOUT)).toBe('seen')
    await waitForEnd(0.3)
    expect(await store.claim(proof, 0.4, CHECKOUT)).toBe('first')
  })

  it('is not made to remember longer by a replay', async () => {
    const { store } = open()
    const proof = newFingerprint()
    expect(await store.claim(proof, 0.5, CHECKOUT)).toBe('first')
    await wait(0.1)
    expect(await store.claim(proof, 600, CHECKOUT)).toBe('seen')
    await waitForEnd(0.4)
    expect(await store.claim(proof, 1, CHECKOUT)).toBe('first')
  })

  it('lets one of two hundred parallel copies through', async () => {
    const { store, other } = open()
    const proof = newFingerprint()
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => (index % 2 ? store : other).claim(proof, 60, CHECKOUT)),
    )
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(1)
    expect(answers.filter((answer) => answer === 'seen')).toHaveLength(199)
  })

  it('keeps an entry as long as the longest proof that any authenticator accepts', async () => {
    const { store } = open()
    const proof = newFingerprint()
    expect(await store.claim(proof, 86_400 + 120 + 60, CHECKOUT)).toBe('first')
    expect(await store.claim(proof, 60, CHECKOUT)).toBe('seen')
  })

  for (const forSeconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`accepts nothing for ${forSeconds} seconds`, async () => {
      const claim = async (): Promise<unknown> => open().store.claim(newFingerprint(), forSeconds, CHECKOUT)
      await expect(claim()).rejects.toThrow(RangeError)
    })
  }
}
