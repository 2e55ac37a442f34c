import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { decodeBase64url } from '../jws/base64url.js'
import { isEdwardsPublicKey } from '../jws/edwards-point.js'
import type { PublicJwk } from '../jws/public-jwk.js'

/** A public key made ready for verifying. */
export interface ImportedKey {
  readonly key: KeyObject
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly thumbprint: string
}

/** Imports a key whose members have been read; null when its point is not on the curve. */
export function importPublicKey(jwk: PublicJwk): ImportedKey | null {
  if (jwk.kty === 'OKP' && !isEdwardsPublicKey(decodeBase64url(jwk.x!)!)) return null
  try {
    return {
      key: createPublicKey({ key: { ...jwk }, format: 'jwk' }),
      thumbprint: thumbprintOf(jwk),
    }
  } catch {
    return null
  }
}

/**
 * RFC 7638 thumbprint of a public key.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7638#section-3}
 */
export function thumbprintOf({ kty, crv, x, y, n, e }: PublicJwk): string {
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'OKP' ? { crv, kty, x } : { crv, kty, x, y }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}
