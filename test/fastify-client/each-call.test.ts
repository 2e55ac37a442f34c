import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWorkloadFetch, type CredentialSource, wimseClient } from 'fastify-wimse-client'
import type { Credential } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { type RecordingServer, startRecordingServer } from './recording-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>

describe('each call', () => {
  let target: RecordingServer
  beforeAll(async () => {
    target = await startRecordingServer((_request, response) => response.writeHead(401).end('try again'))
  })
  afterAll(() => target.close())

  const sentIn = (request: RecordingServer['requests'][number]): { wit: string; wpt: string } => ({
    wit: request.fields.get('workload-identity-token')![0]!,
    wpt: request.fields.get('workload-proof-token')![0]!,
  })

  it('asks its source for the credential, so that a new WIT counts from the next call on (WIT-12)', async () => {
    const [first, second] = [
      await identityServer.issue({ subject: '/checkout' }),
      await identityServer.issue({ subject: '/checkout' }),
    ]
    let current: Credential = first
    const credentials: CredentialSource = { current: () => current }
    const workloadFetch = createWorkloadFetch({ credentials, targets: [target.origin] })
    await workloadFetch(`${target.origin}/a`)
    current = second
    await workloadFetch(`${target.origin}/a`)
    expect(target.requests.slice(-2).map((request) => sentIn(request).wit)).toEqual([first.wit, second.wit])
  })

  it('has a proof of its own, and is made once, whatever the answer (WPT-34)', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const workloadFetch = createWorkloadFetch({
      credentials: { current: () => credential },
      targets: [target.origin],
    })
    const before = target.requests.length
    for (let round = 0; round < 3; round++)
      expect((await workloadFetch(`${target.origin}/a`)).status).toBe(401)
    const proofs = target.requests.slice(before).map((request) => claimsOf(sentIn(request).wpt))
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(3)
    expect(proofs).toHaveLength(3)
  })

  it('leaves no token in the log, nor in what it throws (CLI-09, SEC-09)', async () => {
    let log = ''
    const app = Fastify({ logger: { level: 'trace', stream: { write: (line: string) => (log += line) } } })
    const credential = await identityServer.issue({ subject: '/checkout' })
    await app.register(wimseClient, {
      credentials: { current: () => credential },
      targets: [target.origin, 'http://127.0.0.1:1'],
    })
    app.get('/', async (request) => {
      const headers = { authorization: 'Bearer a-secret-token' }
      for (const url of [`${target.origin}/a`, 'http://127.0.0.1:1/down', 'https://elsewhere.example/']) {
        await app
          .workloadFetch(url, { headers })
          .catch((err: unknown) => request.log.error({ err }, 'failed'))
      }
      return 'done'
    })
    const before = target.requests.length
    expect((await app.inject('/')).body).toBe('done')
    expect(log.match(/"msg":"failed"/g)).toHaveLength(2)
    const { wit, wpt } = sentIn(target.requests[before]!)
    for (const secret of [...wit.split('.'), ...wpt.split('.'), 'a-secret-token'])
      expect(log).not.toContain(secret)
    await app.close()
  })
})
