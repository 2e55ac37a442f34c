import { afterEach, describe, expect, it, vi } from 'vitest'
import { createAuthenticator, memoryReplayStore, signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'

const ORIGIN = 'https://inventory.example.com'

describe('the clock of the machine', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('stands behind for none of those that share a store once it has been ahead for one (P-11)', async () => {
    const start = Date.now() / 1000
    let [monotonic, ahead] = [0, 0]
    vi.spyOn(performance, 'now').mockImplementation(() => monotonic * 1000)
    vi.spyOn(Date, 'now').mockImplementation(() => (start + monotonic + ahead) * 1000)
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: () => start })
    const options = {
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      replay: memoryReplayStore(),
    }
    const [outer, nested] = [createAuthenticator(options), createAuthenticator(options)]
    const credential = await identityServer.issue({ subject: '/checkout' })
    const headers = signRequest(credential, { url: `${ORIGIN}/`, now: start, lifetime: 300 })
    const tokens = {
      wit: headers['Workload-Identity-Token']!,
      wpt: headers['Workload-Proof-Token']!,
      path: '/',
    }
    const outcome = async (authenticator: typeof outer): Promise<string> =>
      authenticator.authenticate(tokens).then(
        () => 'let in',
        ({ code }: { code: string }) => code,
      )

    ahead = 200
    expect(await outcome(outer)).toBe('let in')
    ahead = 0
    monotonic = 1
    expect(await outcome(nested)).toBe('WIMSE_WPT_REPLAYED')
    // The entry is gone: it was for the 105 seconds that the proof had left by then, and a minute.
    monotonic = 170
    expect([await outcome(outer), await outcome(nested)]).toEqual(['WIMSE_WPT_EXPIRED', 'WIMSE_WPT_EXPIRED'])
    // One with a store of its own has claimed nothing by the clock ahead.
    const { replay: _shared, ...alone } = options
    expect(await outcome(createAuthenticator(alone))).toBe('let in')
  })
})
