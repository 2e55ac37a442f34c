/** All that a command knows of the world but files and sockets. */
export interface Terminal {
  /** Standard input; null where there is nobody to read from, such as a keyboard. */
  readonly stdin: AsyncIterable<Uint8Array> | null
  /** Takes what was asked for. */
  readonly stdout: (chunk: string | Uint8Array) => void
  /** Takes warnings and errors. */
  readonly stderr: (text: string) => void
  /** Epoch seconds; `--now` takes its place. */
  readonly now: () => number
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    stdin: process.stdin.isTTY ? null : process.stdin,
    stdout: (chunk) => void process.stdout.write(chunk),
    stderr: (text) => void process.stderr.write(text),
    now: () => Date.now() / 1000,
  }
}
