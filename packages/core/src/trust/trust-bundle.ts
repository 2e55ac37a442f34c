import type { KeyObject } from 'node:crypto'
import { importPublicKey } from '../crypto/keys.js'
import type { AlgorithmName } from '../jws/algorithms.js'
import { readPublicJwk } from '../jws/public-jwk.js'
import type { JsonObject } from '../jws/strict-json.js'

/** A key that may sign identity tokens of one trust domain. */
export interface TrustKey {
  readonly kid: string | undefined
  /** One algorithm; Ed25519 keys without `alg` go by both of its names. */
  readonly algorithms: readonly AlgorithmName[]
  readonly key: KeyObject
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly thumbprint: string
}

/**
 * The keys that may sign for one trust domain, read once and never changed: new keys are a new bundle.
 * Make one with {@link readTrustBundle}.
 */
export interface TrustBundle {
  readonly keys: readonly TrustKey[]
  /** Entries of the key set that were left out because they cannot be used, in words. */
  readonly skipped: readonly string[]
  /** `spiffe_refresh_hint`, in seconds: how often to look for newer keys; null when the set does not say. */
  readonly refreshHint: number | null
  /** `spiffe_sequence`; null when the set does not say. */
  readonly sequence: number | null
}

/**
 * Reads a JWK set or a SPIFFE bundle. Of a SPIFFE bundle only keys of one `use` count, `"wit-svid"`. An entry
 * that cannot be used is left out and reported. No key at all is a bundle too, one that revokes everything:
 * `keys: []`, or a SPIFFE bundle whose keys are all for something else.
 *
 * @param use which keys of a SPIFFE bundle count; default those for identity tokens
 * @throws TypeError when it is not a JWK set, has more than 256 keys for this, or some and none can be used
 * @see {@link https://www.rfc-editor.org/rfc/rfc7517#section-5}
 */
export function readTrustBundle(jwks: unknown, use: SvidUse = WIT_SVID): TrustBundle {
  const entries = (jwks as { keys?: unknown } | null | undefined)?.keys
  if (!Array.isArray(entries)) throw new TypeError('not a JWK set: it has no array of keys')
  const isSpiffe = entries.some((entry) => SPIFFE_USES.has(useOf(entry)))
  const keys: TrustKey[] = []
  const namesByKid = new Map<string | undefined, Set<AlgorithmName>>()
  const skipped: string[] = []
  let considered = 0
  let imported = 0
  for (const [index, entry] of entries.entries()) {
    if (isSpiffe && useOf(entry) !== use) continue
    considered++
    const read = readEntry(entry, use)
    if (typeof read !== 'string' && ++imported > MOST_KEYS) {
      throw new TypeError(`the key set has more than ${MOST_KEYS} keys`)
    }
    const key = typeof read === 'string' ? read : importEntry(read)
    if (typeof key === 'string') {
      skipped.push(`keys[${index}]: ${key}`)
      continue
    }
    // Two keys that a token cannot tell apart are both kept, and both useless.
    const names = namesByKid.get(key.kid) ?? new Set()
    if (key.algorithms.some((name) => names.has(name)))
      skipped.push(`keys[${index}]: the id and algorithm of another key`)
    namesByKid.set(key.kid, new Set([...names, ...key.algorithms]))
    keys.push(key)
  }
  if (considered > 0 && keys.length === 0) {
    throw new TypeError(`not one usable key: ${skipped.slice(0, 5).join('; ')}`)
  }
  const bundle = Object.freeze({
    keys: Object.freeze(keys),
    skipped: Object.freeze(skipped),
    refreshHint: readPositive(jwks as JsonObject, 'spiffe_refresh_hint'),
    sequence: readPositive(jwks as JsonObject, 'spiffe_sequence'),
  })
  bundles.add(bundle)
  return bundle
}

/** Importing a key takes part of a millisecond in which nobody is served, and an issuer needs a few keys. */
const MOST_KEYS = 256

const bundles = new WeakSet<TrustBundle>()

/** Tells whether a value is a bundle made by {@link readTrustBundle}, and not something that looks like one. */
export function isTrustBundle(value: unknown): value is TrustBundle {
  return bundles.has(value as TrustBundle)
}

function readPositive(jwks: JsonObject, member: string): number | null {
  const value = jwks[member]
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

const WIT_SVID = 'wit-svid'

/** What a key of a SPIFFE bundle signs. */
export type SvidUse = 'wit-svid' | 'jwt-svid'

const SPIFFE_USES: ReadonlySet<unknown> = new Set([WIT_SVID, 'jwt-svid', 'x509-svid'])

function useOf(entry: unknown): unknown {
  return (entry as JsonObject | null)?.['use']
}

function readEntry(entry: unknown, use: SvidUse): ReturnType<typeof readPublicJwk> {
  if (typeof entry !== 'object' || entry === null) return 'not an object'
  return readPublicJwk(entry as JsonObject, ['sig', use])
}

function importEntry({
  jwk,
  kid,
  algorithms,
}: Exclude<ReturnType<typeof readPublicJwk>, string>): TrustKey | string {
  const imported = importPublicKey(jwk)
  return imported === null ? 'not on its curve' : Object.freeze({ kid, algorithms, ...imported })
}

/**
 * Finds the one key of a bundle that a token header may mean. Ids are compared, never interpreted; without
 * an id the key must be unambiguous.
 *
 * @returns null when no key fits or more than one does
 */
export function selectTrustKey(
  bundle: TrustBundle,
  kid: string | undefined,
  alg: AlgorithmName,
): TrustKey | null {
  const fitting = bundle.keys.filter(
    (key) => (kid === undefined || key.kid === kid) && key.algorithms.includes(alg),
  )
  return fitting.length === 1 ? fitting[0]! : null
}
