import { normalizeEscapes } from './percent-encoding.js'

/**
 * A workload identifier that has been checked for syntax. It says nothing about who uses it: an
 * identifier is authenticated only when it comes from a verified credential.
 */
export interface WorkloadIdentifier {
  /** The whole URI, in its one canonical spelling: compare identifiers with `===`. */
  readonly id: string
  /** Scheme and trust domain, such as `wimse://example.com`. */
  readonly trustDomain: string
  /** What follows the trust domain: empty, or `/` and segments. */
  readonly path: string
}

/** Longest identifier accepted, in bytes; the identifier draft asks for at least this much. */
const LONGEST_IDENTIFIER = 2048

const LONGEST_TRUST_DOMAIN = 255

/**
 * Reads a workload identifier: an absolute URI whose authority is a trust domain, without user
 * information, port, query or fragment.
 *
 * Only the canonical spelling is accepted, because identifiers are compared as text: lower-case scheme
 * and trust domain, upper-case hex in escapes, no escape of a character that needs none, no dot or
 * empty segments and so no trailing slash. IP addresses are not trust domains. `spiffe` identifiers
 * follow the stricter SPIFFE-ID rules.
 *
 * @throws TypeError when it is not one; the message does not repeat the text
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-identifier-03.html#section-4}
 */
export function parseWorkloadIdentifier(text: string): WorkloadIdentifier {
  const read = readWorkloadIdentifier(text)
  if (read === null) throw new TypeError('not a workload identifier')
  return read
}

/** As {@link parseWorkloadIdentifier}, for values off the wire: null when it is not one. */
export function readWorkloadIdentifier(text: unknown): WorkloadIdentifier | null {
  if (typeof text !== 'string' || text.length > LONGEST_IDENTIFIER) return null
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/]+)(.*)$/.exec(text)
  if (parts === null) return null
  const [, scheme, authority, path] = parts as unknown as [string, string, string, string]
  if (!isTrustDomainName(authority) || !isPath(path, scheme)) return null
  return Object.freeze({ id: text, trustDomain: `${scheme}://${authority}`, path })
}

/** Reads the origin of a trust domain, `wimse://example.com`: an identifier without a path. */
export function isTrustDomain(text: unknown): text is string {
  return readWorkloadIdentifier(text)?.path === ''
}

function isTrustDomainName(name: string): boolean {
  if (name.length > LONGEST_TRUST_DOMAIN) return false
  const labels = name.split('.')
  if (!labels.every((label) => /^[a-z0-9_-]{1,63}$/.test(label))) return false
  // The URL Standard reads a host whose last label is a number as an IPv4 address.
  return !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)
}

const SEGMENT = /^(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-F]{2})+$/
const SPIFFE_SEGMENT = /^[\w.-]+$/

function isPath(path: string, scheme: string): boolean {
  if (path === '') return true
  const rule = scheme === 'spiffe' ? SPIFFE_SEGMENT : SEGMENT
  const segments = path.slice(1).split('/')
  return (
    segments.every((segment) => rule.test(segment) && segment !== '.' && segment !== '..') &&
    normalizeEscapes(path) === path
  )
}
