import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../jws/algorithms.js'
import { verifySignature } from './signature.js'

/** Checks a JWS signature of a caller, now or before the turn of the event loop is over. */
export type SignatureCheck = (
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signingInput: string,
  signature: Uint8Array,
  caller: string,
) => boolean | Promise<boolean>

interface Job {
  readonly parameters: Readonly<Parameters<typeof verifySignature>>
  readonly caller: string
  readonly settle: (verdict: boolean) => void
  readonly fail: (error: unknown) => void
}

/** Checked without letting the event loop go on: about five milliseconds. */
const MOST_TOGETHER = 64
/** Of these as many are of one caller where others wait as well: whoever floods waits for himself. */
const MOST_OF_ONE_CALLER = 16
/** Waiting; one that comes on top of them is checked at once, so that nobody is refused for want of room. */
const MOST_WAITING = 4096

/**
 * Makes a check that leaves the first signature of a turn of the event loop to be checked at once, so that a
 * server at rest loses nothing, and checks the others of that turn back to back at its end, in the order they
 * came as long as all can be. Between two requests a processor forgets what a verification needs, and the other way round: where many
 * come at a time that costs half a verification each.
 */
export function createSignatureTurns(): SignatureCheck {
  let waiting: Job[] = []
  let isTurn = false

  function takeJobs(): readonly Job[] {
    if (waiting.length <= MOST_TOGETHER) return waiting.splice(0)
    const jobs: Job[] = []
    const left: Job[] = []
    const byCaller = new Map<string, number>()
    for (const job of waiting) {
      const taken = byCaller.get(job.caller) ?? 0
      const takes = jobs.length < MOST_TOGETHER && taken < MOST_OF_ONE_CALLER
      if (takes) byCaller.set(job.caller, taken + 1)
      ;(takes ? jobs : left).push(job)
    }
    jobs.push(...left.splice(0, MOST_TOGETHER - jobs.length))
    waiting = left
    return jobs
  }

  function finish(): void {
    const jobs = takeJobs()
    for (const { parameters, settle, fail } of jobs) {
      try {
        // Whoever waits goes on after the last of them.
        settle(verifySignature(...parameters))
      } catch (error) {
        fail(error)
      }
    }
    isTurn = waiting.length > 0
    if (isTurn) setImmediate(finish)
  }

  return (algorithm, key, signingInput, signature, caller) => {
    const parameters = [algorithm, key, signingInput, signature] as const
    if (!isTurn) {
      isTurn = true
      setImmediate(finish)
      return verifySignature(...parameters)
    }
    if (waiting.length >= MOST_WAITING) return verifySignature(...parameters)
    return new Promise<boolean>((settle, fail) => void waiting.push({ parameters, caller, settle, fail }))
  }
}
