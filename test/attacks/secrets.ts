import type { Sent } from './attack.js'
import type { Scene } from './scene.js'

const SHORTEST = 12

/**
 * Whatever of a message must be found in no log and no answer: of the fields that carry tokens every part
 * that a dot, comma, space or quotation mark sets off, unless it is too short to mean anything.
 */
export function secretsOf(sent: Sent): readonly string[] {
  const values =
    typeof sent === 'string'
      ? sent
          .replace(/\r?\n[ \t]/g, ' ')
          .split(/\r\n|\r|\n/)
          .filter((line) => CREDENTIAL.test(line))
          .map((line) => line.slice(line.indexOf(':') + 1))
      : sent.filter(([name]) => CREDENTIAL.test(`${name}:`)).map(([, value]) => value)
  return [...new Set(values.flatMap((value) => value.split(/[^\w-]+/)))].filter(
    (part) => part.length >= SHORTEST && !/^workload-/i.test(part),
  )
}

const CREDENTIAL =
  /^\s*[^:\s]*(?:workload|authorization|txn-token|session|cookie|__proto__|constructor)[^:]*:/i

/** The private halves of every key that takes part. */
export function keyMaterialOf(scene: Scene): readonly string[] {
  const { key, attackerKey, identityServer, partner, spiffe, rsa, ed } = scene
  const issuers = [identityServer, partner, spiffe, rsa, ed].map(({ issuerKey }) => issuerKey)
  return [key.privateJwk, attackerKey.privateJwk, ...issuers].flatMap(({ d, p, q }) =>
    [d, p, q].filter((member) => member !== undefined),
  )
}

/** A text, and all that it has in numbers of bytes, in hexadecimal digits and in base64. */
export function readingsOf(text: string): string {
  const numbers = [...text.matchAll(NUMBERS)].map(([list]) =>
    Buffer.from([...list.matchAll(/\d+(?=\s*[,\]}])/g)].map(Number)).toString('latin1'),
  )
  const digits = [...text.matchAll(HEXADECIMAL)].map(([run]) => Buffer.from(run, 'hex').toString('latin1'))
  const base64 = [...text.matchAll(BASE64)].map(([run]) => Buffer.from(run, 'base64').toString('latin1'))
  return [text, ...numbers, ...digits, ...base64].join('\n')
}

/** A list of bytes, as of a `Buffer`; or an object of them, as of a `Uint8Array`. */
const NUMBERS = /\[\s*\d{1,3}(?:,\s*\d{1,3}){11,}\s*\]|\{"0":\d{1,3}(?:,"\d+":\d{1,3}){11,}\}/g
const HEXADECIMAL = /(?:[\da-f]{2}){12,}/gi
const BASE64 = /[\w+/-]{16,}/g

/**
 * Whatever the tokens behind such parts say of one caller or one request: subjects with a path, and proof
 * identifiers.
 */
export function identifiersIn(secrets: Iterable<string>): readonly string[] {
  return [...secrets].flatMap((part) => {
    try {
      const { sub, jti } = JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
      const named = [sub, jti].filter((value) => typeof value === 'string')
      return named.filter((value) => value.length >= SHORTEST && !/^\w+:\/\/[^/]*$/.test(value))
    } catch {
      return []
    }
  })
}
