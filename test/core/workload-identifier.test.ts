import { parseWorkloadIdentifier } from 'wimse'
import { describe, expect, it } from 'vitest'
import { isTrustDomain } from '../../packages/core/src/identity/workload-identifier.js'
import { fc } from './property.js'

const reads = (text: string): boolean => {
  try {
    return parseWorkloadIdentifier(text).id === text
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return false
  }
}

describe('parseWorkloadIdentifier() (WIT-26, ID-01 to ID-04, ID-11, ID-12)', () => {
  it('takes an identifier apart', () => {
    expect(parseWorkloadIdentifier('wimse://example.com/ns/shop')).toEqual({
      id: 'wimse://example.com/ns/shop',
      trustDomain: 'wimse://example.com',
      path: '/ns/shop',
    })
    expect(parseWorkloadIdentifier('spiffe://example.com')).toMatchObject({ path: '' })
  })

  const label = 'a'.repeat(63)
  /** Of 255 characters. */
  const longest = `${label}.${label}.${label}.${label}`
  const good = [
    'wimse://example.com/a',
    'wimse://example.com',
    'spiffe://example.org/ns/shop/sa/cart_1.2',
    'https://example.com/a',
    "wimse://example.com/a:b@c;d=e,f!$&'()*+",
    'wimse://example.com/a%2Fb%20c',
    'wimse://x-1_2.example/.../a.',
    `wimse://example.com/${'a'.repeat(2048 - 20)}`,
    `wimse://${longest}/a`,
    'wimse://example.a1/a',
    'wimse://example.1a/a',
    'wimse://example.a0x1/a',
    'wimse://example.0x1g/a',
  ]
  for (const text of good) {
    it(`reads ${text.slice(0, 60)}`, () => expect(reads(text)).toBe(true))
  }

  const bad: readonly (readonly [what: string, text: string])[] = [
    ['nothing', ''],
    ['no scheme (ID-01)', '//example.com/a'],
    ['a path alone (ID-01)', '/a'],
    ['no authority (ID-01)', 'wimse:/a'],
    ['an empty authority (ID-01)', 'wimse:///a'],
    ['an opaque URI (ID-01)', 'urn:example:a'],
    ['a query (ID-02)', 'wimse://example.com/a?b'],
    ['an empty query (ID-02)', 'wimse://example.com/a?'],
    ['a query without a path (ID-02)', 'wimse://example.com?b'],
    ['a fragment (ID-02)', 'wimse://example.com/a#b'],
    ['user information (ID-02)', 'wimse://user@example.com/a'],
    ['a port (ID-02)', 'wimse://example.com:443/a'],
    ['an empty port (ID-02)', 'wimse://example.com:/a'],
    ['2049 characters (ID-03)', `wimse://example.com/${'a'.repeat(2049 - 20)}`],
    ['an IPv4 address (ID-04)', 'wimse://10.0.0.1/a'],
    ['an IPv4 address in hex (ID-04)', 'wimse://0x7f.1/a'],
    ['a number of two digits at the end (ID-04)', 'wimse://example.42/a'],
    ['a number in hex at the end (ID-04)', 'wimse://example.0x7f/a'],
    ['nothing in hex at the end (ID-04)', 'wimse://example.0x/a'],
    ['an IPv6 address (ID-04)', 'wimse://[::1]/a'],
    ['a label of 64 characters', `wimse://a${label}.com/a`],
    ['a trust domain of 256 characters', `wimse://${longest.slice(1)}.a/a`],
    ['a scheme that begins with a digit', '9wimse://example.com/a'],
    ['a space in front', ' wimse://example.com/a'],
    ['a scheme in upper case', 'WIMSE://example.com/a'],
    ['a trust domain in upper case', 'wimse://Example.com/a'],
    ['an empty label', 'wimse://example..com/a'],
    ['a dot at the end of the trust domain', 'wimse://example.com./a'],
    ['an escape in the trust domain', 'wimse://example%2ecom/a'],
    ['a trailing slash', 'wimse://example.com/a/'],
    ['an empty segment', 'wimse://example.com//a'],
    ['a dot segment', 'wimse://example.com/a/../b'],
    ['an escaped dot segment', 'wimse://example.com/a/%2E%2E/b'],
    ['an escape in lower case', 'wimse://example.com/a%2fb'],
    ['a needless escape', 'wimse://example.com/%61'],
    ['half an escape', 'wimse://example.com/a%2'],
    ['a space', 'wimse://example.com/a b'],
    ['a line break at the end', 'wimse://example.com/a\n'],
    ['a backslash', 'wimse://example.com\\a'],
    ['letters of another script', 'wimse://exаmple.com/a'],
    ['a percent sign in a SPIFFE ID (ID-12)', 'spiffe://example.com/a%20b'],
    ['other characters in a SPIFFE ID (ID-12)', 'spiffe://example.com/a:b'],
    ['a trailing slash in a SPIFFE ID (ID-12)', 'spiffe://example.com/'],
    ['a dot segment in a SPIFFE ID (ID-12)', 'spiffe://example.com/a/..'],
  ]
  for (const [what, text] of bad) {
    it(`refuses ${what}`, () => expect(reads(text)).toBe(false))
  }

  it('reads nothing that a parser of URIs reads otherwise (ID-11)', () => {
    const plain = fc.constantFrom('a', 'B', '0', '-', '_', '.', '~', ':', '@', '%2F', '/b', '/..')
    const odd = fc.constantFrom('..', '/', '%2e', '?', '#', '\\', ' ', '\t')
    const piece = fc.oneof({ weight: 15, arbitrary: plain }, { weight: 1, arbitrary: odd })
    const host = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('a', 'a.example', 'x-1.b_c') },
      { weight: 1, arbitrary: fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('')) },
    )
    const scheme = fc.constantFrom('wimse', 'spiffe', 'https', 'x')
    let accepted = 0
    fc.assert(
      fc.property(scheme, host, fc.array(piece, { maxLength: 6 }), (name, authority, path) => {
        const text = `${name}://${authority}/${path.join('')}`
        if (!reads(text)) return
        accepted++
        const url = new URL(text)
        const { trustDomain, path: read } = parseWorkloadIdentifier(text)
        expect(`${url.protocol}//${url.hostname}`).toBe(trustDomain)
        expect([url.host, url.pathname, url.search, url.hash, url.username]).toEqual([
          url.hostname,
          read,
          '',
          '',
          '',
        ])
      }),
      { numRuns: 2000 },
    )
    expect(accepted).toBeGreaterThan(50)
  })
})

describe('isTrustDomain()', () => {
  for (const [text, outcome] of [
    ['wimse://example.com', true],
    ['wimse://example.com/', false],
    ['wimse://example.com/a', false],
    ['example.com', false],
    [undefined, false],
  ] as const) {
    it(`${String(outcome)} for ${String(text)}`, () => expect(isTrustDomain(text)).toBe(outcome))
  }
})
