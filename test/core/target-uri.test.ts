import { describe, expect, it } from 'vitest'
import { signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import {
  type AudienceOptions,
  createAudienceMatcher,
  isRequestTarget,
} from '../../packages/core/src/proof/audience.js'

const ORIGIN = 'https://shop.example'

const accepts = (aud: string, target: string, options: AudienceOptions | string = ORIGIN): boolean =>
  isRequestTarget(target) && createAudienceMatcher(options).matches(aud, target)

describe('the target URI of a request', () => {
  const same: readonly (readonly [what: string, aud: string, target: string])[] = [
    ['a scheme in upper case', 'HTTPS://shop.example/a', '/a'],
    ['a host in upper case', 'https://SHOP.example/a', '/a'],
    ['the default port', 'https://shop.example:443/a', '/a'],
    ['no path for the root', 'https://shop.example', '/'],
    ['hex digits in lower case in aud', 'https://shop.example/a%2fb', '/a%2Fb'],
    ['hex digits in lower case in the request', 'https://shop.example/a%2Fb', '/a%2fb'],
    ['a needless escape in aud', 'https://shop.example/%7Ea', '/~a'],
    ['a needless escape in the request', 'https://shop.example/~a', '/%7ea'],
    ['a query of its own', 'https://shop.example/a?b', '/a?c'],
  ]
  for (const [what, aud, target] of same) {
    it(`is the same with ${what} (URI-02, URI-06)`, () => {
      expect(accepts(`${ORIGIN}/good`, '/good')).toBe(true)
      expect(accepts(aud, target)).toBe(true)
    })
  }

  const others: readonly (readonly [what: string, aud: string, target: string])[] = [
    ['another case of the path', 'https://shop.example/A', '/a'],
    ['a slash at the end', 'https://shop.example/a/', '/a'],
    ['no slash at the end', 'https://shop.example/a', '/a/'],
    ['an escaped slash for a slash', 'https://shop.example/a%2Fb', '/a/b'],
    ['another scheme', 'http://shop.example/a', '/a'],
    ['another port', 'https://shop.example:8443/a', '/a'],
    ['a subdomain', 'https://a.shop.example/a', '/a'],
  ]
  for (const [what, aud, target] of others) {
    it(`is another with ${what} (URI-03)`, () => {
      expect(accepts(ORIGIN + target, target)).toBe(true)
      expect(accepts(aud, target)).toBe(false)
    })
  }

  it('is the one the caller wrote, wherever TLS ends and whatever a gateway does to the path (URI-04)', () => {
    const origins = ['https://shop.example', 'https://shop.internal:8443']
    const gateway = { origins, pathPrefix: { strip: '/v1', add: '/shop' } }
    expect(accepts('https://shop.example/shop/a', '/v1/a', gateway)).toBe(true)
    expect(accepts('https://shop.internal:8443/shop/a', '/v1/a', gateway)).toBe(true)
    expect(accepts('https://shop.example/v1/a', '/v1/a', gateway)).toBe(false)
    expect(accepts('https://shop.example/a', '/v1/a', gateway)).toBe(false)
    expect(accepts('http://127.0.0.1:3000/shop/a', '/v1/a', gateway)).toBe(false)
  })

  it('has its authority from the configuration, whatever the request target looks like (URI-05)', () => {
    expect(accepts(`${ORIGIN}/a`, '/a')).toBe(true)
    expect(accepts('https://evil.example/a', '//evil.example/a')).toBe(false)
    expect(accepts(`${ORIGIN}//evil.example/a`, '//evil.example/a')).toBe(true)
    for (const target of [
      'https://shop.example/a',
      'http://evil.example/a',
      '\\evil.example\\a',
      '/\\evil.example/a',
      '*',
      '',
    ]) {
      expect([target, isRequestTarget(target)]).toEqual([target, false])
    }
  })

  it('is what the caller signs: scheme, authority and path of the URL it calls (URI-01)', async () => {
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const credential = await identityServer.issue({ subject: '/checkout' })
    for (const [url, target] of [
      ['https://shop.example/a/b?c=d#e', '/a/b?c=d'],
      ['HTTPS://Shop.Example:443/a%2fb/../c', '/c'],
      ['https://shop.example', '/'],
      ['https://shop.example//a', '//a'],
    ] as const) {
      const proof = signRequest(credential, { url })['Workload-Proof-Token']!
      const { aud } = JSON.parse(Buffer.from(proof.split('.')[1]!, 'base64url').toString()) as { aud: string }
      expect([url, aud.includes('?') || aud.includes('#'), accepts(aud, target)]).toEqual([url, false, true])
      expect(accepts(aud, `${target.split('?')[0]}x`)).toBe(false)
    }
  })
})
