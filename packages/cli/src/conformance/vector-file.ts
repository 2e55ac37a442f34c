import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import type { JsonObject } from 'wimse'
import { inputFailure } from '../failure.js'
import { nameOf, readJson } from '../input.js'
import type { Terminal } from '../terminal.js'

/** One file of vectors; its name is relative to the folder that was given. */
export interface VectorFile {
  readonly name: string
  readonly document: JsonObject
}

/** All JSON files of a folder, or those that its `manifest.json` lists; or one file. */
export async function readVectorFiles(path: string, terminal: Terminal): Promise<readonly VectorFile[]> {
  let names: readonly string[]
  try {
    names = (await readdir(path)).filter((name) => name.endsWith('.json')).sort()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return [await readFrom(dirname(path), basename(path), terminal)]
    throw inputFailure(
      `the vectors: ${nameOf(path)}: ${code === 'ENOENT' ? 'there is no such folder' : 'it cannot be read'}`,
      'Give a folder of JSON files that you may read, or one of them.',
    )
  }
  if (!names.includes('manifest.json')) {
    return Promise.all(names.map(async (name) => readFrom(path, name, terminal)))
  }
  const { document } = await readFrom(path, 'manifest.json', terminal)
  return Promise.all(listedIn(document, path).map(async (name) => readFrom(path, name, terminal)))
}

async function readFrom(folder: string, name: string, terminal: Terminal): Promise<VectorFile> {
  return { name, document: await readJson(join(folder, name), 'the vectors', terminal) }
}

/** Paths of a manifest stay in its folder: it may be somebody else's. */
function listedIn({ vectors }: JsonObject, folder: string): readonly string[] {
  const entries = Array.isArray(vectors) ? (vectors as readonly { readonly path?: unknown }[]) : []
  const paths = entries.map((entry) => entry?.path)
  if (paths.length === 0 || !paths.every((path) => typeof path === 'string')) {
    throw inputFailure(
      'the vectors: manifest.json does not list vectors by their path',
      'Its member vectors is a list of objects with a path each.',
    )
  }
  const root = resolve(folder) + sep
  const outside = (paths as readonly string[]).some((path) => !resolve(folder, path).startsWith(root))
  if (outside) {
    throw inputFailure(
      'the vectors: manifest.json lists a file outside its folder',
      'Put the files beside it, or give one of them instead of the folder.',
    )
  }
  return paths
}
