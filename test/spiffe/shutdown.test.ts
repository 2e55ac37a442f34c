import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spiffeBundles, spiffeCredentials } from 'wimse-spiffe'
import { createTestIdentityServer } from 'wimse-testkit'
import { eventually } from './eventually.js'
import { startWorkloadApi, svidOf, type WorkloadApi } from './workload-api-server.js'

const run = promisify(execFile)
const holder = fileURLToPath(new URL('holder.mjs', import.meta.url))
const ORG = 'spiffe://example.org'

for (const tcp of [false, true]) {
  describe(`on ${tcp ? 'TCP' : 'a Unix socket'}`, () => {
    const identityServer = createTestIdentityServer({ origin: ORG })
    let api: WorkloadApi

    beforeEach(async () => {
      api = await startWorkloadApi({ tcp })
      api.publish({ [ORG]: identityServer.jwks })
      api.grant(svidOf(await identityServer.issue({ subject: '/checkout' })))
    })
    afterEach(() => api.stop())

    for (const how of ['close', 'leave open']) {
      it(`a process ends when it is done: ${how}`, async () => {
        const { stdout } = await run(process.execPath, [holder, api.endpoint, how], { timeout: 10_000 })
        expect(stdout).toBe(`${ORG}/checkout 1\n`)
        await eventually('its connection is gone', () => api.wire.open() === 0)
      })
    }

    it('a process ends when it is done, though nobody answers it and it would ask for ever', async () => {
      await api.wire.close()
      const { stdout } = await run(process.execPath, [holder, api.endpoint], { timeout: 10_000 })
      expect(stdout).toBe('WIMSE_CREDENTIAL_MISSING\n')
    })

    it('closed sources leave no socket, timer or stream behind', async () => {
      const before = process.getActiveResourcesInfo().sort()
      const open = async (): Promise<void> => {
        const credentials = spiffeCredentials({ endpoint: api.endpoint })
        const bundles = spiffeBundles({ endpoint: api.endpoint })
        await credentials.current()
        await bundles.bundleFor(ORG)
        expect(api.open('FetchWITSVID') + api.open('FetchWITBundles')).toBe(2)
        await credentials.close!()
        await bundles.close!()
      }
      for (let round = 0; round < 5; round++) await open()
      await eventually('no call is open', () => api.open('FetchWITSVID') + api.open('FetchWITBundles') === 0)
      await eventually('no connection is open', () => api.wire.open() === 0)
      // The server's own half of a connection may take a moment to go.
      await eventually('nothing more is active than before', () => {
        const now = process.getActiveResourcesInfo().sort()
        return now.length <= before.length
      })
    })

    it('a source closed while it waits to ask again asks no more', async () => {
      const source = spiffeCredentials({ endpoint: api.endpoint })
      await source.current()
      api.wire.cut()
      await eventually('the call is gone', () => api.open('FetchWITSVID') === 0)
      await source.close!()
      await new Promise((resolve) => setTimeout(resolve, 400))
      expect(api.asked).toHaveLength(1)
    })

    it('a connection that has gone dead without a word is noticed, and made anew', async () => {
      const source = spiffeCredentials({ endpoint: api.endpoint, keepaliveMs: 1000 })
      expect((await source.current()).subject).toBe(`${ORG}/checkout`)
      api.wire.freeze()
      api.grant(svidOf(await identityServer.issue({ subject: '/next' })))
      await eventually('the next is there', async () => (await source.current()).subject === `${ORG}/next`)
      expect(api.wire.made()).toBe(2)
      await source.close!()
    })
  })
}
