import { describe, expect, it } from 'vitest'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { startKeySetServer } from '../https/key-set-server.js'
import { createTestAuthority } from '../https/test-authority.js'
import { runTrusting } from './trusting-process.js'

describe('the server a workload calls', () => {
  it('has a certificate of a known authority for its host name, or is sent nothing (SEC-02, CLI-06)', async () => {
    const authority = createTestAuthority()
    const servers = await Promise.all(
      [
        authority.certificateFor('localhost'),
        authority.certificateFor('other.example'),
        authority.certificateFor('localhost', { expired: true }),
        createTestAuthority().certificateFor('localhost'),
      ].map(async (certificate) => startKeySetServer(certificate)),
    )
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const credential = await identityServer.issue({ subject: '/checkout' })
    const outcomes = await runTrusting(authority.ca, {
      wit: credential.wit,
      key: privateKeyOf(credential),
      targets: servers.map(({ origin }) => origin),
      urls: servers.map(({ origin }) => `${origin}/stock`),
    })
    const [good, ...refused] = outcomes
    expect(good).toBe('200')
    expect(refused).toEqual([
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'CERT_HAS_EXPIRED',
      expect.stringMatching(/^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|DEPTH_ZERO|CERT_SIGNATURE_FAILURE)/),
    ])
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 0, 0, 0])
    await Promise.all(servers.map(async (server) => server.close()))
  })
})
