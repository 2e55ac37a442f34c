import { isIP } from 'node:net'

/** Where a Workload API is served. */
export interface Endpoint {
  /** What gRPC calls it. */
  readonly target: string
  /** For messages to the operator. */
  readonly name: string
}

const FROM_ENVIRONMENT = 'SPIFFE_ENDPOINT_SOCKET'

/**
 * Reads where the Workload API is: a Unix socket, or TCP by an IP address. Host names are no endpoints, since
 * nothing here authenticates the server, and whoever answers for the name could hand out identities.
 *
 * @param endpoint taken from the environment, `SPIFFE_ENDPOINT_SOCKET`, when it is not given
 * @param allowInsecure also TCP beyond loopback: private keys travel in the clear
 * @throws TypeError naming the option or the variable; it does not repeat the text
 * @see {@link https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_Endpoint.md#4-locating-the-endpoint}
 */
export function readEndpoint(endpoint: unknown, allowInsecure: unknown = false): Endpoint {
  if (typeof allowInsecure !== 'boolean') throw new TypeError('option allowInsecure must be a boolean')
  const given = endpoint ?? process.env[FROM_ENVIRONMENT]
  const where = endpoint === undefined ? FROM_ENVIRONMENT : 'option endpoint'
  if (given === undefined || given === '') {
    throw new TypeError(`option endpoint is required where ${FROM_ENVIRONMENT} is not set`)
  }
  const fail = (what: string): never => {
    throw new TypeError(`${where} ${what}`)
  }
  const parts = typeof given === 'string' ? URI.exec(given) : null
  if (parts === null) return fail('must be unix:///path or tcp://ip:port')
  const [, scheme, authority, path, query, fragment] = parts
  if (query !== undefined || fragment !== undefined) fail('must have neither query nor fragment')
  return scheme === 'unix'
    ? readUnix(authority ?? '', path ?? '', fail)
    : readTcp(authority ?? '', path ?? '', allowInsecure, fail)
}

type Fail = (what: string) => never

// The parts of RFC 3986, appendix B, in the characters it allows.
const URI =
  /^(unix|tcp):(?:\/\/([\w.~!$&'()*+,;=:@%[\]-]*))?((?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)(\?[^#]*)?(#.*)?$/

function readUnix(authority: string, escaped: string, fail: Fail): Endpoint {
  if (authority !== '') fail('must not have an authority, as in unix://host/path')
  const path = unescape(escaped)
  if (path === null || path.includes('\0')) return fail('has a path that cannot be read')
  if (!/^\/[^/]/.test(path)) fail('must have an absolute path')
  return { target: `unix://${path}`, name: `unix://${path}` }
}

function unescape(path: string): string | null {
  try {
    return decodeURIComponent(path)
  } catch {
    return null
  }
}

function readTcp(authority: string, path: string, allowInsecure: boolean, fail: Fail): Endpoint {
  if (authority.includes('@')) fail('must not have user information')
  if (path !== '') fail('must not have a path')
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(authority) ?? []
  const address = bracketed ?? plain ?? ''
  // A zone (fe80::1%eth0) is no part of an IP literal in a URI of this kind.
  if (isIP(address) !== (bracketed === undefined ? 4 : 6) || address.includes('%') || Number(port) > 65_535) {
    fail('must be an IP address and a port, as in tcp://127.0.0.1:8081 or tcp://[::1]:8081')
  }
  if (!isLoopback(address) && !allowInsecure) {
    fail('must be on loopback, unless allowInsecure is set: private keys come over it in the clear')
  }
  const target = bracketed === undefined ? `ipv4:${address}:${port}` : `ipv6:[${address}]:${port}`
  return { target, name: `tcp://${authority}` }
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
}
