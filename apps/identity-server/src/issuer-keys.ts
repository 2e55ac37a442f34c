import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
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
}

/** Seconds that whoever reads the key set may keep it. */
export const KEY_SET_MAX_AGE = 60

/** Seconds that clocks may differ by. */
const CLOCK_TOLERANCE = 60

const FILE = 'issuer-keys.json'

interface StoredKey {
  readonly privateJwk: JWK
  /** Epoch seconds. */
  readonly signsFrom: number
  readonly signsUntil: number
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
  const { folder, witLifetime, now } = options
  const keyLifetime = readNumber('keyLifetime', options.keyLifetime, {
    default: 86_400,
    min: 4 * KEY_SET_MAX_AGE,
    max: 31_536_000,
  })
  const lead = Math.min(keyLifetime / 2, 3600)
  let keys = folder === undefined ? [] : await readKeys(folder)
  let rotating: Promise<void> | null = null

  async function rotate(): Promise<void> {
    rotating ??= update().finally(() => {
      rotating = null
    })
    return rotating
  }

  async function update(): Promise<void> {
    const at = now()
    const kept = keys.filter(({ signsUntil }) => at < signsUntil + witLifetime + CLOCK_TOLERANCE)
    const last = kept.at(-1)?.signsUntil ?? Number.NEGATIVE_INFINITY
    if (last - at > lead && kept.length === keys.length) return
    const next = [...kept]
    // After a standstill there is nobody to tell beforehand.
    for (let from = Math.max(last, at); from - at <= lead; from += keyLifetime) {
      next.push({ privateJwk: await generateKey(), signsFrom: from, signsUntil: from + keyLifetime })
    }
    // Kept before it is used: a key that signs and is forgotten would leave tokens that nobody can check.
    if (folder !== undefined) await writeKeys(folder, next)
    keys = next
  }

  await rotate()
  return {
    async signing() {
      await rotate()
      const at = now()
      const key = keys.find(({ signsFrom, signsUntil }) => signsFrom <= at && at < signsUntil)
      if (key === undefined) throw new Error('no key signs now: the clock was set back')
      return key.privateJwk
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
  try {
    const { keys } = JSON.parse(await readFile(join(folder, FILE), 'utf8')) as { keys: readonly StoredKey[] }
    if (keys.every(isStoredKey)) return keys
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    // What JSON.parse says of it quotes it, and it has private keys in it.
  }
  // Not overwritten: whoever comes to look has to find what there was.
  throw new Error(`${join(folder, FILE)} is not a set of issuer keys`)
}

function isStoredKey({ privateJwk, signsFrom, signsUntil }: StoredKey): boolean {
  const { kty, d, kid } = privateJwk
  return kty === 'EC' && typeof d === 'string' && typeof kid === 'string' && signsFrom < signsUntil
}

async function writeKeys(folder: string, keys: readonly StoredKey[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, FILE)
  await writeFile(`${path}.new`, JSON.stringify({ keys }), { mode: 0o600, flush: true })
  await rename(`${path}.new`, path)
}
