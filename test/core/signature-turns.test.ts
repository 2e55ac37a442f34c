import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { createSignatureTurns } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { describe, expect, it } from 'vitest'
import { ALGORITHMS } from '../../packages/core/src/jws/algorithms.js'

const algorithm = ALGORITHMS.get('ES256')!
const { privateJwk } = generateTestKeyPair('ES256')
const privateKey = createPrivateKey({ key: privateJwk as never, format: 'jwk' })
const key = createPublicKey(privateKey)
const signed = (text: string): Uint8Array =>
  sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
const CALLER = 'wimse://example.com/a'
const nextTurn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('createSignatureTurns()', () => {
  it('checks the first signature of a turn at once, and the others before the turn is over', async () => {
    const check = createSignatureTurns()
    expect(check(algorithm, key, 'a', signed('a'), CALLER)).toBe(true)
    const second = check(algorithm, key, 'b', signed('b'), CALLER)
    expect(second).toBeInstanceOf(Promise)
    let settled = false
    void (second as Promise<boolean>).then(() => (settled = true))
    await Promise.resolve()
    expect(settled).toBe(false)
    await nextTurn()
    expect(settled).toBe(true)
    await nextTurn()
    expect(check(algorithm, key, 'c', signed('c'), CALLER)).toBe(true)
  })

  it('gives each its own verdict, in the order they came, however many there are', async () => {
    const check = createSignatureTurns()
    const order: number[] = []
    const verdicts = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const verdict = await check(
          algorithm,
          key,
          `${index}`,
          signed(index % 3 === 0 ? 'another' : `${index}`),
          CALLER,
        )
        order.push(index)
        return verdict
      }),
    )
    expect(verdicts).toEqual(Array.from({ length: 200 }, (_, index) => index % 3 !== 0))
    expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index))
  })

  it('lets the event loop go on between some of them and the next', async () => {
    const check = createSignatureTurns()
    let done = 0
    const all = Array.from({ length: 200 }, async () => {
      await check(algorithm, key, 'a', signed('a'), CALLER)
      done++
    })
    await nextTurn()
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(100)
    await Promise.all(all)
  })

  it('has a caller that sends little wait for few of others that flood', async () => {
    const check = createSignatureTurns()
    const order: string[] = []
    const send = async (caller: string): Promise<void> => {
      await check(algorithm, key, 'a', signed('a'), caller)
      order.push(caller)
    }
    const flood = Array.from({ length: 300 }, async (_, index) => send(`flooding ${index % 20}`))
    const others = ['b', 'b', 'c'].map(send)
    await Promise.all(others)
    expect(order.length).toBeLessThanOrEqual(65)
    await Promise.all(flood)
    // Where there are no others it has all of the room.
    expect(order).toHaveLength(303)
    expect(order.filter((caller) => !caller.startsWith('flooding'))).toEqual(['b', 'c', 'b'])
  })

  it('leaves nobody waiting because of one that cannot be checked', async () => {
    const check = createSignatureTurns()
    void check(algorithm, key, 'a', signed('a'), CALLER)
    const outcomes = await Promise.allSettled([
      check(algorithm, {} as KeyObject, 'a', signed('a'), CALLER),
      check(algorithm, key, 'a', signed('a'), CALLER),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })

  it('has no queue that grows without end', async () => {
    const check = createSignatureTurns()
    const signature = new Uint8Array(10)
    let atOnce = 0
    const answers = Array.from({ length: 5000 }, async () => {
      const answer = check(algorithm, key, 'a', signature, CALLER)
      if (typeof answer === 'boolean') atOnce++
      return answer
    })
    expect(atOnce).toBe(5000 - 4096)
    expect(new Set(await Promise.all(answers))).toEqual(new Set([false]))
  })
})
