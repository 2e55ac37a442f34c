import type { ExitCode } from './failure.js'
import type { Terminal } from './terminal.js'

/** One option of a command. Help, completion and parsing all read this. */
export interface OptionSpec {
  /** What stands for the value in help; left out, the option is a switch. */
  readonly value?: string
  /** One letter. */
  readonly short?: string
  /** May be given several times. */
  readonly multiple?: boolean
  /** What it means, in part of a sentence. */
  readonly about: string
  /** Values that completion offers. */
  readonly choices?: readonly string[]
  /** Its value is a path. */
  readonly isFile?: boolean
}

/** What was given for options, by their names. */
export interface Given {
  /** The value of an option. */
  readonly one: (name: string) => string | undefined
  /** Every value of an option. */
  readonly all: (name: string) => readonly string[]
  readonly has: (name: string) => boolean
  readonly positionals: readonly string[]
}

/** What a command is run with. */
export interface Invocation {
  readonly given: Given
  readonly terminal: Terminal
  /** `--json`: standard output is to be one JSON object. */
  readonly json: boolean
  /** Epoch seconds, read once. */
  readonly now: number
  /** Tells the user something that is no error, on standard error. */
  readonly warn: (text: string) => void
}

/** One command of `wimse`. */
export interface Command {
  /** Words after `wimse`. */
  readonly name: string
  /** What it does, in one sentence. */
  readonly summary: string
  /** What stands behind the name in the line of usage. */
  readonly operands?: string
  /** Paragraphs of help below the usage. */
  readonly notes?: readonly string[]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** How many words that are no options it takes. */
  readonly positionals: readonly [least: number, most: number]
  /** Whether its operands are paths. */
  readonly takesFiles?: boolean
  readonly examples: readonly string[]
  readonly run: (invocation: Invocation) => Promise<ExitCode>
}

/** Options that every command has. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  now: { value: 'EPOCH', about: 'seconds since 1970 to take for the present moment' },
  json: { about: 'print one JSON object' },
  help: { short: 'h', about: 'print this help' },
}
