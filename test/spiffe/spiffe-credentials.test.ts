import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials, status } from '@grpc/grpc-js'
import { importJWK, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Credential, type CredentialEvent, type CredentialSource, SigningError } from 'wimse'
import { spiffeCredentials, type SpiffeCredentialsOptions } from 'wimse-spiffe'
import { createTestIdentityServer, fixedClock, generateTestKeyPair, privateKeyOf } from 'wimse-testkit'
import { eventually } from './eventually.js'
import {
  type GrantedSvid,
  message,
  startWorkloadApi,
  svidOf,
  type WorkloadApi,
} from './workload-api-server.js'

const NOW = 1_790_000_000

describe('spiffeCredentials(), on a real socket', () => {
  const clock = fixedClock(NOW)
  const identityServer = createTestIdentityServer({ origin: 'spiffe://example.org', now: clock })
  let api: WorkloadApi
  let sources: CredentialSource[]
  let events: CredentialEvent[]

  beforeEach(async () => {
    api = await startWorkloadApi()
    sources = []
    events = []
  })
  afterEach(async () => {
    for (const source of sources) await source.close?.()
    await api.stop()
  })

  const follow = (options: SpiffeCredentialsOptions = {}): CredentialSource => {
    const source = spiffeCredentials({
      endpoint: api.endpoint,
      now: clock,
      onEvent: (event) => events.push(event),
      ...options,
    })
    sources.push(source)
    return source
  }
  const issue = async (subject: string, lifetime = 3600): Promise<Credential> =>
    identityServer.issue({ subject, lifetime })
  const outcome = async (source: CredentialSource): Promise<string> => {
    try {
      return (await source.current()).subject.slice('spiffe://example.org'.length)
    } catch (error) {
      return (error as SigningError).code
    }
  }
  const reasonFrom = async (source: CredentialSource): Promise<string> => {
    const error: unknown = await Promise.resolve(source.current()).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(SigningError)
    return (error as SigningError).diagnostics.reason
  }
  const failures = (): (string | undefined)[] =>
    events.filter(({ type }) => type === 'failed').map(({ reason }) => reason)
  const becomes = async (source: CredentialSource, expected: string): Promise<void> =>
    eventually(`the credential is ${expected}`, async () => (await outcome(source)) === expected)

  it('asks nothing before a credential is wanted, and then gives the identity that is granted', async () => {
    const first = await issue('/first')
    api.grant(svidOf(first))
    const source = follow()
    await sleep(30)
    expect(api.asked).toEqual([])
    const credential = await source.current()
    expect(credential).toMatchObject({ subject: first.subject, expiresAt: NOW + 3600 })
    expect(credential.keyThumbprint).toBe(first.keyThumbprint)
    expect(api.asked).toEqual([{ method: 'FetchWITSVID', spiffeId: '' }])
    expect(await source.current()).toBe(credential)
    expect(api.asked).toHaveLength(1)
  })

  it('sends the security metadata with every call; without it the server turns calls away', async () => {
    const bare = new Client(api.endpoint, credentials.createInsecure())
    const same = (bytes: Buffer): Buffer => bytes
    const ended = await new Promise<{ code: status }>((resolve) =>
      bare
        .makeServerStreamRequest('/SpiffeWorkloadAPI/FetchWITSVID', same, same, Buffer.alloc(0))
        .on('error', resolve as never)
        .on('data', () => undefined),
    )
    bare.close()
    expect(ended.code).toBe(status.INVALID_ARGUMENT)
    expect(api.turnedAway()).toBe(1)

    api.grant(svidOf(await issue('/first')))
    const source = follow()
    expect(await outcome(source)).toBe('/first')
    api.wire.cut()
    await eventually('it is asked again', () => api.asked.length === 2)
    expect(api.turnedAway()).toBe(1)
  })

  it('waits for the first message, and for no longer than timeoutMs', async () => {
    const patient = follow()
    const waiting = outcome(patient)
    await sleep(50)
    api.grant(svidOf(await issue('/first')))
    expect(await waiting).toBe('/first')

    api.grant()
    const hasty = follow({ timeoutMs: 40 })
    await becomes(patient, 'WIMSE_CREDENTIAL_MISSING')
    const before = performance.now()
    expect(await reasonFrom(hasty)).toMatch(/Workload API at unix:.*: the server grants no identity/)
    expect(await outcome(hasty)).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(performance.now() - before).toBeLessThan(3000)
  })

  it('tells what is in the way when nobody listens, with the cause, and goes on as soon as somebody does', async () => {
    const path = join(tmpdir(), `agent-${randomUUID()}.sock`)
    const source = follow({ endpoint: `unix://${path}`, timeoutMs: 100 })
    const error: unknown = await Promise.resolve(source.current()).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'WIMSE_CREDENTIAL_MISSING', cause: expect.any(Error) })
    expect((error as SigningError).diagnostics.reason).toMatch(/UNAVAILABLE .*ENOENT/)
    const late = await startWorkloadApi({ path })
    late.grant(svidOf(await issue('/first')))
    await becomes(source, '/first')
    await late.stop()
  })

  describe('of several identities', () => {
    beforeEach(async () => {
      api.grant(
        svidOf(await issue('/plain')),
        svidOf(await issue('/first-internal'), 'internal'),
        svidOf(await issue('/second-internal'), 'internal'),
        svidOf(await issue('/external'), 'external'),
      )
    })

    for (const [what, options, expected] of [
      ['the first is the default', {}, '/plain'],
      ['a hint selects, and of two with the same the first counts', { hint: 'internal' }, '/first-internal'],
      ['a hint selects another', { hint: 'external' }, '/external'],
      ['a SPIFFE ID selects', { spiffeId: 'spiffe://example.org/second-internal' }, '/second-internal'],
      [
        'a SPIFFE ID and a hint have to fit both',
        { spiffeId: 'spiffe://example.org/second-internal', hint: 'internal' },
        '/second-internal',
      ],
      [
        'a SPIFFE ID with the hint of another selects nothing',
        { spiffeId: 'spiffe://example.org/plain', hint: 'internal', timeoutMs: 50 },
        'WIMSE_CREDENTIAL_MISSING',
      ],
      ['a hint nobody has selects nothing', { hint: 'nobody', timeoutMs: 50 }, 'WIMSE_CREDENTIAL_MISSING'],
    ] as const) {
      it(what, async () => expect(await outcome(follow(options))).toBe(expected))
    }

    it('a SPIFFE ID is also what the server is asked for', async () => {
      await outcome(follow({ spiffeId: 'spiffe://example.org/external' }))
      expect(api.asked).toEqual([{ method: 'FetchWITSVID', spiffeId: 'spiffe://example.org/external' }])
    })
  })

  it('takes each message for the whole: what is no longer in it is not handed out again', async () => {
    const [first, second] = [await issue('/first'), await issue('/second')]
    api.grant(svidOf(first), svidOf(second, 'two'))
    const [byDefault, byHint] = [follow(), follow({ hint: 'two' })]
    expect([await outcome(byDefault), await outcome(byHint)]).toEqual(['/first', '/second'])
    api.grant(svidOf(second))
    await becomes(byDefault, '/second')
    await becomes(byHint, 'WIMSE_CREDENTIAL_MISSING')
    expect(await reasonFrom(byHint)).toContain('none of the 1 identities granted is that of the hint two')
    api.grant()
    await becomes(byDefault, 'WIMSE_CREDENTIAL_MISSING')
    api.grant(svidOf(first), svidOf(second, 'two'))
    await becomes(byDefault, '/first')
    await becomes(byHint, '/second')
  })

  it('gives the same credential while the server sends the same token again', async () => {
    const first = await issue('/first')
    api.grant(svidOf(first))
    const source = follow()
    const credential = await source.current()
    api.grant(svidOf(first), svidOf(await issue('/other')))
    api.grant(svidOf(first))
    api.send('FetchWITSVID', Buffer.from([0xff]))
    await eventually('the bad one behind them is heard of', () => failures().length === 1)
    expect(await source.current()).toBe(credential)
    expect(events.filter(({ type }) => type === 'refreshed')).toEqual([
      { type: 'refreshed', subject: first.subject, expiresAt: first.expiresAt },
    ])
  })

  describe('refuses a message whole, and keeps the credential from before, when', () => {
    async function wit(
      change: {
        readonly header?: Readonly<Record<string, unknown>>
        readonly claims?: Readonly<Record<string, unknown>>
        readonly confirms?: 'EdDSA'
      } = {},
    ): Promise<GrantedSvid> {
      const key = generateTestKeyPair(change.confirms ?? 'ES256')
      const header = { alg: 'ES256', typ: 'wit+jwt', kid: 'one', ...change.header }
      const claims = {
        sub: 'spiffe://example.org/next',
        exp: NOW + 60,
        cnf: { jwk: key.publicJwk },
        ...change.claims,
      }
      const { privateJwk } = generateTestKeyPair(header.alg as 'ES256')
      const witSvid = await new SignJWT(claims)
        .setProtectedHeader(header)
        .sign(await importJWK(privateJwk, header.alg))
      return { spiffeId: claims.sub, witSvid, witSvidKey: JSON.stringify(key.privateJwk) }
    }

    it('nothing: a message made in the same way is taken', async () => {
      const source = follow()
      api.grant(svidOf(await issue('/first')))
      expect(await outcome(source)).toBe('/first')
      api.grant(await wit())
      await becomes(source, '/next')
      expect(failures()).toEqual([])
    })

    const faults: readonly (readonly [
      what: string,
      svids: (
        next: Credential,
        other: Credential,
      ) => Promise<readonly GrantedSvid[]> | readonly GrantedSvid[],
      reason: RegExp,
    ])[] = [
      [
        'the spiffe_id is missing',
        (next) => [{ ...svidOf(next), spiffeId: '' }],
        /an identity has no spiffe_id/,
      ],
      ['the WIT is missing', (next) => [{ ...svidOf(next), witSvid: '' }], /an identity has no wit_svid/],
      [
        'the key is missing',
        (next) => [{ ...svidOf(next), witSvidKey: '' }],
        /an identity has no wit_svid_key/,
      ],
      [
        'the key of another identity in it is missing, though that one is not selected',
        (next, other) => [svidOf(next), { ...svidOf(other), witSvidKey: '' }],
        /an identity has no wit_svid_key/,
      ],
      [
        'the key is that of another WIT',
        (next, other) => [{ ...svidOf(next), witSvidKey: JSON.stringify(privateKeyOf(other)) }],
        /WIMSE_CREDENTIAL_MISMATCH: /,
      ],
      [
        'the key is half of its own and half of another',
        (next, other) => [
          {
            ...svidOf(next),
            witSvidKey: JSON.stringify({ ...privateKeyOf(next), d: privateKeyOf(other)['d'] }),
          },
        ],
        /WIMSE_CREDENTIAL_MISMATCH: /,
      ],
      [
        'the key is no JWK',
        (next) => [{ ...svidOf(next), witSvidKey: 'secret-material' }],
        /a wit_svid_key is not one strict JSON object/,
      ],
      [
        'the key is a public one',
        (next) => {
          const { d, ...publicHalf } = privateKeyOf(next)
          expect(d).toBeTypeOf('string')
          return [{ ...svidOf(next), witSvidKey: JSON.stringify(publicHalf) }]
        },
        /WIMSE_CREDENTIAL_MISMATCH: the key is not a private JWK/,
      ],
      [
        'the WIT is none',
        (next) => [{ ...svidOf(next), witSvid: 'secret-material' }],
        /WIMSE_CREDENTIAL_MISMATCH: the WIT cannot be read/,
      ],
      [
        'the WIT is for another than the spiffe_id says',
        (next, other) => [{ ...svidOf(next), spiffeId: other.subject }],
        /sub of a WIT is not its spiffe_id/,
      ],
      [
        'the WIT is for no SPIFFE ID',
        async () => {
          const elsewhere = createTestIdentityServer({ origin: 'wimse://example.org', now: clock })
          return [svidOf(await elsewhere.issue({ subject: '/next' }))]
        },
        /a spiffe_id is not a SPIFFE ID/,
      ],
      ['the WIT has expired', async () => [await wit({ claims: { exp: NOW } })], /its WIT has expired/],
      ['the WIT has no kid', async () => [await wit({ header: { kid: undefined } })], /must have a kid/],
      ['the WIT has an aud', async () => [await wit({ claims: { aud: 'a' } })], /must not have an aud/],
      [
        'the WIT is signed with EdDSA',
        async () => [await wit({ header: { alg: 'EdDSA' } })],
        /^.*: alg of a WIT-SVID/,
      ],
      ['the WIT names a key for EdDSA', async () => [await wit({ confirms: 'EdDSA' })], /cnf.jwk.alg of a/],
    ]
    for (const [what, svids, reason] of faults) {
      it(what, async () => {
        const source = follow()
        api.grant(svidOf(await issue('/first')))
        expect(await outcome(source)).toBe('/first')
        api.grant(...(await svids(await issue('/next'), await issue('/other'))))
        await eventually('the refusal is heard of', () => failures().length > 0)
        expect(failures()).toEqual([expect.stringMatching(reason)])
        expect(await outcome(source)).toBe('/first')
        expect(api.asked).toHaveLength(1)
        expect(inspect(events, { depth: 9 })).not.toMatch(/secret-material|eyJ|"d"/)
      })
    }

    it('it is not a message, cut off, or has texts that are not UTF-8', async () => {
      const source = follow()
      api.grant(svidOf(await issue('/first')))
      expect(await outcome(source)).toBe('/first')
      const whole = message('WITSVIDResponse')
        .encode({ svids: [svidOf(await issue('/next'))] })
        .finish()
      const notUtf8 = Buffer.from(whole)
      notUtf8[notUtf8.indexOf('spiffe://')] = 0xff
      const malformed = [Buffer.from([0xff]), whole.subarray(0, -1), notUtf8, Buffer.alloc(64, 0x7f)]
      for (const bytes of malformed) api.send('FetchWITSVID', bytes)
      await eventually('each is refused', () => failures().length === malformed.length)
      expect(await outcome(source)).toBe('/first')
      api.send('FetchWITSVID', whole)
      await becomes(source, '/next')
      expect(api.asked).toHaveLength(1)
    })
  })

  it('says of a message that it refused nothing that was in it, however deep one looks', async () => {
    api.grant({ ...svidOf(await issue('/first')), witSvidKey: '{"kty":"EC","d":"secret-material"}' })
    const source = follow({ timeoutMs: 1000 })
    const error: unknown = await Promise.resolve(source.current()).catch((error: unknown) => error)
    expect((error as SigningError).diagnostics.reason).toContain('WIMSE_CREDENTIAL_MISMATCH')
    expect(inspect([error, events], { depth: 20, showHidden: true })).not.toMatch(/secret-material|eyJ|"d"/)
  })

  it('asks less and less often while the server does nothing but hang up', async () => {
    api.grant(svidOf(await issue('/first')))
    const source = follow()
    expect(await outcome(source)).toBe('/first')
    const since = performance.now()
    for (let asked = 1; asked <= 4; asked++) {
      await eventually('it is asked', () => api.open('FetchWITSVID') === 1)
      api.end()
    }
    await eventually('it is asked again', () => api.asked.length === 5)
    // At the least half of 0.25, 0.5, 1 and 2 seconds.
    expect(performance.now() - since).toBeGreaterThan(1800)
    expect(await outcome(source)).toBe('/first')
  })

  it('takes a message with fields it does not know', async () => {
    const source = follow()
    const known = message('WITSVIDResponse')
      .encode({ svids: [svidOf(await issue('/first'))] })
      .finish()
    // Fields 15 (a text), 16 (a number) and 17 (eight bytes).
    const unknown = Buffer.from([0x7a, 1, 0x61, 0x80, 1, 5, 0x89, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    const waiting = outcome(source)
    await eventually('it is asked', () => api.open('FetchWITSVID') === 1)
    api.send('FetchWITSVID', Buffer.concat([unknown, known, unknown]))
    expect(await waiting).toBe('/first')
  })

  it('is cut off by a message of more than four mebibytes, and comes back', async () => {
    const first = await issue('/first')
    api.grant(svidOf(first))
    const source = follow()
    expect(await outcome(source)).toBe('/first')
    api.send('FetchWITSVID', Buffer.alloc(4 * 1024 * 1024 + 1))
    await eventually('it is asked again', () => api.asked.length === 2)
    expect(failures()).toEqual([expect.stringMatching(/^RESOURCE_EXHAUSTED /)])
    expect(await outcome(source)).toBe('/first')
  })

  it('never hands out a credential whose WIT has expired', async () => {
    const own = fixedClock(NOW)
    api.grant(svidOf(await issue('/first', 60)))
    const source = follow({ now: own })
    expect(await outcome(source)).toBe('/first')
    own.advance(59.9)
    expect(await outcome(source)).toBe('/first')
    own.advance(0.1)
    expect(await outcome(source)).toBe('WIMSE_CREDENTIAL_EXPIRED')
    api.grant(svidOf(await issue('/second')))
    await becomes(source, '/second')
    expect(await outcome(follow({ now: () => Number.NaN, timeoutMs: 50 }))).toBe('WIMSE_CREDENTIAL_MISSING')
  })

  it('keeps what is valid while the server is gone, and asks again with back-off', async () => {
    const own = fixedClock(NOW)
    api.grant(svidOf(await issue('/first', 60)))
    const source = follow({ now: own })
    expect(await outcome(source)).toBe('/first')
    for (const drop of [() => api.wire.cut(), () => api.end()]) {
      const before = api.asked.length
      drop()
      await eventually('it is heard of', () => failures().length === before)
      expect(await outcome(source)).toBe('/first')
      await eventually('it is asked again', () => api.asked.length === before + 1)
    }
    api.refuse(status.INTERNAL)
    await eventually('it is asked once more', () => api.asked.length === 4)
    expect(await outcome(source)).toBe('/first')
    own.advance(60)
    expect(await outcome(source)).toBe('WIMSE_CREDENTIAL_EXPIRED')
    api.refuse(null)
    api.grant(svidOf(await issue('/second')))
    await becomes(source, '/second')
  })

  it('drops what was granted when permission is denied, and asks again', async () => {
    api.grant(svidOf(await issue('/first')))
    const source = follow()
    expect(await outcome(source)).toBe('/first')
    api.refuse(status.PERMISSION_DENIED, 'no identity issued')
    await becomes(source, 'WIMSE_CREDENTIAL_MISSING')
    expect(await reasonFrom(source)).toContain('the server grants nothing (no identity issued)')
    const asked = api.asked.length
    await eventually('it is asked again', () => api.asked.length > asked)
    api.refuse(null)
    await becomes(source, '/first')
  })

  it('waits on while permission is denied before the first message', async () => {
    api.refuse(status.PERMISSION_DENIED)
    const waiting = outcome(follow())
    await eventually('it is denied', () => failures().length === 1)
    api.grant(svidOf(await issue('/first')))
    api.refuse(null)
    expect(await waiting).toBe('/first')
  })

  for (const [what, code, reason] of [
    ['the server implements no WITs', status.UNIMPLEMENTED, /no WIT profile/],
    ['the server takes our request for invalid', status.INVALID_ARGUMENT, /takes the request for invalid/],
  ] as const) {
    it(`asks never again when ${what}, says so at once, and uses up what it has`, async () => {
      const own = fixedClock(NOW)
      api.grant(svidOf(await issue('/first', 60)))
      const source = follow({ now: own })
      expect(await outcome(source)).toBe('/first')
      api.refuse(code)
      const refused = follow()
      expect(await reasonFrom(refused)).toMatch(reason)
      const asked = api.asked.length
      expect(asked).toBe(2)
      // Twice as long as the first retry of anything else takes at most.
      await sleep(500)
      expect(api.asked).toHaveLength(asked)
      expect(await outcome(source)).toBe('/first')
      own.advance(60)
      expect(await outcome(source)).toBe('WIMSE_CREDENTIAL_EXPIRED')
    })
  }

  it('is told the same by a server that has never heard of the profile', async () => {
    const old = await startWorkloadApi({ profile: false })
    expect(await reasonFrom(follow({ endpoint: old.endpoint }))).toContain('no WIT profile')
    await old.stop()
  })

  for (const [what, onEvent] of [
    [
      'throws',
      () => {
        throw new Error('of its own')
      },
    ],
    ['rejects', (): unknown => Promise.reject(new Error('of its own'))],
  ] as const) {
    // A rejection that nobody handles would fail the run.
    it(`is not kept from renewing by a listener that ${what}`, async () => {
      api.grant(svidOf(await issue('/first')))
      const source = follow({ onEvent })
      expect(await outcome(source)).toBe('/first')
      api.grant(svidOf(await issue('/second')))
      await becomes(source, '/second')
    })
  }

  it('gives nothing once it is closed, and says nothing more', async () => {
    api.grant(svidOf(await issue('/first')))
    const source = follow()
    expect(await outcome(source)).toBe('/first')
    await source.close!()
    expect(await outcome(source)).toBe('WIMSE_CREDENTIAL_MISSING')
    expect(await reasonFrom(source)).toBe('the source is closed')
    await eventually('the connection is closed', () => api.wire.open() === 0)
    expect(failures()).toEqual([])
    await source.close!()
  })

  it('lets go of whoever waits when it is closed', async () => {
    const source = follow()
    const waiting = outcome(source)
    await eventually('it is asked', () => api.asked.length === 1)
    await source.close!()
    expect(await waiting).toBe('WIMSE_CREDENTIAL_MISSING')
  })

  for (const [option, value] of [
    ['spiffeId', 'wimse://example.org/a'],
    ['spiffeId', 'spiffe://example.org'],
    ['spiffeId', 'spiffe://example.org/a/'],
    ['hint', ''],
    ['hint', 7],
    ['timeoutMs', 0],
    ['keepaliveMs', 10],
    ['onEvent', true],
    ['now', 7],
    ['allowInsecure', 'yes'],
    ['socket', '/tmp/a'],
  ] as const) {
    it(`throws for ${option}: ${JSON.stringify(value)}`, () => {
      expect(() => spiffeCredentials({ endpoint: api.endpoint, [option]: value })).toThrow(
        expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(option) }),
      )
    })
  }
})
