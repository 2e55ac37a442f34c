import { constants, createHmac, createPrivateKey, type JsonWebKey, sign } from 'node:crypto'

/** A header or claims: an object, or text that is no JSON, or bytes that are no text. */
export type Part = Readonly<Record<string, unknown>> | string | Uint8Array

/** Makes a signature over a signing input. */
export type Signer = (signingInput: string) => Uint8Array | string

/** Makes a compact JWS of anything. */
export function forge(header: Part, payload: Part, signer: Signer): string {
  const signingInput = `${encode(header)}.${encode(payload)}`
  const signature = signer(signingInput)
  return `${signingInput}.${typeof signature === 'string' ? signature : Buffer.from(signature).toString('base64url')}`
}

/** Encodes as base64url. */
export function encode(part: Part): string {
  const bytes = part instanceof Uint8Array || typeof part === 'string' ? part : JSON.stringify(part)
  return Buffer.from(bytes as string).toString('base64url')
}

/** Reads a part of a token. */
export function decode(token: string, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[part]!, 'base64url').toString()) as Record<string, unknown>
}

/** Signs as the algorithm says, with whatever key: ES* raw, RS*, PS* and EdDSA. */
export function by(jwk: object, alg: string): Signer {
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  const hash = `sha${alg.slice(2)}`
  return (input) => {
    const data = Buffer.from(input)
    if (alg.startsWith('Ed')) return sign(null, data, key)
    if (alg.startsWith('ES')) return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
    if (alg.startsWith('RS')) return sign(hash, data, key)
    return sign(hash, data, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    })
  }
}

/** Signs with ECDSA and leaves the signature in DER. */
export function byDer(jwk: object): Signer {
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  return (input) => sign('sha256', Buffer.from(input), key)
}

/** Makes a MAC, with a text that is no secret. */
export function byMac(secret: string | Uint8Array, alg = 'HS256'): Signer {
  return (input) =>
    createHmac(`sha${alg.slice(2)}`, secret)
      .update(input)
      .digest()
}

/** Gives the same bytes whatever is signed. */
export function bytes(length: number, fill = 0): Signer {
  return () => new Uint8Array(length).fill(fill)
}
