import { COMMON_OPTIONS, type Command, type OptionSpec } from './command.js'

/** What may stand in the place of a command. */
const TOP_FLAGS = ['--help', '--version']

/** Options of a command with those that all have. */
function optionsOf({ options }: Command): readonly (readonly [name: string, spec: OptionSpec])[] {
  return Object.entries({ ...options, ...COMMON_OPTIONS })
}

/** Words after `wimse` that begin a command. */
function firstWords(commands: readonly Command[]): readonly string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0]!))]
}

function secondWords(first: string, commands: readonly Command[]): readonly string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []))
}

function groupsOf(commands: readonly Command[]): readonly string[] {
  return firstWords(commands).filter((first) => secondWords(first, commands).length > 0)
}

/** Words that a command takes in the place of its operand, such as `bash|zsh|fish`. */
function operandChoices({ operands, takesFiles }: Command): readonly string[] {
  return takesFiles !== true && operands?.includes('|') === true ? operands.split('|') : []
}

/** Names of options as typed. */
function flagsOf(options: readonly (readonly [string, OptionSpec])[]): readonly string[] {
  return options.flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])
}

/** For bash 4 and later. */
export function bashCompletion(commands: readonly Command[]): string {
  const cases = commands.map((command) => {
    const options = optionsOf(command)
    const words = [...flagsOf(options), ...operandChoices(command)].join(' ')
    const valued = options.filter(([, { value }]) => value !== undefined)
    const choices = valued
      .filter(([, { choices }]) => choices !== undefined)
      .map((option) => bashCase([option], `_wimse_words '${option[1].choices!.join(' ')}'; return`))
    const files = valued.filter(([, { isFile }]) => isFile === true)
    const others = valued.filter(([, { isFile, choices }]) => isFile !== true && choices === undefined)
    return (
      `    '${command.name}')\n      case "$previous" in\n${choices.join('')}` +
      `${bashCase(files, '_wimse_files; return')}${bashCase(others, 'return')}` +
      `      esac\n      words='${words}'\n` +
      `      takes_files=${command.takesFiles === true ? 1 : 0} ;;\n`
    )
  })
  const groups = groupsOf(commands)
  return `# Completes wimse in bash.
_wimse_reply() {
  local candidate
  while IFS= read -r candidate; do
    candidate="\${joined%"$value"}$candidate"
    COMPREPLY+=("\${candidate#"$head"}")
  done
}
_wimse_words() {
  _wimse_reply < <(compgen -W "$1" -- "$value")
}
_wimse_files() {
  [[ "$value" == *:* ]] && return
  compopt -o filenames 2>/dev/null
  _wimse_reply < <(compgen -f -- "$value")
}
_wimse() {
  local IFS=$' \\t\\n' word="\${2//\\\\/}" joined='' previous='' command='' words='' takes_files=0
  local count=0 part value head
  COMPREPLY=()
  # Readline parts words at = and :, and replaces the last part alone.
  for part in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ -n "$part" && "$part" != -* ]] && [[ "$part" == [=:]* || "$joined" == *[=:] ]]; then
      joined+="$part"
    else
      previous="$joined" joined="$part"
      ((++count))
    fi
    ((count == 2)) && command="$joined"
    case "$count $command" in
${groups.map((group) => `      "3 ${group}"|"3 ${group} "*) command="${group} $joined" ;;\n`).join('')}    esac
  done
  joined="\${joined//\\\\/}"
  head="\${joined%"$word"}" value="$joined"
  if [[ "$joined" == --*=* ]]; then
    previous="\${joined%%=*}" value="\${joined#*=}"
  fi
  value="\${value#[\\"\\']}"
  case "$count $command" in
    2\\ *) _wimse_words '${firstWords(commands).join(' ')} ${TOP_FLAGS.join(' ')}'; return ;;
${groups.map((group) => `    3\\ ${group}\\ *) _wimse_words '${secondWords(group, commands).join(' ')}'; return ;;\n`).join('')}  esac
  case "$command" in
${cases.join('')}  esac
  if [[ "$takes_files" -eq 1 && "$value" != -* ]]; then
    _wimse_files
  else
    _wimse_words "$words"
  fi
}
complete -F _wimse wimse
`
}

function bashCase(options: readonly (readonly [string, OptionSpec])[], body: string): string {
  return options.length === 0 ? '' : `        ${flagsOf(options).join('|')}) ${body} ;;\n`
}

/** For zsh, whose own description of options this is. */
export function zshCompletion(commands: readonly Command[]): string {
  const cases = commands.map((command) => {
    const specs = optionsOf(command).flatMap(([name, spec]) => zshSpecs(name, spec))
    const operands = operandChoices(command)
    const rest =
      operands.length > 0
        ? [`'*:operand:(${operands.join(' ')})'`]
        : command.takesFiles === true
          ? [`'*:file:_files'`]
          : []
    return `    '${command.name}') _arguments ${[...specs, ...rest].join(' ')} ;;\n`
  })
  const groups = groupsOf(commands)
  return `#compdef wimse
# Completes wimse in zsh.
_wimse() {
  local command="\${words[2]-}"
  if (( CURRENT == 2 )); then
    compadd -- ${firstWords(commands).join(' ')} ${TOP_FLAGS.join(' ')}
    return
  fi
  case "$command" in
${groups
  .map(
    (group) =>
      `    ${group})\n      if (( CURRENT == 3 )); then compadd -- ${secondWords(group, commands).join(' ')}; return; fi\n` +
      `      command="$command \${words[3]-}"; shift words; (( CURRENT-- )) ;;\n`,
  )
  .join('')}  esac
  shift words; (( CURRENT-- ))
  case "$command" in
${cases.join('')}  esac
}
if [ "$funcstack[1]" = _wimse ]; then _wimse "$@"; else compdef _wimse wimse; fi
`
}

function zshSpecs(
  name: string,
  { short, value, multiple, about, choices, isFile }: OptionSpec,
): readonly string[] {
  const text = about.replaceAll(/[[\]'\\`]/g, '').replaceAll(':', ' -')
  const action = choices !== undefined ? `(${choices.join(' ')})` : isFile === true ? '_files' : ''
  const argument = value === undefined ? '' : `:${value.replaceAll(/[:|]/g, ' ')}:${action}`
  const star = multiple === true ? '*' : ''
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map(
    (flag) => `'${star}${flag}[${text}]${argument}'`,
  )
}

/** For fish. */
export function fishCompletion(commands: readonly Command[]): string {
  const groups = groupsOf(commands)
  const firsts = firstWords(commands)
  const lines = [
    '# Completes wimse in fish.',
    'complete -c wimse -f',
    ...TOP_FLAGS.map((flag) => `complete -c wimse -n __fish_use_subcommand -l ${flag.slice(2)}`),
    ...firsts.map((first) => {
      const summary = commands.find(({ name }) => name === first)?.summary ?? `Commands about a ${first}.`
      return `complete -c wimse -n __fish_use_subcommand -a ${first} -d ${fishQuoted(summary)}`
    }),
    ...groups.flatMap((group) => {
      const seconds = secondWords(group, commands)
      return seconds.map(
        (second) =>
          `complete -c wimse -n '__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${seconds.join(' ')}' -a ${second}`,
      )
    }),
    ...commands.flatMap((command) => {
      const when = command.name
        .split(' ')
        .map((word) => `__fish_seen_subcommand_from ${word}`)
        .join('; and ')
      return [
        ...optionsOf(command).map(
          ([name, spec]) => `complete -c wimse -n '${when}' ${fishOption(name, spec)}`,
        ),
        ...operandChoices(command).map((choice) => `complete -c wimse -n '${when}' -a ${choice}`),
        ...(command.takesFiles === true ? [`complete -c wimse -n '${when}' -F`] : []),
      ]
    }),
  ]
  return `${lines.join('\n')}\n`
}

function fishOption(name: string, { short, value, about, choices, isFile }: OptionSpec): string {
  const parts = [`-l ${name}`, ...(short === undefined ? [] : [`-s ${short}`])]
  if (value !== undefined) parts.push(isFile === true ? '-r -F' : '-x')
  if (choices !== undefined) parts.push(`-a '${choices.join(' ')}'`)
  return `${parts.join(' ')} -d ${fishQuoted(about)}`
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
