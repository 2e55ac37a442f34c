import { describe, expect, it } from 'vitest'
import { type AudienceOptions } from 'wimse'
import { createAudienceMatcher, isRequestTarget } from '../../packages/core/src/proof/audience.js'
import { readAuthorization } from '../../packages/core/src/proof/authorization.js'
import { fc } from './property.js'

const ORIGIN = 'https://shop.example'

describe('createAudienceMatcher() (WPT-18, WPT-23, URI-02 to URI-06)', () => {
  const rows: readonly (readonly [
    options: AudienceOptions | string[],
    target: string,
    aud: string,
    match: boolean,
  ])[] = [
    [[ORIGIN], '/a', `${ORIGIN}/a`, true],
    [[ORIGIN, 'https://b.example:8443'], '/a', 'https://b.example:8443/a', true],
    [['http://[::1]:3000'], '/a', 'http://[0:0::1]:3000/a', true],
    [['https://shop.example:443'], '/a', `${ORIGIN}/a`, true],
    [[ORIGIN], '/a', 'https://shop.example:0443/a', true],
    [[ORIGIN], '/a', 'https://shop%2eexample/a', false],
    [[ORIGIN], '/a', 'https://%73hop.example/a', false],
    [[ORIGIN], '/a', 'https://%EF%BD%93hop.example/a', false],
    [[ORIGIN], '/a', 'https://sh%C2%ADop.example/a', false],
    [['http://127.0.0.1:3000'], '/a', 'http://127.0.0.1:3000/a', true],
    [['http://127.0.0.1:3000'], '/a', 'http://127.1:3000/a', false],
    [['http://127.0.0.1:3000'], '/a', 'http://0x7f.0.0.1:3000/a', false],
    [[ORIGIN], '/a', 'https://evil.example:pw@shop.example/a', false],
    [[ORIGIN], '/a', 'https://@shop.example/a', false],
    [[ORIGIN], '/a', 'https://shop.example\\@evil.example/a', false],
    [[ORIGIN], '/a', 'https:/shop.example/a', false],
    [[ORIGIN], '/a', 'https:shop.example/a', false],
    [[ORIGIN], '/a', ' https://shop.example/a', false],
    [[ORIGIN], '/a', 'https://shop.ex\tample/a', false],
    [[ORIGIN], '/a', 'https://ѕhop.example/a', false],
    [[ORIGIN], '/a', 'ftp://shop.example/a', false],
    [[ORIGIN], '/a/b', 'https://shop.example/a\\b', false],
    [[ORIGIN], '/a', 'xhttps://shop.example/a', false],
    [{ origins: [ORIGIN], match: 'origin' }, '/a', 'blob:https://shop.example', false],
    [[ORIGIN], '/a', 'https://shop.example//a', false],
    [[ORIGIN], '//a', 'https://shop.example//a', true],
    [[ORIGIN], '//shop.example', ORIGIN, false],
    // As long as the origin.
    [[ORIGIN], '/a-path-of-20-letter', `${ORIGIN}/b/a-path-of-20-letter`, false],
    [[ORIGIN], '//shop.example', `${ORIGIN}//shop.example`, true],
    [[ORIGIN], '/a;b=1', 'https://shop.example/a;b=1', true],
    [[ORIGIN], '/{"<>^`}', `${ORIGIN}/{"<>^\`}`, true],
    [[ORIGIN], '/{"<>^`}', `${ORIGIN}/%7b%22%3C%3E%5E%60%7D`, true],
    [[ORIGIN], '/%7B%22%3c%3e%5e%60%7d', `${ORIGIN}/{"<>^\`}`, true],
    [[ORIGIN], '/{', `${ORIGIN}/}`, false],
    [[ORIGIN], '/', ORIGIN, true],
    [[ORIGIN], '/a', ORIGIN, false],
    [{ origins: [ORIGIN], match: 'origin' }, '/a', ORIGIN, true],
    [{ origins: [ORIGIN], match: 'origin' }, '/a', `${ORIGIN}/a`, true],
    [{ origins: [ORIGIN], match: 'origin' }, '/a', `${ORIGIN}/`, false],
    [{ origins: [ORIGIN], match: 'origin' }, '/a', `${ORIGIN}?x`, false],
    [{ origins: [ORIGIN], match: 'origin' }, '/a', 'https://other.example', false],
    [{ origins: [ORIGIN], ignoreTrailingSlash: true }, '/a/', `${ORIGIN}/a`, true],
    [{ origins: [ORIGIN], ignoreTrailingSlash: true }, '/a', `${ORIGIN}/a/`, true],
    [{ origins: [ORIGIN], ignoreTrailingSlash: true }, '/a', `${ORIGIN}/a//`, false],
    [{ origins: [ORIGIN], ignoreTrailingSlash: true }, '/a/', `${ORIGIN}/a//`, false],
    [{ origins: [ORIGIN], ignoreTrailingSlash: true }, '/', ORIGIN, true],
    [{ origins: [ORIGIN], ignoreTrailingSlash: true }, '/', `${ORIGIN}//`, false],
    [{ origins: [ORIGIN], aliases: ['urn:shop'] }, '/a', 'urn:shop', true],
    [{ origins: [ORIGIN], aliases: ['urn:shop'] }, '/a', 'URN:shop', false],
    [{ origins: [ORIGIN], aliases: ['urn:shop'], pathPrefix: { strip: '/gw' } }, '/gw/a', 'urn:shop', true],
    [
      { origins: [ORIGIN], aliases: ['urn:shop'], pathPrefix: { strip: '/gw' } },
      '/internal',
      'urn:shop',
      false,
    ],
    [{ origins: [ORIGIN], pathPrefix: { add: '/inventory' } }, '/a', `${ORIGIN}/inventory/a`, true],
    [{ origins: [ORIGIN], pathPrefix: { add: '/inventory' } }, '/a', `${ORIGIN}/a`, false],
    [{ origins: [ORIGIN], pathPrefix: { add: '/inventory' } }, '/', `${ORIGIN}/inventory/`, true],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw' } }, '/gw/a', `${ORIGIN}/a`, true],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw' } }, '/gw', ORIGIN, true],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw' } }, '/gwx/a', `${ORIGIN}x/a`, false],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw' } }, '/a', `${ORIGIN}/a`, false],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw', add: '/pub' } }, '/gw', `${ORIGIN}/pub`, true],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw', add: '/pub' } }, '/gw', `${ORIGIN}/pub/`, false],
    [{ origins: [ORIGIN], pathPrefix: { strip: '/gw', add: '/pub' } }, '/gw/', `${ORIGIN}/pub/`, true],
  ]
  for (const [options, target, aud, match] of rows) {
    it(`${JSON.stringify(options)}: ${aud} ${match ? 'is' : 'is not'} for ${target}`, () => {
      expect(createAudienceMatcher(options).matches(aud, target)).toBe(match)
    })
  }

  it('accepts the URL of the request, whatever its path', () => {
    const matcher = createAudienceMatcher(ORIGIN)
    const segment = fc.string({ unit: fc.constantFrom('a', 'B', '%7E', '%2f', '~', '-', ':', '@', '.', ';') })
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        const target = `/${segments.join('/')}`
        fc.pre(isRequestTarget(target))
        expect(matcher.matches(new URL(ORIGIN + target).href, target)).toBe(true)
        expect(matcher.matches(`${new URL(ORIGIN + target).href}x`, target)).toBe(false)
      }),
    )
  })

  it('takes no longer than its audience is long', () => {
    const matcher = createAudienceMatcher(ORIGIN)
    const time = (aud: string): number => {
      const start = performance.now()
      for (let round = 0; round < 20; round++) matcher.matches(aud, '/a')
      return performance.now() - start
    }
    const plain = time(`https://${'a'.repeat(100_000)}`)
    // Quadratic time was a thousand times as long.
    expect(time(`https://${'a'.repeat(100_000)}\\`)).toBeLessThan(20 * plain + 100)
  })
})

describe('createAudienceMatcher(), what it takes', () => {
  const unknown = (options: unknown): AudienceOptions => options as AudienceOptions
  const including = (more: object): AudienceOptions => unknown({ origins: [ORIGIN], ...more })
  const rows: readonly (readonly [options: AudienceOptions | string[], refused: RegExp])[] = [
    [unknown(undefined), /^audience is required/],
    [unknown(null), /^audience is required/],
    [unknown(42), /^audience is required/],
    [unknown({}), /at least one origin/],
    [[], /at least one origin/],
    [unknown({ origins: ORIGIN }), /at least one origin/],
    [unknown([42]), /^audience must be origins/],
    [unknown([new URL(ORIGIN)]), /^audience must be origins/],
    [[`${ORIGIN}/path`], /^audience must be origins/],
    [['https://shop.example:99999'], /^audience must be origins/],
    [[ORIGIN, 'shop.example'], /^audience must be origins/],
    [including({ origin: ORIGIN }), /unknown member origin$/],
    [including({ match: 'prefix' }), /^audience.match is/],
    [including({ aliases: 'urn:shop' }), /^audience.aliases/],
    [including({ aliases: ['urn:shop', 42] }), /^audience.aliases/],
    [including({ aliases: ['urn:shop', ''] }), /^audience.aliases/],
    [including({ ignoreTrailingSlash: 1 }), /^audience.ignoreTrailingSlash/],
    [including({ match: 'origin', pathPrefix: { add: '/a' } }), /exclude each other/],
    [including({ match: 'origin', pathPrefix: null }), /^audience.pathPrefix must be an object/],
    [including({ pathPrefix: null }), /^audience.pathPrefix must be an object/],
    [including({ pathPrefix: '/a' }), /^audience.pathPrefix must be an object/],
    [including({ pathPrefix: ['/a'] }), /^audience.pathPrefix must be an object/],
    [including({ pathPrefix: { strip: '/a', remove: '/b' } }), /unknown member remove$/],
    ...['strip', 'add'].flatMap((name) =>
      [42, null, Object('/a'), '', 'a', '/', '/a/', '/a//b', '/a?b', '/a#b', '/a/..', '/a b', 'x/a'].map(
        (value) =>
          [
            including({ pathPrefix: { [name]: value } }),
            new RegExp(`^audience.pathPrefix.${name} must`),
          ] as const,
      ),
    ),
  ]
  for (const [options, refused] of rows) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      expect(() => createAudienceMatcher(ORIGIN)).not.toThrow()
      expect(() => createAudienceMatcher(options)).toThrow(TypeError)
      expect(() => createAudienceMatcher(options)).toThrow(refused)
    })
  }

  it('takes no target for a path that would go on where the authority ends', () => {
    const matcher = createAudienceMatcher(ORIGIN)
    for (const target of ['.evil.example/a', '.evil.example/', ':8443/a', 'http://evil.example/a']) {
      expect(isRequestTarget(target)).toBe(false)
      expect(matcher.matches(ORIGIN + target, target)).toBe(false)
    }
  })

  it('names what it expected', () => {
    const expected = (options: AudienceOptions | string, target: string): readonly string[] =>
      createAudienceMatcher(options).expectedFor(target)
    expect(expected(ORIGIN, '/a?b')).toEqual([`${ORIGIN}/a`])
    const pathPrefix = { strip: '/v1', add: '/shop/eu' }
    const gateway = { origins: [ORIGIN, 'https://b.example'], aliases: ['urn:shop'], pathPrefix }
    expect(expected(gateway, '/v1/a')).toEqual([
      `${ORIGIN}/shop/eu/a`,
      'https://b.example/shop/eu/a',
      'urn:shop',
    ])
    expect(expected(gateway, '/v2/a')).toEqual([])
  })
})

describe('isRequestTarget() (URI-01)', () => {
  for (const target of ['/', '/a', '/..a', '/.a', '/.well-known/a..', '/a.', '/%41', '/?', '//']) {
    it(`takes ${target}`, () => expect(isRequestTarget(target)).toBe(true))
  }
  for (const target of [
    '',
    'a',
    '*',
    '/%',
    '/%4',
    '/%4g',
    '/%g4',
    '/.',
    '/..',
    '/a/%2e%2E/b',
    '/.%2e',
    '/a\\b',
    '/a#b',
    '/a b',
  ]) {
    it(`refuses ${target}`, () => expect(isRequestTarget(target)).toBe(false))
  }
})

describe('readAuthorization() (WPT-32)', () => {
  const rows: readonly (readonly [
    value: string,
    scheme: string,
    credentials: string,
    accessToken: string | undefined,
  ])[] = [
    ['Bearer abc', 'bearer', 'abc', 'abc'],
    ['bEARER   abc  ', 'bearer', 'abc', 'abc'],
    ['\tBearer\tabc', 'bearer', 'abc', 'abc'],
    ['Bearer a b', 'bearer', 'a b', 'a b'],
    ['Bearer', 'bearer', '', ''],
    ['DPoP abc', 'dpop', 'abc', 'abc'],
    ['WPT abc', 'wpt', 'abc', undefined],
    ['Basic abc', 'basic', 'abc', undefined],
    ['', '', '', undefined],
  ]
  for (const [value, scheme, credentials, accessToken] of rows) {
    it(`reads ${JSON.stringify(value)}`, () => {
      expect(readAuthorization(value)).toEqual({ scheme, credentials, accessToken })
    })
  }
})

describe('the short way for audiences that are spelled as everyone spells them', () => {
  it('is never another answer than the long way, and never long', () => {
    const matcher = createAudienceMatcher({ origins: ['https://a.example', 'https://a.example:8443'] })
    const segment = fc.constantFrom(
      'a',
      'b.c',
      '..',
      '.',
      '',
      '%2e',
      '%41',
      'a%2Fb',
      '-',
      '~',
      '_',
      ';x',
      '.well-known',
      '{"<>^`}',
      '%7b|[]',
      "a'!$&()*+,=@:",
      'https:',
      'a.example',
    )
    fc.assert(
      fc.property(
        fc.constantFrom(
          'https://a.example',
          'https://a.example:8443',
          'https://A.example',
          'https://a.example:443',
        ),
        fc.array(segment, { maxLength: 4 }),
        fc.array(segment, { maxLength: 4 }),
        (origin, inAudience, inTarget) => {
          const [aud, target] = [`${origin}/${inAudience.join('/')}`, `/${inTarget.join('/')}`]
          if (!isRequestTarget(target)) return
          // The query keeps the long way.
          expect(matcher.matches(aud, target)).toBe(matcher.matches(`${aud}?a`, target))
        },
      ),
    )
    const before = performance.now()
    expect(matcher.matches(`https://a.example/${'a'.repeat(8000)}!`, `/${'a'.repeat(8000)}!`)).toBe(true)
    expect(performance.now() - before).toBeLessThan(100)
  })
})
