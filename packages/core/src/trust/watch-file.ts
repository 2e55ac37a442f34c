import { watch } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Calls back when something happens where a file is. It watches the folder and not the file: replacing a
 * file leaves a watch on the one that was replaced. File systems that do not tell are no error; look from
 * time to time as well.
 *
 * @returns a function that stops watching
 */
export function watchFile(path: string, changed: () => void): () => void {
  try {
    const watcher = watch(dirname(path), { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => undefined
  }
}
