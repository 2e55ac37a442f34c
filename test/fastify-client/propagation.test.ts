import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wimse } from 'fastify-wimse'
import { staticCredentials, wimseClient } from 'fastify-wimse-client'
import { createTestIdentityServer, privateKeyOf, signedInject } from 'wimse-testkit'
import { type RecordingServer, startRecordingServer } from './recording-server.js'

const ORIGIN = 'https://middle.example.com'

describe('request.workloadFetch', () => {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  let near: RecordingServer
  let far: RecordingServer
  let middle: FastifyInstance
  let own: Record<string, string> = {}

  beforeAll(async () => {
    near = await startRecordingServer()
    far = await startRecordingServer()
    const credential = await identityServer.issue({ subject: '/middle' })
    middle = Fastify()
    await middle.register(wimse, { audience: ORIGIN, trustDomains: identityServer.trustDomains })
    await middle.register(wimseClient, {
      credentials: staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) }),
      targets: [{ url: near.origin, propagate: true }, far.origin],
    })
    const callBoth = async (request: {
      workloadFetch: (url: string, init?: RequestInit) => Promise<Response>
    }): Promise<string> => {
      for (const { origin } of [near, far]) await request.workloadFetch(`${origin}/`, { headers: own })
      return 'done'
    }
    middle.get('/', async (request) => callBoth(request))
    middle.get('/open', { config: { wimse: false } }, async (request) => callBoth(request))
  })
  afterAll(async () => Promise.all([middle.close(), near.close(), far.close()]))

  const last = ({ requests }: RecordingServer) => {
    const { fields } = requests.at(-1)!
    const proof = fields.get('workload-proof-token')![0]!
    const claims = JSON.parse(Buffer.from(proof.split('.')[1]!, 'base64url').toString()) as { tth?: string }
    return { txnToken: fields.get('txn-token')?.join(), covered: claims.tth !== undefined }
  }

  it('carries a covered Txn-Token on to targets that may have it, covered again', async () => {
    const caller = await identityServer.issue({ subject: '/caller' })
    const response = await signedInject(middle, caller, {
      url: `${ORIGIN}/`,
      headers: { 'txn-token': 'a-context' },
    })
    expect(response.statusCode).toBe(200)
    expect(last(near)).toEqual({ txnToken: 'a-context', covered: true })
    expect(last(far)).toEqual({ txnToken: undefined, covered: false })
  })

  it('carries none on that nobody has covered', async () => {
    expect((await middle.inject({ url: '/open', headers: { 'txn-token': 'forged' } })).statusCode).toBe(200)
    expect(last(near)).toEqual({ txnToken: undefined, covered: false })
  })

  it('leaves a Txn-Token alone that the handler sets', async () => {
    own = { 'txn-token': 'a-new-context' }
    const caller = await identityServer.issue({ subject: '/caller' })
    await signedInject(middle, caller, { url: `${ORIGIN}/`, headers: { 'txn-token': 'a-context' } })
    expect(last(near)).toEqual({ txnToken: 'a-new-context', covered: true })
    expect(last(far)).toEqual({ txnToken: 'a-new-context', covered: true })
    own = {}
  })

  it('app.workloadFetch carries nothing on', async () => {
    await middle.workloadFetch(`${near.origin}/`)
    expect(last(near)).toEqual({ txnToken: undefined, covered: false })
  })
})
