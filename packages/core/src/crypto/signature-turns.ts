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
/** Waiting; one that comes on top of them is checked at once, so that nobody is refused for want of room. */
const MOST_WAITING = 4096

/**
 * Makes a check that leaves the first signature of a turn of the event loop to be checked at once, so that a
 * server at rest loses nothing, and checks the others of that turn back to back at its end, in the order they
 * came. Between two requests a processor forgets what a verification needs, and the other way round: where many
 * come at a time that costs four to seven microseconds each.
 *
 * Where more wait than are checked together, it is the first of every caller, then the second of every caller,
 * and so on: whoever floods waits for himself.
 */
export function createSignatureTurns(): SignatureCheck {
  let waiting: Job[] = []
  let isTurn = false

  function takeJobs(): readonly Job[] {
    if (waiting.length <= MOST_TOGETHER) return waiting.splice(0)
    const before = new Map<string, number>()
    const rounds: Job[][] = []
    for (const job of waiting) {
      const round = before.get(job.caller) ?? 0
      before.set(job.caller, round + 1)
      ;(rounds[round] ??= []).push(job)
    }
    waiting = rounds.flat()
    return waiting.splice(0, MOST_TOGETHER)
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
