import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../jws/algorithms.js'
import { verifySignature } from './signature.js'

/** Checks a JWS signature, now or before the turn of the event loop is over. */
export type SignatureCheck = (
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signingInput: string,
  signature: Uint8Array,
) => boolean | Promise<boolean>

interface Job {
  readonly parameters: Parameters<SignatureCheck>
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
 * come at a time that costs half a verification each.
 */
export function createSignatureTurns(): SignatureCheck {
  const waiting: Job[] = []
  let isTurn = false

  function finish(): void {
    const jobs = waiting.splice(0, MOST_TOGETHER)
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

  return (...parameters) => {
    if (!isTurn) {
      isTurn = true
      setImmediate(finish)
      return verifySignature(...parameters)
    }
    if (waiting.length >= MOST_WAITING) return verifySignature(...parameters)
    return new Promise<boolean>((settle, fail) => void waiting.push({ parameters, settle, fail }))
  }
}
