import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { chmod, lstat, open, rename, stat, unlink } from 'node:fs/promises'
import { parseJsonObject } from 'wimse'
import type { Given } from './command.js'
import { Failure, EXIT, inputFailure, usageFailure } from './failure.js'
import { isStdin, nameOf, readText } from './input.js'
import type { Terminal } from './terminal.js'

/** A JWK as it is written down. */
export type WrittenJwk = JsonWebKey & { readonly alg?: string; readonly kid?: string; readonly use?: string }

/** Members that only the holder of a key may know. */
const PRIVATE_MEMBERS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])

/** Reads a private key: a JWK, or PKCS #8 or SEC 1 in PEM, which is given back as it is. */
export async function readPrivateKey(
  path: string,
  what: string,
  terminal: Terminal,
  warn: (text: string) => void,
): Promise<WrittenJwk | string> {
  const text = await readText(path, what, terminal)
  await warnOfReaders(path, what, warn)
  if (isPem(text, path, what)) return text.trim()
  const jwk = parseJwk(text, path, what)
  if (typeof jwk['d'] === 'string') return jwk
  throw inputFailure(
    `${what}: ${nameOf(path)} is a public key`,
    'Give the file with the private key, which `wimse key --out` wrote.',
  )
}

/** Reads the public half of a key, private members and all left behind. */
export async function readPublicKey(path: string, what: string, terminal: Terminal): Promise<WrittenJwk> {
  const text = await readText(path, what, terminal)
  if (!isPem(text, path, what)) return publicHalf(parseJwk(text, path, what), `${what}: ${nameOf(path)}`)
  try {
    return createPublicKey(text).export({ format: 'jwk' })
  } catch {
    throw inputFailure(
      `${what}: ${nameOf(path)} is not a key in PEM`,
      'Give all of it, from BEGIN to END, or a JWK.',
    )
  }
}

/** @throws Failure when it is encrypted */
function isPem(text: string, path: string, what: string): boolean {
  if (!text.trimStart().startsWith('-----BEGIN')) return false
  if (!/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(text)) return true
  const file = !isStdin(path) && /^[\w./][\w./-]*$/.test(path) ? nameOf(path) : 'FILE'
  throw inputFailure(
    `${what}: ${nameOf(path)} is encrypted`,
    `\`openssl pkey -in ${file} -out plain.pem\` decrypts it.`,
  )
}

/** The public half of a JWK. @param where what an error calls it */
export function publicHalf(jwk: WrittenJwk, where: string): WrittenJwk {
  if (jwk.kty === 'oct') {
    throw inputFailure(
      `${where} is a secret, which has no public half`,
      'Give a key of a pair: `wimse key --out FILE` makes one.',
    )
  }
  const members = Object.entries(jwk).filter(([name]) => !PRIVATE_MEMBERS.has(name))
  const half = Object.fromEntries(members) as WrittenJwk
  try {
    createPublicKey({ key: half, format: 'jwk' })
  } catch {
    throw inputFailure(
      `${where} is not a key that can be used`,
      'Its members have to be of one key, on a curve that is known: `wimse key --out FILE` makes one.',
    )
  }
  return half
}

function parseJwk(text: string, path: string, what: string): WrittenJwk {
  const jwk = parseJsonObject(Buffer.from(text.trim()))
  if (jwk !== null && typeof jwk['kty'] === 'string') return jwk
  const isSet = jwk !== null && Array.isArray(jwk['keys'])
  throw inputFailure(
    `${what}: ${nameOf(path)} is ${isSet ? 'a set of keys' : 'neither a JWK nor PEM'}`,
    isSet ? 'Give a file with one key.' : '`wimse key --out FILE` makes one.',
  )
}

/** On Windows the mode says nothing. */
async function warnOfReaders(path: string, what: string, warn: (text: string) => void): Promise<void> {
  if (isStdin(path) || process.platform === 'win32') return
  // A pipe may be gone once it was read.
  const found = await stat(path).catch(() => null)
  if (found?.isFile() === true && (found.mode & 0o077) !== 0)
    warn(`${what}: ${path} can be read by others; chmod 600 keeps it private`)
}

/** Where `--out` says that a secret goes; undefined is standard output. */
export function readOut(given: Given): string | undefined {
  const path = given.one('out')
  const file = path === '-' ? undefined : path
  if (file === undefined && given.has('force')) {
    throw usageFailure('--force has no meaning without --out', 'Leave it out, or name a file with --out.')
  }
  return file
}

/**
 * Writes a secret to a file that nobody else can read, not even while it is written. A file that is there is
 * replaced with `force` alone, and then as a whole. A link never is, nor what it leads to: whoever has put it there
 * would choose which file that is.
 *
 * @throws Failure when there is one, or it cannot be written
 */
export async function writeSecret(path: string, text: string, force: boolean): Promise<void> {
  if (force) await refuseAllButFiles(path)
  const target = force ? `${path}.${process.pid}.new` : path
  try {
    // Fails when the name is there, even as a link to nowhere.
    const file = await open(target, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    if (process.platform !== 'win32') await chmod(target, 0o600)
    if (force) await rename(target, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (force && code !== 'EEXIST') await unlink(target).catch(() => undefined)
    if (code === 'EEXIST' && !force) {
      throw new Failure(
        EXIT.usage,
        'INPUT',
        `${nameOf(path)} is there already and was not touched`,
        'A key that is overwritten is gone. Choose another name, or say --force.',
      )
    }
    throw inputFailure(
      `${nameOf(path)} cannot be written (${code ?? 'for a reason unknown'})`,
      'Name a file in a folder that is there and that you may write to.',
    )
  }
}

/** @throws Failure for a link, a pipe, a device or a folder */
async function refuseAllButFiles(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null)
  if (found === null || found.isFile()) return
  const isLink = found.isSymbolicLink()
  throw inputFailure(
    `${nameOf(path)} is ${isLink ? 'a link' : 'not a file'} and was not touched`,
    isLink ? 'Name the file it leads to, or remove it.' : 'Choose another name, or remove it.',
  )
}
