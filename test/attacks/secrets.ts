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
          .split('\r\n')
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
