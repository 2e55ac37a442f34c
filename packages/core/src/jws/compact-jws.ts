import { ALGORITHMS, type SignatureAlgorithm } from './algorithms.js'
import { decodeBase64url, encodeBase64url } from './base64url.js'
import { type JsonObject, parseJsonObject } from './strict-json.js'

/** The parts of a compact JWS, whatever its payload is. Nobody has looked yet whether they mean anything. */
export interface JwsParts {
  readonly header: JsonObject
  /** Key id of the header; attacker input, only ever compared with ids we hold. */
  readonly kid: string | undefined
  readonly payload: Uint8Array
  /** What the signature is over: ASCII. */
  readonly signingInput: string
  readonly signature: Uint8Array
}

/** A compact JWS with claims, taken apart. Its shape is right; nothing in it is to be believed yet. */
export interface UnverifiedJws {
  readonly algorithm: SignatureAlgorithm
  /** Key id of the header; attacker input, only ever compared with ids we hold. */
  readonly kid: string | undefined
  readonly claims: JsonObject
  /** What the signature is over: ASCII. */
  readonly signingInput: string
  readonly signature: Uint8Array
}

/** What is wrong with the shape of a JWS; the last part of the error codes of WIT and WPT. */
export type JwsFault = 'MALFORMED' | 'CRITICAL' | 'TYPE' | 'ALGORITHM'

/** A JWS whose shape is refused. Never leaves core: WIT and WPT give it their own code. */
export class JwsRefused extends Error {
  override readonly name = 'JwsRefused'
  readonly fault: JwsFault
  readonly received: unknown

  constructor(fault: JwsFault, reason: string, received?: unknown) {
    super(reason)
    this.fault = fault
    this.received = received
  }
}

/** What kind of token is expected. */
export interface ExpectedJws {
  /** Media type without `application/`, such as `wit+jwt`. */
  readonly typ: string
  /** Algorithms accepted, by name. */
  readonly algorithms: ReadonlySet<string>
}

/**
 * Takes a compact JWS with a JSON payload apart and checks its shape: exactly three parts in canonical
 * base64url, strict JSON, no critical extensions, the media type, an algorithm from the list.
 *
 * This does NOT verify the signature, nor look at any claim. Key material in the header (`jwk`, `jku`,
 * `x5c`, `x5u`) is never read.
 *
 * @throws JwsRefused
 * @see {@link https://www.rfc-editor.org/rfc/rfc7515#section-5.2}
 */
export function parseCompactJws(token: string, expected: ExpectedJws): UnverifiedJws {
  const { header, kid, payload, signingInput, signature } = splitCompactJws(token)
  const claims = parseJsonObject(payload)
  if (claims === null) throw new JwsRefused('MALFORMED', 'the payload is not one strict JSON object')
  refuseCritical(header)
  if (!conveysMediaType(header['typ'], expected.typ)) {
    throw new JwsRefused('TYPE', `typ does not convey ${expected.typ}`, header['typ'])
  }
  const { alg } = header
  const algorithm = typeof alg === 'string' && expected.algorithms.has(alg) ? ALGORITHMS.get(alg) : undefined
  if (algorithm === undefined) {
    throw new JwsRefused('ALGORITHM', 'alg is not one of the accepted algorithms', alg)
  }
  return { algorithm, kid, claims, signingInput, signature }
}

/**
 * Splits a compact JWS with any payload: exactly three parts in canonical base64url, a header in strict
 * JSON. An empty payload is refused, because a detached one looks the same.
 *
 * This does NOT verify the signature, nor look at the header beyond `kid`; {@link refuseCritical} is next.
 *
 * @throws JwsRefused `MALFORMED`
 */
export function splitCompactJws(token: string): JwsParts {
  const firstDot = token.indexOf('.')
  const lastDot = token.lastIndexOf('.')
  if (firstDot <= 0 || lastDot <= firstDot + 1 || token.indexOf('.', firstDot + 1) !== lastDot) {
    throw new JwsRefused('MALFORMED', 'not three parts joined by dots')
  }
  const header = readHeader(token.slice(0, firstDot))
  const payload = decodePart(token.slice(firstDot + 1, lastDot), 'payload')
  const signature = decodePart(token.slice(lastDot + 1), 'signature')
  const { kid } = header
  if (kid !== undefined && typeof kid !== 'string') throw new JwsRefused('MALFORMED', 'kid is not a string')
  return { header, kid, payload, signingInput: token.slice(0, lastDot), signature }
}

/** Refuses a header with critical parameters: we understand no extension, so each of them is unknown. */
export function refuseCritical(header: JsonObject): void {
  if ('crit' in header) throw new JwsRefused('CRITICAL', 'the header has critical parameters')
}

/** Headers that have come, by their text. Those of proofs are a few words that hardly ever change. */
const knownHeaders = new Map<string, JsonObject>()
const MOST_KNOWN_HEADERS = 64
const LONGEST_KNOWN_HEADER = 256

function readHeader(part: string): JsonObject {
  const known = knownHeaders.get(part)
  if (known !== undefined) return known
  const bytes = decodePart(part, 'header')
  const header = parseJsonObject(bytes)
  if (header === null) throw new JwsRefused('MALFORMED', 'the header is not one strict JSON object')
  if (part.length <= LONGEST_KNOWN_HEADER && Object.values(header).every(isString)) {
    if (knownHeaders.size === MOST_KNOWN_HEADERS) knownHeaders.clear()
    // A text of its own: the part is a view of the token, and would keep all of it.
    knownHeaders.set(encodeBase64url(bytes), Object.freeze(header))
  }
  return header
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function decodePart(part: string, name: string): Uint8Array {
  const bytes = decodeBase64url(part)
  if (bytes === null) throw new JwsRefused('MALFORMED', `the ${name} is not canonical base64url`)
  return bytes
}

/** Media types ignore case, and `application/` is implied where a value has no slash (RFC 7515 4.1.9). */
function conveysMediaType(typ: unknown, expected: string): boolean {
  if (typ === expected) return true
  if (typeof typ !== 'string') return false
  const lower = typ.toLowerCase()
  return lower === expected || lower === `application/${expected}`
}
