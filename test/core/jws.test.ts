import { fc } from './property.js'
import { describe, expect, it } from 'vitest'
import { ALGORITHM_NAMES } from '../../packages/core/src/jws/algorithms.js'
import { decodeBase64url, decodeByHand, encodeBase64url } from '../../packages/core/src/jws/base64url.js'
import { JwsRefused, parseCompactJws, splitCompactJws } from '../../packages/core/src/jws/compact-jws.js'
import { parseJsonObject } from '../../packages/core/src/jws/strict-json.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

for (const [how, decode] of [
  ['as Node does it', decodeBase64url],
  ['as it is done in a browser', decodeByHand],
] as const)
  describe(`decodeBase64url(), ${how} (WIT-02, BCP-12)`, () => {
    it('reads what Node writes, and is the inverse of encodeBase64url()', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
          const text = Buffer.from(data).toString('base64url')
          expect(encodeBase64url(data)).toBe(text)
          expect(decode(text)).toEqual(Uint8Array.from(data))
        }),
      )
    })

    it('accepts a text only when it is the one spelling of its bytes', () => {
      fc.assert(
        fc.property(
          fc.string({ unit: fc.constantFrom(...Array.from('AQgwz0189-_+/= \n.é\u{1f600}')), maxLength: 12 }),
          (text) => {
            const canonical = Buffer.from(text, 'base64url').toString('base64url') === text
            expect(decode(text) !== null).toBe(canonical)
            expect(decodeByHand(text)).toEqual(decodeBase64url(text))
          },
        ),
      )
    })

    for (const text of ['A', 'AB', 'AAB', 'AA=', 'AA==', 'A A', 'AA\n', '+A', '/A', 'Aé', 'AAAAA', 'AAAA=']) {
      it(`refuses ${JSON.stringify(text)}`, () => expect(decode(text)).toBeNull())
    }
  })

describe('parseJsonObject() (BCP-06, BCP-13)', () => {
  it('agrees with JSON.parse on objects', () => {
    const key = fc.string({ maxLength: 8 }).filter((name) => name !== '__proto__' && name.isWellFormed())
    const value = fc.jsonValue({ maxDepth: 5 })
    fc.assert(
      fc.property(fc.dictionary(key, value), fc.integer({ min: 0, max: 2 }), (object, indent) => {
        const text = JSON.stringify(object, null, indent)
        const read = parseJsonObject(bytes(text))
        if (!text.includes('\\ud') && !text.includes('__proto__')) expect(read).toEqual(JSON.parse(text))
      }),
    )
  })

  const refused: readonly (readonly [what: string, json: string | Uint8Array])[] = [
    ['a list', '[]'],
    ['a string', '"a"'],
    ['null', 'null'],
    ['nothing', ''],
    ['text after the object', '{} {}'],
    ['a comma too many', '{"a":1,}'],
    ['a comment', '{"a":1/**/}'],
    ['two members of one name', '{"a":1,"a":2}'],
    ['two members of one name and value', '{"a":1,"a":1}'],
    ['two members of one name, one escaped', '{"sub":1,"s\\u0075b":2}'],
    ['two members of one name deep down', '{"a":[{"b":{"c":1,"c":2}}]}'],
    ['a member __proto__', '{"__proto__":{}}'],
    ['a member __proto__ deep down', '{"a":[{"__proto__":1}]}'],
    ['a member __proto__, escaped', '{"__pr\\u006fto__":1}'],
    ['a byte order mark', '\ufeff{}'],
    ['invalid UTF-8', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a surrogate alone', '{"a":"\\ud800"}'],
    ['a surrogate alone as a name', '{"\\udc00":1}'],
    ['33 levels', `{"a":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['ten thousand levels', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
  ]
  for (const [what, json] of refused) {
    it(`refuses ${what}`, () => {
      expect(parseJsonObject(typeof json === 'string' ? bytes(json) : json)).toBeNull()
    })
  }

  for (const json of [
    '{}',
    '{"a":":","b":"\\":"}',
    ' {"a" : {"b":[{"c":1},{"c":2}]} }\r\n',
    '{"constructor":1,"toString":2}',
    '{"a\\\\":1}',
  ]) {
    it(`reads ${JSON.stringify(json)}`, () => expect(parseJsonObject(bytes(json))).toEqual(JSON.parse(json)))
  }
})

describe('parseCompactJws()', () => {
  const algorithms = new Set<string>(ALGORITHM_NAMES)
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const jws = (header: object, payload: object = {}): string => `${encode(header)}.${encode(payload)}.AA`
  const good = { alg: 'ES256', typ: 'wit+jwt' }
  const faultOf = (token: string): string => {
    try {
      parseCompactJws(token, { typ: 'wit+jwt', algorithms })
      return 'none'
    } catch (error) {
      return error instanceof JwsRefused ? error.fault : 'another error'
    }
  }

  it('takes a token apart', () => {
    expect(
      parseCompactJws(jws({ ...good, kid: 'a' }, { sub: 'x' }), { typ: 'wit+jwt', algorithms }),
    ).toMatchObject({
      kid: 'a',
      claims: { sub: 'x' },
      algorithm: { name: 'ES256' },
      signingInput: `${encode({ ...good, kid: 'a' })}.${encode({ sub: 'x' })}`,
      signature: Uint8Array.from([0]),
    })
  })

  it.for([
    ['a header', `e3==.${encode({})}.AA`, 'the header is not canonical base64url'],
    ['a payload', `${encode(good)}.e3==.AA`, 'the payload is not canonical base64url'],
    ['a signature', `${encode(good)}.${encode({})}.A`, 'the signature is not canonical base64url'],
    ['a type', jws({ ...good, typ: 'jwt' }), 'typ does not convey wit+jwt'],
  ] as const)('names %s that is at fault, and itself', ([, token, message]) => {
    const refused = (): unknown => parseCompactJws(token, { typ: 'wit+jwt', algorithms })
    expect(refused).toThrow(expect.objectContaining({ name: 'JwsRefused', message }))
  })

  const rows: readonly (readonly [what: string, token: string, fault: string])[] = [
    ['a good token', jws(good), 'none'],
    ['a type with application/ in any case (WIT-05)', jws({ ...good, typ: 'Application/WIT+jwt' }), 'none'],
    ['a type in capitals', jws({ ...good, typ: 'WIT+JWT' }), 'none'],
    ['a payload that is a list', `${encode(good)}.${encode([])}.AA`, 'MALFORMED'],
    ['a payload that is no JSON', `${encode(good)}.AA.AA`, 'MALFORMED'],
    ['nothing', '', 'MALFORMED'],
    ['two parts', 'e30.e30', 'MALFORMED'],
    ['four parts', 'e30.e30.AA.AA', 'MALFORMED'],
    ['an empty header', `.${encode({})}.AA`, 'MALFORMED'],
    ['an empty payload', `${encode(good)}..AA`, 'MALFORMED'],
    ['JSON serialization', JSON.stringify({ payload: 'e30', signatures: [] }), 'MALFORMED'],
    ['a space in front', ` ${jws(good)}`, 'MALFORMED'],
    ['a line break at the end', `${jws(good)}\n`, 'MALFORMED'],
    ['a kid that is a number', jws({ ...good, kid: 1 }), 'MALFORMED'],
    ['crit', jws({ ...good, crit: ['exp'], exp: 1 }), 'CRITICAL'],
    ['an empty crit (BCP-14)', jws({ ...good, crit: [] }), 'CRITICAL'],
    ['crit that is null', jws({ ...good, crit: null }), 'CRITICAL'],
    ['no type', jws({ alg: 'ES256' }), 'TYPE'],
    ['a type that is a list', jws({ ...good, typ: ['wit+jwt'] }), 'TYPE'],
    ['another type', jws({ ...good, typ: 'JWT' }), 'TYPE'],
    ['the type of an older draft', jws({ ...good, typ: 'wimse-id+jwt' }), 'TYPE'],
    ['a type with another top level', jws({ ...good, typ: 'text/wit+jwt' }), 'TYPE'],
    ['a type that starts with an accented letter', jws({ ...good, typ: 'wıt+jwt' }), 'TYPE'],
    ['no algorithm', jws({ typ: 'wit+jwt' }), 'ALGORITHM'],
    ['alg none', jws({ ...good, alg: 'none' }), 'ALGORITHM'],
    ['a symmetric algorithm', jws({ ...good, alg: 'HS256' }), 'ALGORITHM'],
    ['an inherited name', jws({ ...good, alg: 'constructor' }), 'ALGORITHM'],
    ['an algorithm in lower case', jws({ ...good, alg: 'es256' }), 'ALGORITHM'],
    ['an algorithm that is a list', jws({ ...good, alg: ['ES256'] }), 'ALGORITHM'],
  ]
  for (const [what, token, fault] of rows) {
    it(`${fault === 'none' ? 'reads' : `refuses (${fault})`} ${what}`, () =>
      expect(faultOf(token)).toBe(fault))
  }

  it('refuses any three strings joined by dots in its own words', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        expect(['MALFORMED', 'CRITICAL', 'TYPE', 'ALGORITHM']).toContain(faultOf(`${a}.${b}.${c}`))
      }),
    )
  })
})

describe('splitCompactJws(), whatever the payload is', () => {
  it('takes three parts', () => {
    expect(splitCompactJws('e30.AAEC.AA')).toEqual({
      header: {},
      kid: undefined,
      payload: Uint8Array.from([0, 1, 2]),
      signingInput: 'e30.AAEC',
      signature: Uint8Array.from([0]),
    })
  })

  for (const token of ['', '.', '..', 'e30', 'e30.AA', 'e30..AA', '.AA.AA', 'e30.AA.AA.AA', 'e30.AA..AA']) {
    it(`takes ${JSON.stringify(token)} for no three parts`, () => {
      expect(() => splitCompactJws(token)).toThrow('not three parts joined by dots')
    })
  }
})

describe('headers that have come before', () => {
  const expected = { typ: 'wpt+jwt', algorithms: new Set(ALGORITHM_NAMES) }
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = (header: object): string => `${encode(header)}.${encode({ a: 1 })}.AA`

  it('are judged anew each time, by what is expected then', () => {
    const text = token({ alg: 'ES256', typ: 'wpt+jwt' })
    for (let round = 0; round < 3; round++) {
      expect(parseCompactJws(text, expected).algorithm.name).toBe('ES256')
      expect(() => parseCompactJws(text, { ...expected, typ: 'wit+jwt' })).toThrow(JwsRefused)
      expect(() => parseCompactJws(text, { ...expected, algorithms: new Set(['EdDSA']) })).toThrow(JwsRefused)
    }
  })

  it('are kept when they are short and all text, sixty-four of them, and cannot be changed', () => {
    const headerOf = (header: object): object => splitCompactJws(token(header)).header
    const isKept = (header: object): boolean => headerOf(header) === headerOf(header)
    const ofLength = (length: number): object => ({ kid: 'k'.repeat((length / 4) * 3 - '{"kid":""}'.length) })
    expect([encode(ofLength(256)).length, encode(ofLength(260)).length]).toEqual([256, 260])
    expect(isKept(ofLength(256))).toBe(true)
    expect(isKept(ofLength(260))).toBe(false)
    expect(isKept({ kid: 'a', list: [] })).toBe(false)
    expect(isKept({ number: 1 })).toBe(false)
    const first = headerOf({ kid: 'first' })
    expect(Object.isFrozen(first)).toBe(true)
    headerOf({ kid: 'second' })
    expect(headerOf({ kid: 'first' })).toBe(first)
    for (let number = 0; number < 64; number++) headerOf({ kid: `another ${number}` })
    expect(headerOf({ kid: 'first' })).not.toBe(first)
  })

  it('are known by the whole of their text, however many came in between', () => {
    for (let number = 0; number < 300; number++) {
      const { kid } = parseCompactJws(token({ alg: 'ES256', typ: 'wpt+jwt', kid: `${number}` }), expected)
      expect(kid).toBe(`${number}`)
    }
    expect(() => parseCompactJws(token({ alg: 'ES256', typ: 'wpt+jwt', crit: ['x'] }), expected)).toThrow(
      /critical/,
    )
    expect(parseCompactJws(token({ alg: 'ES256', typ: 'wpt+jwt', kid: '7' }), expected).kid).toBe('7')
  })
})
