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
 * @throws TypeError when it is not a JWK set, or has entries and none that can be used
 */
export function readKeySet(jwks: unknown): KeySet {
  const entries = (jwks as { keys?: unknown } | null)?.keys
  if (!Array.isArray(entries)) throw new TypeError('not a JWK set: it has no array of keys')
  const isSpiffe = entries.some((entry) => SPIFFE_USES.has(useOf(entry)))
  const read = entries
    .map((entry, index) => ({ entry: entry as unknown, index }))
    .filter(({ entry }) => !isSpiffe || useOf(entry) === 'wit-svid')
    .map(({ entry, index }) => ({ index, key: readEntry(entry) }))
  const keys = read.map(({ key }) => key).filter((key) => typeof key !== 'string')
  const skipped = read.flatMap(({ index, key }) =>
    typeof key === 'string' ? [`keys[${index}]: ${key}`] : [],
  )
  if (read.length > 0 && keys.length === 0) {
    throw new TypeError(`not one usable key: ${skipped.slice(0, 5).join('; ')}`)
  }
  return { keys, skipped }
}

/** Reads one public key, down to whether its point is on the curve. @returns it, or what is wrong with it */
export function readUsableJwk(jwk: JsonObject, acceptedUses: readonly string[]): ReadJwk | string {
  const read = readPublicJwk(jwk, acceptedUses)
  return typeof read === 'string' || isOnCurve(read.jwk) ? read : 'not on its curve'
}

function readEntry(entry: unknown): ReadJwk | string {
  if (typeof entry !== 'object' || entry === null) return 'not an object'
  return readUsableJwk(entry as JsonObject, ['sig', 'wit-svid'])
}

function useOf(entry: unknown): unknown {
  return (entry as JsonObject | null | undefined)?.['use']
}
