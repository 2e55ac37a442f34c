/** All that a command knows of the world but files and sockets. */
export interface Terminal {
  /** Standard input; null where there is nobody to read from, such as a keyboard. */
  readonly stdin: AsyncIterable<Uint8Array> | null
  /**
   * Takes what was asked for. Where it gives a promise, that is waited for before more of a long answer is read, and
   * when it rejects no more is written.
   */
  readonly stdout: (chunk: string | Uint8Array) => unknown
  /** Takes warnings and errors. */
  readonly stderr: (text: string) => void
  /** Epoch seconds; `--now` takes its place. */
  readonly now: () => number
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    stdin: process.stdin.isTTY ? null : process.stdin,
    stdout: writeToStdout,
    stderr: (text) => void process.stderr.write(text),
    now: () => Date.now() / 1000,
  }
}

async function writeToStdout(chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}
