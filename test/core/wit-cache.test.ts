import { describe, expect, it, vi } from 'vitest'
import {
  type AuthenticationError,
  createAuthenticator,
  type Credential,
  readTrustBundle,
  signRequest,
  type TrustBundle,
} from 'wimse'
import * as signature from '../../packages/core/src/crypto/signature.js'
import { createWitCache, type KnownWit } from '../../packages/core/src/trust/wit-cache.js'
import { createTestIdentityServer, fixedClock } from 'wimse-testkit'

const ORIGIN = 'https://inventory.example.com'
const NOON = 1_760_000_000

async function serviceWithCache(witCacheSize = 100) {
  const clock = fixedClock(NOON)
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })
  let bundle: TrustBundle = readTrustBundle(identityServer.jwks)
  const verifications = vi.spyOn(signature, 'verifySignature')
  const authenticator = createAuthenticator({
    audience: ORIGIN,
    trustDomains: { 'wimse://example.com': { source: { bundleFor: () => bundle } } },
    now: clock,
    clockTolerance: 0,
    witCacheSize,
  })
  const sign = (credential: Credential): Record<string, string> =>
    signRequest(credential, { url: `${ORIGIN}/`, now: clock })
  const call = async (credential: Credential, spoil = (wpt: string) => wpt, headers = sign(credential)) => {
    const before = verifications.mock.calls.length
    const outcome = await authenticator
      .authenticate({
        wit: headers['Workload-Identity-Token']!,
        wpt: spoil(headers['Workload-Proof-Token']!),
        path: '/',
      })
      .then(
        ({ id }) => id,
        (error: unknown) => (error as AuthenticationError).code,
      )
    return { outcome, verifications: verifications.mock.calls.length - before }
  }
  return {
    clock,
    identityServer,
    sign,
    call,
    use: (next: TrustBundle) => {
      bundle = next
    },
  }
}

const LET_IN = 'wimse://example.com/checkout'

describe('a WIT that is known', () => {
  it('is verified once, the proof every time', async () => {
    const { identityServer, call } = await serviceWithCache()
    const credential = await identityServer.issue({ subject: '/checkout' })
    expect(await call(credential)).toEqual({ outcome: LET_IN, verifications: 2 })
    expect(await call(credential)).toEqual({ outcome: LET_IN, verifications: 1 })
  })

  it('is not remembered before a proof with it was verified', async () => {
    const { identityServer, call } = await serviceWithCache()
    const credential = await identityServer.issue({ subject: '/checkout' })
    const spoil = (wpt: string): string => `${wpt.slice(0, -4)}AAAA`
    expect(await call(credential, spoil)).toEqual({ outcome: 'WIMSE_WPT_SIGNATURE', verifications: 2 })
    expect(await call(credential)).toEqual({ outcome: LET_IN, verifications: 2 })
  })

  it('expires all the same (WIT-10)', async () => {
    const { clock, identityServer, sign, call } = await serviceWithCache()
    const credential = await identityServer.issue({ subject: '/checkout', lifetime: 100 })
    await call(credential)
    clock.advance(99)
    expect(await call(credential)).toEqual({ outcome: LET_IN, verifications: 1 })
    const signedInTime = sign(credential)
    clock.advance(1)
    expect(await call(credential, undefined, signedInTime)).toEqual({
      outcome: 'WIMSE_WIT_EXPIRED',
      verifications: 0,
    })
  })

  it('is verified anew when the keys have changed, and refused when its own is gone', async () => {
    const { identityServer, call, use } = await serviceWithCache()
    const other = createTestIdentityServer({ origin: 'wimse://example.com' })
    const credential = await identityServer.issue({ subject: '/checkout' })
    await call(credential)
    use(readTrustBundle({ keys: [...identityServer.jwks.keys, { ...other.jwks.keys[0]!, kid: 'next' }] }))
    expect(await call(credential)).toEqual({ outcome: LET_IN, verifications: 2 })
    use(readTrustBundle({ keys: [{ ...other.jwks.keys[0]!, kid: 'next' }] }))
    expect((await call(credential)).outcome).toBe('WIMSE_WIT_KEY')
    use(readTrustBundle({ keys: [] }))
    expect((await call(credential)).outcome).toBe('WIMSE_WIT_KEY')
    use(readTrustBundle(identityServer.jwks))
    expect(await call(credential)).toEqual({ outcome: LET_IN, verifications: 2 })
  })

  it('is forgotten for another when there is no more room', async () => {
    const { identityServer, call } = await serviceWithCache(2)
    const credentials = await Promise.all(
      Array.from({ length: 3 }, async () => identityServer.issue({ subject: '/checkout' })),
    )
    for (const credential of credentials) await call(credential)
    expect((await call(credentials[0]!)).verifications).toBe(2)
    expect((await call(credentials[2]!)).verifications).toBe(1)
  })

  it('never shares its place with another: tokens that differ in any one character are looked up apart', async () => {
    const { identityServer, call } = await serviceWithCache(10_000)
    const credential = await identityServer.issue({ subject: '/checkout' })
    await call(credential)
    const { wit } = credential
    const headers = signRequest(credential, { url: `${ORIGIN}/`, now: NOON })
    const authenticator = createAuthenticator({
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      now: () => NOON,
    })
    await authenticator.authenticate({ wit, wpt: headers['Workload-Proof-Token']!, path: '/' })
    for (let position = 0; position < wit.length; position++) {
      const spoilt =
        wit.slice(0, position) + String.fromCharCode(wit.charCodeAt(position) ^ 1) + wit.slice(position + 1)
      const proof = signRequest(credential, { url: `${ORIGIN}/`, now: NOON })['Workload-Proof-Token']!
      await expect(authenticator.authenticate({ wit: spoilt, wpt: proof, path: '/' })).rejects.toMatchObject({
        code: expect.stringMatching(/^WIMSE_WIT_/),
      })
    }
  })
})

describe('createWitCache()', () => {
  const known = (hash: string, bundle: TrustBundle): KnownWit => ({
    wit: { hash } as KnownWit['wit'],
    bundle,
  })
  const [one, two] = [readTrustBundle({ keys: [] }), readTrustBundle({ keys: [] })]

  it('is bounded by count', () => {
    const cache = createWitCache(10)
    for (let index = 0; index < 100; index++) cache.remember(known(`hash ${index}`, one))
    expect(cache.size).toBe(10)
  })

  it('is emptied of all that a bundle vouched for', () => {
    const cache = createWitCache(100)
    for (let index = 0; index < 20; index++)
      cache.remember(known(`hash ${index}`, index % 2 === 0 ? one : two))
    cache.forgetBundle(one)
    expect(cache.size).toBe(10)
    for (let index = 0; index < 20; index++)
      expect(cache.find(`hash ${index}`)?.bundle).toBe(index % 2 === 0 ? undefined : two)
  })
})
