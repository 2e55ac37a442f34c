import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

const CHUNK_BYTES = 65_536

/**
 * Reads a file that is not to be longer than so many bytes. Of a longer one no more is read. What is no file,
 * such as a pipe that nobody writes to, is not waited for.
 *
 * @throws Error when there is none, it is longer, or it is something else
 */
export async function readFileWithin(path: string, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  // Without O_NONBLOCK opening a pipe waits for its writer.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error('not a regular file')
    if (stat.size > maxBytes) throw tooLong(maxBytes)
    return await readToEnd(file, maxBytes, signal)
  } finally {
    await file.close()
  }
}

/** What a file says of its length may be wrong a moment later, and is nothing at all on some file systems. */
async function readToEnd(file: FileHandle, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let length = 0; length <= maxBytes; ) {
    signal.throwIfAborted()
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, maxBytes + 1 - length))
    const { bytesRead } = await file.read(chunk, 0, chunk.length)
    if (bytesRead === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, bytesRead))
    length += bytesRead
  }
  throw tooLong(maxBytes)
}

function tooLong(maxBytes: number): Error {
  return new Error(`longer than ${maxBytes} bytes`)
}
