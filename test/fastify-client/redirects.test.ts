import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWorkloadFetch, staticCredentials, type WorkloadFetchOptions } from 'fastify-wimse-client'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestAuthority } from '../https/test-authority.js'
import { type RecordingServer, startRecordingServer } from './recording-server.js'
import { runTrusting } from './trusting-process.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const credential = await identityServer.issue({ subject: '/checkout' })
const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })

const codeOf = async (promise: Promise<Response>): Promise<unknown> =>
  promise.then(
    ({ status }) => status,
    (error: { code?: unknown; name?: unknown }) => error.code ?? error.name,
  )
const claimsOf = (wpt: string) =>
  JSON.parse(Buffer.from(wpt.split('.')[1]!, 'base64url').toString()) as { aud: string; jti: string }

describe("redirect: 'same-target' (SEC-01, CLI-03)", () => {
  let target: RecordingServer
  let elsewhere: RecordingServer
  let location: string
  let status: number
  const options = (): WorkloadFetchOptions => ({
    credentials,
    targets: [`${target.origin}/inventory`, `${elsewhere.origin}/other-target`],
    redirect: 'same-target',
    otherTokens: ['x-context'],
  })
  const from = (start = 0) => [target.requests.slice(start), elsewhere.requests] as const

  beforeAll(async () => {
    const redirecting: Parameters<typeof startRecordingServer>[0] = (request, response) =>
      request.url!.endsWith('/start') || (request.url!.endsWith('/bounce') && location !== '')
        ? response
            .writeHead(status, {
              location: request.url!.endsWith('/bounce') ? `${target.origin}/inventory/back` : location,
            })
            .end()
        : response.end('ok')
    target = await startRecordingServer(redirecting)
    elsewhere = await startRecordingServer(redirecting)
  })
  afterAll(async () => Promise.all([target.close(), elsewhere.close()]))
  beforeEach(() => {
    status = 307
    ;(elsewhere.requests as unknown[]).length = 0
  })

  const start = async (init: RequestInit = {}, own: Partial<WorkloadFetchOptions> = {}) => {
    const before = target.requests.length
    const outcome = await codeOf(
      createWorkloadFetch({ ...options(), ...own })(`${target.origin}/inventory/start`, init),
    )
    const [requests, others] = from(before)
    return { outcome, requests, others }
  }
  const proofOf = ({ fields }: RecordingServer['requests'][number]) =>
    fields.get('workload-proof-token')?.map(claimsOf)[0]
  const showsNothing = ({ fields }: RecordingServer['requests'][number]): boolean =>
    [...fields.keys()].every(
      (name) => !/^workload-|^authorization$|^cookie$|^dpop$|^txn-token$|^x-context$/.test(name),
    )

  it('signs each step within the target anew, for its own URL', async () => {
    location = '/inventory/next?a=b'
    const { outcome, requests } = await start({ headers: { authorization: 'Bearer a' } })
    expect(outcome).toBe(200)
    expect(requests.map(({ url }) => url)).toEqual(['/inventory/start', '/inventory/next?a=b'])
    const proofs = requests.map((request) => proofOf(request)!)
    expect(proofs.map(({ aud }) => aud)).toEqual([
      `${target.origin}/inventory/start`,
      `${target.origin}/inventory/next`,
    ])
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(2)
    expect(requests[1]!.fields.get('authorization')).toEqual(['Bearer a'])
  })

  it('is not the default, and not what a call that says otherwise gets', async () => {
    location = '/inventory/next'
    expect((await start({}, { redirect: 'manual' })).outcome).toBe(307)
    expect((await start({ redirect: 'manual' })).outcome).toBe(307)
    expect((await start({ redirect: 'error' })).outcome).toBe('TypeError')
  })

  it('takes identity, proof and credentials off where it leads to another origin', async () => {
    location = `${elsewhere.origin}/caught`
    const { outcome, requests, others } = await start({
      headers: {
        authorization: 'Bearer a',
        cookie: 'a=b',
        dpop: 'proof',
        'txn-token': 'context',
        'x-context': 'more',
        'x-plain': 'stays',
      },
    })
    expect(outcome).toBe(200)
    expect(requests).toHaveLength(1)
    expect(others).toHaveLength(1)
    expect(others.every(showsNothing)).toBe(true)
    expect(others[0]!.fields.get('x-plain')).toEqual(['stays'])
  })

  it('takes identity, proof and credentials off beside the target, and where it leads to another target', async () => {
    for (location of ['/elsewhere', '/inventoryx', '/inventory/..;/x', `${elsewhere.origin}/other-target`]) {
      const { outcome, requests, others } = await start({
        headers: { authorization: 'Bearer a', cookie: 'a=b', 'x-context': 'more' },
      })
      expect(outcome).toBe(200)
      const [first, ...rest] = [...requests, ...others]
      expect(proofOf(first!)).toBeDefined()
      expect(rest.map(showsNothing)).toEqual([true])
      ;(elsewhere.requests as unknown[]).length = 0
    }
  })

  it('signs nothing more once it has left the target, though it leads back', async () => {
    location = `${elsewhere.origin}/bounce`
    const { outcome, requests, others } = await start()
    expect(outcome).toBe(200)
    expect([requests.length, others.length]).toEqual([2, 1])
    expect(others.every(showsNothing)).toBe(true)
    expect(requests[1]!.url).toBe('/inventory/back')
    expect(showsNothing(requests[1]!)).toBe(true)
  })

  for (const [odd, code] of [
    ['http://user:word@127.0.0.1/a', 'WIMSE_TARGET_NOT_ALLOWED'],
    ['ftp://127.0.0.1/a', 'TypeError'],
    ['http://[', 'TypeError'],
    ['data:text/plain,a', 'TypeError'],
  ] as const) {
    it(`does not go to ${odd}`, async () => {
      location = odd
      const { outcome, requests, others } = await start()
      expect([outcome, requests.length, others.length]).toEqual([code, 1, 0])
    })
  }

  it('ends after as many redirects as fetch follows', async () => {
    location = '/inventory/start'
    const { outcome, requests } = await start()
    expect([outcome, requests.length]).toEqual(['TypeError', 21])
  })

  for (const [given, method, becomes] of [
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [301, 'PUT', 'PUT'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
  ] as const) {
    it(`goes on after ${given} for ${method} with ${becomes}, as fetch does`, async () => {
      location = '/inventory/next'
      status = given
      const body = method === 'HEAD' ? {} : { body: 'a body', headers: { 'content-type': 'text/plain' } }
      const { outcome, requests } = await start({ method, ...body })
      expect(outcome).toBe(200)
      const again = becomes === method && method !== 'HEAD'
      expect(requests[1]).toMatchObject({ method: becomes, body: again ? 'a body' : '' })
      expect(requests[1]!.fields.get('content-type')).toEqual(again ? ['text/plain'] : undefined)
      expect(proofOf(requests[1]!)).toBeDefined()
    })
  }

  it('sends forms again with a boundary that fits', async () => {
    location = '/inventory/next'
    const body = new FormData()
    body.set('name', 'value')
    const { outcome, requests } = await start({ method: 'POST', body })
    expect(outcome).toBe(200)
    for (const { fields, body: sent } of requests) {
      const boundary = /boundary=(.+)/.exec(fields.get('content-type')![0]!)![1]!
      expect(sent).toContain(boundary)
      expect(sent).toContain('value')
    }
  })

  it('says that a stream cannot be sent again, and follows where nothing has to be', async () => {
    location = '/inventory/next'
    const stream = () => ({ method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' as const })
    expect((await start(stream())).outcome).toBe('WIMSE_BODY_CONSUMED')
    status = 303
    expect((await start(stream())).outcome).toBe(200)
  })

  it('lets go of the answer when it does not go on', async () => {
    let hangUp = (): void => undefined
    const hungUp = new Promise<void>((resolve) => (hangUp = resolve))
    const endless = createServer((_request, response) => {
      response.writeHead(307, { location: 'ftp://127.0.0.1/' }).write('a')
      response.on('close', hangUp)
    })
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`
    expect(await codeOf(createWorkloadFetch({ ...options(), targets: [origin] })(`${origin}/`))).toBe(
      'TypeError',
    )
    expect(await Promise.race([hungUp.then(() => 'let go'), sleep(2000, 'held')])).toBe('let go')
    await new Promise((resolve) => endless.close(resolve))
  })

  it('does not go from https to http', async () => {
    const authority = createTestAuthority()
    const before = elsewhere.requests.length
    const secure = createHttpsServer(authority.certificateFor('localhost'), (_request, response) =>
      response
        .writeHead(307, {
          location: `${elsewhere.origin}/`,
        })
        .end(),
    )
    await new Promise<void>((resolve) => secure.listen(0, 'localhost', resolve))
    const origin = `https://localhost:${(secure.address() as AddressInfo).port}`
    const outcomes = await runTrusting(authority.ca, {
      wit: credential.wit,
      key: privateKeyOf(credential),
      targets: [origin],
      urls: [`${origin}/`],
      redirect: 'same-target',
    })
    expect(outcomes).toEqual(['WIMSE_URL_INSECURE'])
    expect(elsewhere.requests).toHaveLength(before)
    secure.closeAllConnections()
    await new Promise((resolve) => secure.close(resolve))
  })

  it('is one of two words', () => {
    expect(() => createWorkloadFetch({ ...options(), redirect: 'follow' as never })).toThrow(
      /option redirect/,
    )
  })
})
