import { parseArgs, type ParseArgsConfig } from 'node:util'
import { COMMON_OPTIONS, type Command, type Given } from './command.js'
import { usageFailure } from './failure.js'

/** The longest name that the words begin with. @returns it with what follows it, or null */
export function findCommand(
  words: readonly string[],
  commands: readonly Command[],
): { readonly command: Command; readonly rest: readonly string[] } | null {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    const command = commands.find((one) => one.name === name)
    if (command !== undefined && words.length >= length) return { command, rest: words.slice(length) }
  }
  return null
}

/** Reads the words behind a command's name. @throws Failure that names the option, and never its value */
export function readCommandLine(command: Command, words: readonly string[]): Given {
  const options = { ...command.options, ...COMMON_OPTIONS }
  const config: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(
    Object.entries(options).map(([name, { value, short }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        // Collected all the same, so that an option given twice by mistake is told and not halved.
        multiple: true,
        ...(short === undefined ? {} : { short }),
      },
    ]),
  )
  const { values, positionals } = parse(command, config, words)
  const all = (name: string): readonly string[] => [values[name] ?? []].flat().map(String)
  for (const [name, { multiple }] of Object.entries(options)) {
    if (multiple !== true && all(name).length > 1) {
      throw usageFailure(`--${name} is given more than once`, helpHint(command))
    }
  }
  const [least, most] = command.positionals
  if (values['help'] === undefined && (positionals.length < least || positionals.length > most)) {
    const wanted = command.operands ?? 'no operands'
    throw usageFailure(
      `wimse ${command.name} takes ${wanted}, and got ${positionals.length === 0 ? 'none' : positionals.length}`,
      helpHint(command),
    )
  }
  return {
    one: (name) => all(name)[0],
    all,
    has: (name) => all(name).length > 0,
    positionals,
  }
}

function parse(
  command: Command,
  options: NonNullable<ParseArgsConfig['options']>,
  words: readonly string[],
): {
  readonly values: Readonly<Record<string, unknown>>
  readonly positionals: readonly string[]
} {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true })
  } catch (error) {
    // Its messages quote options as they were given, and one that was cut off may hold half a token.
    const { message: text, code } = error as { message: string; code?: string }
    const [, name] = /'(?:-\w, )?(--?[\w-]{1,32})(?:[ =<][^']*)?'/.exec(text) ?? []
    const option = name === undefined ? 'an option' : `option ${name}`
    const message =
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
        ? `there is no ${option} of wimse ${command.name}`
        : /argument is ambiguous|argument missing/.test(text)
          ? `${option} needs a value`
          : `${option} takes no value`
    throw usageFailure(message, helpHint(command))
  }
}

/** Where to look next. */
function helpHint({ name }: Pick<Command, 'name'>): string {
  return `wimse ${name} --help lists its options, with examples.`
}
