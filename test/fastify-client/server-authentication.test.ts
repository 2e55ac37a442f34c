import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { startKeySetServer } from '../https/key-set-server.js'
import { createTestAuthority } from '../https/test-authority.js'

const caller = fileURLToPath(new URL('caller.mjs', import.meta.url))

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
    const folder = mkdtempSync(join(tmpdir(), 'wimse-'))
    writeFileSync(join(folder, 'ca.pem'), [authority.ca].flat().join('\n'))
    const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
    const credential = await identityServer.issue({ subject: '/checkout' })
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        caller,
        credential.wit,
        JSON.stringify(privateKeyOf(credential)),
        ...servers.map(({ origin }) => `${origin}/stock`),
      ],
      { env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') } },
    )
    const [good, ...refused] = stdout.trim().split('\n')
    expect(good).toBe('200')
    expect(refused).toEqual([
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'CERT_HAS_EXPIRED',
      expect.stringMatching(/^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|DEPTH_ZERO|CERT_SIGNATURE_FAILURE)/),
    ])
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 0, 0, 0])
    await Promise.all(servers.map(async (server) => server.close()))
    rmSync(folder, { recursive: true, force: true })
  })
})
