import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { readNumber } from 'wimse'

/** The keys an identity server signs with, one after the other. */
export interface IssuerKeys {
  /** The private JWK to sign with now, with `alg` and `kid`. */
  signing(): Promise<JWK>
  /** Public JWKs: the next key, so that everyone has it before it signs, and those whose tokens still live. */
  published(): Promise<readonly JWK[]>
}

/** Options of {@link openIssuerKeys}. */
export interface IssuerKeysOptions {
  /** Folder to keep the keys in. Default none: they end with the process, and all its tokens with them. */
  readonly folder?: string | undefined
  /** Seconds a key signs for. Default 86,400, a day. */
  readonly keyLifetime?: number | undefined
  /** Seconds an identity token lives: how long a key is published after it has stopped signing. */
  readonly witLifetime: number
  /** Epoch seconds. */
  readonly now: () => number
  /** Told why the keys could not be written, while those at hand serve on. */
  readonly onFailure: (reason: string) => void
}

/** Seconds that whoever reads the key set may keep it. */
export const KEY_SET_MAX_AGE = 60

/** Seconds that clocks may differ by. */
const CLOCK_TOLERANCE = 60

/** Seconds until keys that could not be written are tried to be written again. */
const RETRY_SECONDS = 60

const FILE = 'issuer-keys.json'

interface StoredKey {
  readonly privateJwk: JWK
  /** Epoch seconds. */
  readonly signsFrom: number
  readonly signsUntil: number
  /** Seconds that the tokens it signed lived, at most. */
  readonly witLifetime: number
}

/**
 * Opens the keys of an identity server, or makes the first. A key is published before it signs and as long as
 * tokens signed with it live, so that rotation is noticed by nobody.
 *
 * One process at a time may have a folder. The private keys in it are protected by the rights of its file alone.
 *
 * @throws TypeError for a lifetime too short for everyone to see the next key in time
 * @throws Error when the folder cannot be used, or what is in it is not a set of keys
 */
export async function openIssuerKeys(options: IssuerKeysOptions): Promise<IssuerKeys> {
  const { folder, witLifetime, now, onFailure } = options
  const keyLifetime = readNumber('keyLifetime', options.keyLifetime, {
    default: 86_400,
    min: 4 * KEY_SET_MAX_AGE,
    max: 31_536_000,
  })
  const lead = Math.min(keyLifetime / 2, 3600)
  let keys = folder === undefined ? [] : await readKeys(folder)
  let rotating: Promise<void> | null = null
  let retryAt = Number.NEGATIVE_INFINITY

  const signs = ({ signsFrom, signsUntil }: StoredKey, at: number): boolean =>
    signsFrom <= at && at < signsUntil

  async function rotate(): Promise<void> {
    rotating ??= update().finally(() => {
      rotating = null
    })
    return rotating
  }

  /** What the keys should be by now; the same list when they are. */
  async function next(at: number): Promise<readonly StoredKey[]> {
    const kept = keys.filter((key) => at < key.signsUntil + key.witLifetime + CLOCK_TOLERANCE)
    const added: StoredKey[] = []
    const last = (): StoredKey | undefined => [...kept, ...added].at(-1)
    const add = async (signsFrom: number): Promise<void> => {
      const signsUntil = signsFrom + keyLifetime
      added.push({ privateJwk: await generateKey(), signsFrom, signsUntil, witLifetime })
    }
    // At once where no key signs: at first, after a standstill, and when a clock that was ahead was set right.
    if (!kept.some((key) => signs(key, at))) await add(at)
    while (last()!.signsUntil - at <= lead) await add(last()!.signsUntil)
    const longer = kept.some((key) => signs(key, at) && key.witLifetime < witLifetime)
    if (added.length === 0 && kept.length === keys.length && !longer) return keys
    return [...kept.map((key) => ({ ...key, witLifetime: Math.max(key.witLifetime, witLifetime) })), ...added]
  }

  async function update(): Promise<void> {
    const at = now()
    const isServed = keys.some((key) => signs(key, at))
    if (isServed && at < retryAt) return
    const wanted = await next(at)
    if (wanted === keys) return
    try {
      // Kept before it is used: a key that signs and is forgotten would leave tokens that nobody can check.
      if (folder !== undefined) await writeKeys(folder, wanted)
    } catch (error) {
      if (!isServed) throw error
      retryAt = at + RETRY_SECONDS
      onFailure(error instanceof Error ? error.message : 'the keys cannot be written')
      return
    }
    keys = wanted
  }

  await rotate()
  return {
    async signing() {
      await rotate()
      return keys.findLast((key) => signs(key, now()))!.privateJwk
    },
    async published() {
      await rotate()
      return keys.map(({ privateJwk }) => publicHalf(privateJwk))
    },
  }
}

async function generateKey(): Promise<JWK> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const kid = await calculateJwkThumbprint(await exportJWK(publicKey))
  return { ...(await exportJWK(privateKey)), alg: 'ES256', kid }
}

function publicHalf({ kty, crv, x, y, alg, kid }: JWK): JWK {
  return { kty, crv, x, y, alg, kid, use: 'sig' } as JWK
}

async function readKeys(folder: string): Promise<readonly StoredKey[]> {
  const path = join(folder, FILE)
  try {
    const { keys } = JSON.parse(await readFile(path, 'utf8')) as { keys: readonly StoredKey[] }
    if (keys.every(isStoredKey)) return keys
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    if (code === 'ENOTDIR') {
      throw new Error(`${folder} is no folder: it, or what it should be in, is a file`, { cause: error })
    }
    if (code !== undefined) throw new Error(`${path} cannot be read (${code})`, { cause: error })
    // What JSON.parse says of it quotes it, and it has private keys in it.
  }
  // Not overwritten: whoever comes to look has to find what there was.
  throw new Error(`${path} is not a set of issuer keys`)
}

function isStoredKey({ privateJwk, signsFrom, signsUntil, witLifetime }: StoredKey): boolean {
  const { kty, d, kid } = privateJwk
  return (
    kty === 'EC' &&
    typeof d === 'string' &&
    typeof kid === 'string' &&
    signsFrom < signsUntil &&
    witLifetime > 0
  )
}

async function writeKeys(folder: string, keys: readonly StoredKey[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (((await stat(folder)).mode & 0o022) !== 0) throw new Error(`${folder} can be written to by other users`)
  const path = join(folder, FILE)
  const fresh = `${path}.new`
  // Never into a file that is there: its rights are those that somebody gave it.
  await rm(fresh, { force: true })
  const file = await open(fresh, 'wx', 0o600)
  try {
    await file.writeFile(JSON.stringify({ keys }))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
}
