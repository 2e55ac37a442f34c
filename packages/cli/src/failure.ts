/**
 * How a command ends: 0 done or accepted, 1 refused, 2 called wrongly, 3 cannot be decided from what is here,
 * 4 somebody needed cannot be reached.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4

/** Exit codes by their meaning. */
export const EXIT = { done: 0, refused: 1, usage: 2, undecided: 3, unreachable: 4 } as const

/** Why a command did not do what it was asked for. Its message holds no token, no key and no line of a file. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: ExitCode
  /** Stable: a code of the suite, or `USAGE`, `INPUT`, `NETWORK`. */
  readonly code: string
  /** What to do about it, as a sentence. */
  readonly cure: string

  constructor(exitCode: ExitCode, code: string, message: string, cure: string) {
    super(message)
    this.exitCode = exitCode
    this.code = code
    this.cure = cure
  }
}

/** The command line is wrong. */
export function usageFailure(message: string, cure: string): Failure {
  return new Failure(EXIT.usage, 'USAGE', message, cure)
}

/** A file or standard input is not what it should be. */
export function inputFailure(message: string, cure: string): Failure {
  return new Failure(EXIT.usage, 'INPUT', message, cure)
}
