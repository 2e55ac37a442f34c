import { type ReadJwk, readPublicJwk } from '../jws/public-jwk.js'
import type { JsonObject } from '../jws/strict-json.js'
import { isOnCurve } from './curve-point.js'

/** The keys of one trust domain that may sign identity tokens. */
export interface KeySet {
  readonly keys: readonly ReadJwk[]
  /** Entries that cannot be used, in words. */
  readonly skipped: readonly string[]
}

const SPIFFE_USES: ReadonlySet<unknown> = new Set(['wit-svid', 'jwt-svid', 'x509-svid'])

/**
 * Reads a JWK set or a SPIFFE bundle as a service does, whose reader imports the keys and so runs on a server
 * alone. A key that cannot be used is left out and reported.
 *
 * @throws TypeError when it is not a JWK set, has more than 256 keys for this, or some and none can be used
 */
export function readKeySet(jwks: unknown): KeySet {
  const entries = (jwks as { keys?: unknown } | null)?.keys
  if (!Array.isArray(entries)) throw new TypeError('not a JWK set: it has no array of keys')
  const isSpiffe = entries.some((entry) => SPIFFE_USES.has(useOf(entry)))
  const considered = [...entries.entries()].filter(([, entry]) => !isSpiffe || useOf(entry) === 'wit-svid')
  const read = considered.map(([index, entry]) => [index, readEntry(entry)] as const)
  if (read.filter(([, key]) => typeof key !== 'string').length > MOST_KEYS) {
    throw new TypeError(`the key set has more than ${MOST_KEYS} keys`)
  }
  const checked = read.map(([index, key]) => [index, onCurve(key)] as const)
  const keys = checked.map(([, key]) => key).filter((key) => typeof key !== 'string')
  const skipped = checked.flatMap(([index, key]) =>
    typeof key === 'string' ? [`keys[${index}]: ${key}`] : [],
  )
  if (read.length > 0 && keys.length === 0) {
    throw new TypeError(`not one usable key: ${skipped.slice(0, 5).join('; ')}`)
  }
  return { keys, skipped }
}

/** As many as a service takes. */
const MOST_KEYS = 256

/** Reads one public key, down to whether its point is on the curve. @returns it, or what is wrong with it */
export function readUsableJwk(jwk: JsonObject, acceptedUses: readonly string[]): ReadJwk | string {
  return onCurve(readPublicJwk(jwk, acceptedUses))
}

function onCurve(key: ReadJwk | string): ReadJwk | string {
  return typeof key === 'string' || isOnCurve(key.jwk) ? key : 'not on its curve'
}

function readEntry(entry: unknown): ReadJwk | string {
  if (typeof entry !== 'object' || entry === null) return 'not an object'
  return readPublicJwk(entry as JsonObject, ['sig', 'wit-svid'])
}

function useOf(entry: unknown): unknown {
  return (entry as JsonObject | null | undefined)?.['use']
}
