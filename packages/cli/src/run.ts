import { isPromise, SigningError } from 'wimse'
import type { Command } from './command.js'
import { findCommand, readCommandLine } from './command-line.js'
import { callCommand } from './commands/call.js'
import { completionCommand } from './commands/completion.js'
import { conformanceCommand } from './commands/conformance.js'
import { inspectCommand } from './commands/inspect.js'
import { keyCommand } from './commands/key.js'
import { witIssueCommand } from './commands/wit-issue.js'
import { witVerifyCommand } from './commands/wit-verify.js'
import { wptSignCommand } from './commands/wpt-sign.js'
import { wptVerifyCommand } from './commands/wpt-verify.js'
import { cureOf } from './cures.js'
import { EXIT, type ExitCode, Failure, usageFailure } from './failure.js'
import { helpDocument, helpOf, overview } from './help.js'
import { inOptionsOfCommands, readEpoch } from './option-values.js'
import { printable } from './printable.js'
import type { Terminal } from './terminal.js'
import { readVersion } from './version.js'

const commands: readonly Command[] = [
  keyCommand,
  witIssueCommand,
  witVerifyCommand,
  wptSignCommand,
  wptVerifyCommand,
  inspectCommand,
  callCommand,
  conformanceCommand,
  completionCommand((): readonly Command[] => commands),
]

/**
 * Runs one command line. It never throws: what goes wrong is told on standard error, or with `--json` on
 * standard output, without any token, key or stack.
 *
 * @param words what follows `wimse`
 */
export async function run(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  // Looked for by hand, so that a command line that cannot be read is answered in the form asked for.
  const json = words.includes('--json')
  const output = quiet(terminal)
  try {
    return await runCommand(inUsualOrder(words), output, json)
  } catch (error) {
    return report(error, output, json)
  }
}

/** Most of what is written is short and not waited for: that it was not taken is no unhandled rejection. */
function quiet(terminal: Terminal): Terminal {
  return {
    stdin: terminal.stdin,
    stdout: (chunk) => {
      const written = terminal.stdout(chunk)
      if (isPromise(written)) written.then(undefined, () => undefined)
      return written
    },
    stderr: (text) => terminal.stderr(text),
    now: () => terminal.now(),
  }
}

const HELP: ReadonlySet<string> = new Set(['help', '--help', '-h'])

/** `--json` may come first, and the wish for help before the command that it is about. */
function inUsualOrder(words: readonly string[]): readonly string[] {
  const begin = words.findIndex((word) => word !== '--json')
  const [first, ...others] = begin === -1 ? [] : words.slice(begin)
  if (first === undefined) return []
  const about = HELP.has(first) ? others.filter((word) => !word.startsWith('-')) : []
  return about.length === 0 ? [first, ...others] : [...about, '--help']
}

async function runCommand(words: readonly string[], terminal: Terminal, json: boolean): Promise<ExitCode> {
  const tellHelp = (about: readonly Command[], text: string): ExitCode => {
    terminal.stdout(json ? `${JSON.stringify(helpDocument(about), null, 2)}\n` : text)
    return EXIT.done
  }
  const [first] = words
  if (first !== undefined && HELP.has(first)) return tellHelp(commands, overview(commands))
  if (first === '--version') {
    const version = readVersion()
    terminal.stdout(json ? `${JSON.stringify({ command: 'version', version }, null, 2)}\n` : `${version}\n`)
    return EXIT.done
  }
  const found = findCommand(words, commands)
  if (found === null) {
    const group = commands.filter(({ name }) => first !== undefined && name.startsWith(`${first} `))
    if (group.length > 0 && words.some((word) => word === '--help' || word === '-h')) {
      return tellHelp(group, group.map(helpOf).join('\n'))
    }
    throw usageFailure(
      group.length > 0
        ? `wimse ${first} needs one of: ${group.map(({ name }) => name.split(' ')[1]).join(', ')}`
        : first === undefined
          ? 'no command given'
          : first.startsWith('-')
            ? 'options come after the command'
            : 'there is no such command',
      'wimse --help lists the commands.',
    )
  }
  const { command, rest } = found
  const given = readCommandLine(command, rest)
  if (given.has('help')) return tellHelp([command], helpOf(command))
  const now = given.has('now') ? readEpoch('now', given.one('now')!) : terminal.now()
  const warn = (text: string): void => terminal.stderr(`wimse: warning: ${printable(text)}\n`)
  return command.run({ given, terminal, json, now, warn })
}

function report(error: unknown, terminal: Terminal, json: boolean): ExitCode {
  const { exitCode, code, message, cure } = asFailure(error)
  if (json) {
    terminal.stdout(`${JSON.stringify({ error: { code, message, cure } }, null, 2)}\n`)
  } else {
    terminal.stderr(`wimse: ${printable(message)}\n  ${printable(cure)}\n`)
  }
  return exitCode
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof SigningError) {
    const { code, message, diagnostics } = error
    return new Failure(
      EXIT.refused,
      code,
      `${message} ${sentence(diagnostics.reason)} (${code})`,
      cureOf(code),
    )
  }
  // Those of the packages name the option that is wrong, and nothing of its value; those of Node may repeat it.
  if (error instanceof TypeError && !('code' in error)) {
    return usageFailure(
      inOptionsOfCommands(error.message),
      '--help of the command says what each of its options takes.',
    )
  }
  return new Failure(
    EXIT.usage,
    'INTERNAL',
    `something went wrong that should not have: ${error instanceof Error ? error.name : typeof error}`,
    'This is a fault of wimse itself: please report it, with the command line and without its tokens.',
  )
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
}
