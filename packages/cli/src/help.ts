import { COMMON_OPTIONS, type Command, type OptionSpec } from './command.js'

/** The help of one command. */
export function helpOf(command: Command): string {
  const { name, summary, operands, notes = [], options, examples } = command
  const usage = ['wimse', name, operands, '[options]'].filter((part) => part !== undefined && part !== '')
  return sections([
    `${summary}\n`,
    `Usage: ${usage.join(' ')}\n`,
    ...notes.map((note) => `${wrapped(note, 0)}\n`),
    `Options:\n${optionLines({ ...options, ...COMMON_OPTIONS })}`,
    `Examples:\n${examples.map((example) => `  ${example.replaceAll('\n', '\n  ')}\n`).join('')}`,
  ])
}

/** The help of `wimse` itself. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2
  return sections([
    'Workload identity tokens (WIT) and workload proof tokens (WPT): make, check and explain them.\n',
    'Usage: wimse COMMAND [options]\n',
    `Commands:\n${commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}\n`).join('')}`,
    'Each has --help with examples, --json, and --now to check for another moment.\n' +
      'wimse --version prints the version.\n',
    'Exit codes: 0 done or accepted, 1 refused, 2 called wrongly, 3 cannot be decided from what is here,\n' +
      '4 somebody needed cannot be reached, 5 standard output cannot be written.\n',
  ])
}

/** One option, as help tells of it in JSON. */
export interface OptionHelp {
  readonly name: string
  readonly short: string | null
  /** What stands for the value; null for a switch. */
  readonly value: string | null
  readonly choices: readonly string[] | null
  readonly repeatable: boolean
  readonly about: string
}

/** One command, as help tells of it in JSON. */
export interface CommandHelp {
  readonly name: string
  readonly summary: string
  readonly operands: string | null
  readonly notes: readonly string[]
  readonly options: readonly OptionHelp[]
  readonly examples: readonly string[]
}

/** The help of some or all commands, for programs. */
export function helpDocument(commands: readonly Command[]): {
  readonly command: 'help'
  readonly commands: readonly CommandHelp[]
} {
  return {
    command: 'help',
    commands: commands.map(({ name, summary, operands = null, notes = [], options, examples }) => ({
      name,
      summary,
      operands,
      notes,
      options: Object.entries({ ...options, ...COMMON_OPTIONS }).map(
        ([option, { short = null, value = null, choices = null, multiple = false, about }]) => ({
          name: option,
          short,
          value,
          choices,
          repeatable: multiple,
          about,
        }),
      ),
      examples,
    })),
  }
}

function sections(parts: readonly string[]): string {
  return parts.join('\n')
}

const COLUMN = 30
const WIDTH = 100

function optionLines(options: Readonly<Record<string, OptionSpec>>): string {
  return Object.entries(options)
    .map(([name, { short, value, multiple, about }]) => {
      const left = `  ${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`
      const text = wrapped(multiple === true ? `${about}; may be repeated` : about, COLUMN)
      return left.length < COLUMN
        ? `${left.padEnd(COLUMN)}${text}\n`
        : `${left}\n${' '.repeat(COLUMN)}${text}\n`
    })
    .join('')
}

/** Breaks a text into lines, all but the first of which are indented. */
function wrapped(text: string, indent: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
