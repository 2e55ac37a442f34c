import type { Command } from '../command.js'
import { bashCompletion, fishCompletion, zshCompletion } from '../completion-scripts.js'
import { EXIT, usageFailure } from '../failure.js'

/** `wimse completion`, for the commands there are; a function, since it is one of them. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    summary: 'Print a script that completes commands and options in a shell.',
    operands: 'bash|zsh|fish',
    options: {},
    positionals: [1, 1],
    examples: [
      'source <(wimse completion bash)',
      'wimse completion zsh > "${fpath[1]}/_wimse"',
      'wimse completion fish > ~/.config/fish/completions/wimse.fish',
    ],
    run: async ({ given, terminal, json }) => {
      const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
      const shell = given.positionals[0]!
      if (!Object.hasOwn(scripts, shell)) {
        throw usageFailure('there is no completion for that shell', 'It is one of bash, zsh, fish.')
      }
      const script = scripts[shell as keyof typeof scripts](commands())
      terminal.stdout(
        json ? `${JSON.stringify({ command: 'completion', shell, script }, null, 2)}\n` : script,
      )
      return EXIT.done
    },
  }
}
