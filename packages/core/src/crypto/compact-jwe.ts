import { createPrivateKey, type JsonWebKey, KeyObject } from 'node:crypto'
import { compactDecrypt } from 'jose'
import { decodeBase64url } from '../jws/base64url.js'
import { type JsonObject, parseJsonObject } from '../jws/strict-json.js'

/** A private key of ours, with the one algorithm it decrypts. */
export interface DecryptionKey {
  readonly algorithm: 'RSA-OAEP-256' | 'ECDH-ES'
  readonly key: KeyObject
}

/**
 * Reads a private key that others encrypt to: RSA of at least 2048 bits, or a key on P-256, P-384, P-521 or
 * X25519. A JWK that says it is for something else is refused.
 *
 * @returns the key, or in words what is wrong with it; never a part of it
 */
export function readDecryptionKey(value: unknown): DecryptionKey | string {
  const key = value instanceof KeyObject ? value : importPrivateJwk(value)
  if (key?.type !== 'private') return 'not a private key'
  const algorithm = algorithmFor(key)
  if (algorithm === null) return 'neither RSA of at least 2048 bits nor on P-256, P-384, P-521 or X25519'
  if (!(value instanceof KeyObject) && !isFor(algorithm, value as JsonObject)) {
    return `alg, use or key_ops is not for ${algorithm}`
  }
  return { algorithm, key }
}

function importPrivateJwk(value: unknown): KeyObject | null {
  try {
    return createPrivateKey({ key: value as JsonWebKey, format: 'jwk' })
  } catch {
    return null
  }
}

const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

function algorithmFor({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details = {},
}: KeyObject): DecryptionKey['algorithm'] | null {
  if (type === 'rsa') return (details.modulusLength ?? 0) >= 2048 ? 'RSA-OAEP-256' : null
  return type === 'x25519' || (type === 'ec' && CURVES.has(details.namedCurve)) ? 'ECDH-ES' : null
}

const DECRYPTING: ReadonlySet<unknown> = new Set(['decrypt', 'unwrapKey', 'deriveKey', 'deriveBits'])

function isFor(algorithm: string, { alg, use, key_ops: operations }: JsonObject): boolean {
  return (
    (alg === undefined || alg === algorithm) &&
    (use === undefined || use === 'enc') &&
    (operations === undefined || (Array.isArray(operations) && operations.some((one) => DECRYPTING.has(one))))
  )
}

/** Header parameters by algorithm. What is not here, such as `zip`, `crit` or `p2c`, is refused and not ignored. */
const PARAMETERS: Readonly<Record<DecryptionKey['algorithm'], ReadonlySet<string>>> = {
  'RSA-OAEP-256': new Set(['alg', 'enc', 'kid', 'typ', 'cty']),
  'ECDH-ES': new Set(['alg', 'enc', 'kid', 'typ', 'cty', 'epk', 'apu', 'apv']),
}

/**
 * Decrypts a compact JWE that was made for one key of ours: that key's algorithm, `A256GCM`, and no header
 * parameter that would change what is done.
 *
 * @returns the plaintext, or in words what is wrong: the same words for every decryption that fails, since
 *   telling one failure from another is what padding oracles live on
 * @see {@link https://www.rfc-editor.org/rfc/rfc7516#section-5.2}
 */
export async function decryptCompactJwe(
  jwe: string,
  { algorithm, key }: DecryptionKey,
): Promise<Uint8Array | string> {
  const parts = jwe.split('.', 6).map(decodeBase64url)
  const header = parts[0] instanceof Uint8Array ? parseJsonObject(parts[0]) : null
  if (parts.length !== 5 || parts.includes(null) || header === null) return 'not a compact JWE'
  if (header['alg'] !== algorithm) return `alg is not ${algorithm}, the algorithm of our key`
  if (header['enc'] !== 'A256GCM') return 'enc is not A256GCM'
  const odd = Object.keys(header).find((name) => !PARAMETERS[algorithm].has(name))
  if (odd !== undefined) return 'the header has a parameter that is not accepted'
  try {
    const { plaintext } = await compactDecrypt(jwe, key, {
      keyManagementAlgorithms: [algorithm],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
    return plaintext
  } catch {
    return 'it cannot be decrypted'
  }
}
