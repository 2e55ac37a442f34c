/** How one vector came out. */
export interface Outcome {
  /** Where it stands: file and id. */
  readonly id: string
  /** `'differs'`: answered otherwise on purpose; `'skipped'`: about something that is not in this suite. */
  readonly result: 'passed' | 'failed' | 'differs' | 'skipped'
  /** What the vector asks for, and what came instead; null when it passed. */
  readonly expected: string | null
  readonly received: string | null
  /** Why it was skipped, or is answered otherwise. */
  readonly reason: string | null
}

/** Compares what a vector asks for with what came. */
export function compare(id: string, expected: string, received: string): Outcome {
  return expected === received
    ? { id, result: 'passed', expected: null, received: null, reason: null }
    : { id, result: 'failed', expected, received, reason: null }
}

/** An answer that is another one on purpose. */
export function differing(id: string, expected: string, received: string, reason: string): Outcome {
  return { id, result: 'differs', expected, received, reason }
}

/** Something that cannot be run, which is told and not counted as passed. */
export function skipped(id: string, reason: string): Outcome {
  return { id, result: 'skipped', expected: null, received: null, reason }
}
