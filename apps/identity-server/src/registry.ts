import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseWorkloadIdentifier, watchFile } from 'wimse'

/** Knows which workload a bootstrap secret was given to. */
export interface Registry {
  /** Gives the workload identifier, or null when nobody was given this secret. Takes as long for either. */
  subjectOf(secret: string): string | null
  /** Stops watching. */
  close(): void
}

/** A registry in a file. */
interface RegistryFile {
  readonly workloads: readonly {
    /** Workload identifier. */
    readonly id: string
    /** Path of the file with its bootstrap secret, from the folder of the registry. */
    readonly bootstrapFile: string
  }[]
}

interface Entry {
  readonly subject: string
  readonly hash: Buffer
}

const SHORTEST_SECRET = 16

/** What a bearer token is made of: RFC 6750 section 2.1. No other secret could ever be shown. */
const BEARER = /^[\w~+/.-]+=*$/

const READ_EVERY_MS = 10_000
const WATCH_SETTLES_MS = 50

/**
 * Reads which workload was given which secret. Only hashes are kept.
 *
 * @param secrets secret by workload identifier
 * @throws TypeError for an identifier of another trust domain, and for a secret that is short, shared or no bearer token
 */
export function memoryRegistry(trustDomain: string, secrets: Readonly<Record<string, string>>): Registry {
  const entries = readEntries(trustDomain, Object.entries(secrets))
  return { subjectOf: (secret) => find(entries, secret), close: () => undefined }
}

/**
 * Reads the workloads from a file, and again whenever it changes: a workload that is gone from it gets no more
 * tokens; those it has live until they expire. While the file cannot be read the last good one counts.
 *
 * ```json
 * { "workloads": [{ "id": "wimse://example.com/checkout", "bootstrapFile": "secrets/checkout" }] }
 * ```
 *
 * @param failed told why a changed file cannot be used; never anything from a secret
 * @throws Error when it cannot be used at first
 */
export async function fileRegistry(
  trustDomain: string,
  path: string,
  failed: (reason: string) => void,
): Promise<Registry> {
  const load = async (): Promise<readonly Entry[]> => readEntries(trustDomain, await readSecrets(path))
  let entries = await load()
  let reloading: Promise<void> = Promise.resolve()
  /** One after the other: what was read first must not count last. */
  const reload = async (): Promise<void> => {
    reloading = reloading.then(readAgain)
    return reloading
  }
  const readAgain = async (): Promise<void> => {
    try {
      entries = await load()
    } catch (error) {
      failed(error instanceof Error ? error.message : 'the registry cannot be read')
    }
  }
  let settling: NodeJS.Timeout | undefined
  const unwatch = watchFile(path, () => {
    clearTimeout(settling)
    settling = setTimeout(() => void reload(), WATCH_SETTLES_MS).unref()
  })
  const timer = setInterval(() => void reload(), READ_EVERY_MS).unref()
  return {
    subjectOf: (secret) => find(entries, secret),
    close: () => {
      clearTimeout(settling)
      clearInterval(timer)
      unwatch()
    },
  }
}

async function readSecrets(path: string): Promise<[string, string][]> {
  const { workloads } = readRegistryFile(await readFile(path, 'utf8'), path)
  return Promise.all(
    workloads.map(async ({ id, bootstrapFile }): Promise<[string, string]> => {
      const secret = await readFile(resolve(dirname(path), bootstrapFile), 'utf8')
      return [id, secret.trim()]
    }),
  )
}

function readRegistryFile(text: string, path: string): RegistryFile {
  try {
    const file = JSON.parse(text) as RegistryFile
    if (
      file.workloads.every(({ id, bootstrapFile }) => typeof id + typeof bootstrapFile === 'stringstring')
    ) {
      return file
    }
  } catch {
    // The message below says what is wanted.
  }
  throw new Error(`${path} is not { "workloads": [{ "id": …, "bootstrapFile": … }] }`)
}

function readEntries(trustDomain: string, secrets: readonly (readonly [string, string])[]): readonly Entry[] {
  const entries = secrets.map(([subject, secret]) => {
    const { id, trustDomain: domain } = parseWorkloadIdentifier(subject)
    if (domain !== trustDomain) throw new TypeError(`${id} is not a workload of ${trustDomain}`)
    if (typeof secret !== 'string' || secret.length < SHORTEST_SECRET) {
      throw new TypeError(`the secret of ${id} must have at least ${SHORTEST_SECRET} characters`)
    }
    if (!BEARER.test(secret)) {
      throw new TypeError(
        `the secret of ${id} is no bearer token: letters, digits and any of -._~+/, then = if need be`,
      )
    }
    return { subject: id, hash: hashOf(secret) }
  })
  if (new Set(entries.map(({ hash }) => hash.toString('hex'))).size < entries.length) {
    throw new TypeError('two workloads share a secret')
  }
  return entries
}

function find(entries: readonly Entry[], secret: string): string | null {
  const presented = hashOf(secret)
  let found: string | null = null
  // Every entry, and hashes instead of secrets, so that the time taken tells nothing.
  for (const { subject, hash } of entries) if (timingSafeEqual(hash, presented)) found = subject
  return found
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
