import { createServer } from 'node:http'
import { createWorkloadFetch, type CredentialSource, SigningError } from 'fastify-wimse-client'
import { type Credential, problemFor, AuthenticationError } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startProtectedService } from '../fastify/protected-service.js'
import { freePort } from '../redis/redis-server.js'
import { type RecordingServer, startRecordingServer } from './recording-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

/** A source with one credential after the other. */
function renewing(credentials: readonly Credential[]): CredentialSource & { asked: Credential[] } {
  let held = 0
  const asked: Credential[] = []
  return {
    asked,
    current: () => credentials[held]!,
    renewed: (refused) => {
      asked.push(refused)
      if (credentials[held] === refused && held + 1 < credentials.length) held++
      return credentials[held]!
    },
  }
}

describe('a refusal that another credential can cure (CLI-08)', () => {
  let server: RecordingServer
  let answers: { status: number; headers?: Record<string, string>; body?: string }[]
  let [first, second]: Credential[] = []
  beforeAll(async () => {
    server = await startRecordingServer((_request, response) => {
      const { status, headers = {}, body = 'ok' } = answers.shift() ?? { status: 200 }
      response.writeHead(status, headers).end(body)
    })
    first = await identityServer.issue({ subject: '/checkout' })
    second = await identityServer.issue({ subject: '/checkout' })
  })
  afterAll(() => server.close())
  beforeEach(() => {
    answers = []
    ;(server.requests as unknown[]).length = 0
  })

  const refusal = (
    code: 'WIMSE_WIT_EXPIRED' | 'WIMSE_WIT_KEY' | 'WIMSE_WPT_EXPIRED' | 'WIMSE_WIT_REVOKED',
  ) => {
    const { status, headers, body } = problemFor(new AuthenticationError(code, { reason: 'test' }))
    return { status, headers: headers as Record<string, string>, body: JSON.stringify(body) }
  }
  const wits = (): unknown[] => server.requests.map(({ fields }) => fields.get('workload-identity-token')![0])
  const proofs = (): unknown[] => server.requests.map(({ fields }) => fields.get('workload-proof-token')![0])
  const call = async (source: CredentialSource, init?: RequestInit): Promise<Response> =>
    createWorkloadFetch({ credentials: source, targets: [server.origin] })(`${server.origin}/a`, init)

  for (const code of ['WIMSE_WIT_EXPIRED', 'WIMSE_WIT_KEY'] as const) {
    it(`${code}: is asked once more with the other credential and a proof of its own`, async () => {
      answers = [refusal(code)]
      const source = renewing([first!, second!])
      const response = await call(source, { method: 'POST', body: 'a body' })
      expect(response.status).toBe(200)
      expect(source.asked).toEqual([first])
      expect(wits()).toEqual([first!.wit, second!.wit])
      expect(new Set(proofs()).size).toBe(2)
      expect(server.requests.map(({ body }) => body)).toEqual(['a body', 'a body'])
    })
  }

  it('a challenge for a proof without a code of ours: once more', async () => {
    answers = [{ status: 401, headers: { 'www-authenticate': 'Bearer realm="a", WPT' } }]
    expect((await call(renewing([first!, second!]))).status).toBe(200)
    expect(wits()).toEqual([first!.wit, second!.wit])
  })

  it('and only once, however often it is refused', async () => {
    answers = [refusal('WIMSE_WIT_EXPIRED'), refusal('WIMSE_WIT_EXPIRED'), refusal('WIMSE_WIT_EXPIRED')]
    const response = await call(renewing([first!, second!, first!]))
    expect(await response.json()).toMatchObject({ code: 'WIMSE_WIT_EXPIRED' })
    expect(server.requests).toHaveLength(2)
  })

  for (const [what, answer] of [
    ['another code', refusal('WIMSE_WPT_EXPIRED')],
    ['a revoked identity', refusal('WIMSE_WIT_REVOKED')],
    ['a plain 400', { status: 400, body: '{"code":"WIMSE_WIT_EXPIRED"}' }],
    [
      'a challenge for something else',
      { status: 401, headers: { 'www-authenticate': 'Bearer realm="WPT"' } },
    ],
    ['a problem that is no JSON', { ...refusal('WIMSE_WIT_EXPIRED'), body: '{"code":"WIMSE_WIT_EXPIRED"' }],
    [
      'a problem without an end',
      { ...refusal('WIMSE_WIT_EXPIRED'), body: `{"code":"WIMSE_WIT_EXPIRED","x":"${'x'.repeat(40_000)}"}` },
    ],
    ['a 503', { status: 503 }],
  ] as const) {
    it(`${what}: is final, and can be read to its end`, async () => {
      answers = [answer]
      const source = renewing([first!, second!])
      const response = await call(source)
      expect(response.status).toBe(answer.status)
      expect(await response.text()).toBe('body' in answer ? answer.body : 'ok')
      expect([server.requests.length, source.asked.length]).toEqual([1, 0])
    })
  }

  it('is final where there is no other credential', async () => {
    for (const source of [renewing([first!]), { current: () => first! }]) {
      answers = [refusal('WIMSE_WIT_EXPIRED')]
      ;(server.requests as unknown[]).length = 0
      const response = await call(source)
      expect(await response.json()).toMatchObject({ code: 'WIMSE_WIT_EXPIRED' })
      expect(server.requests).toHaveLength(1)
    }
  })

  it('is given back where the source cannot say whether there is another credential', async () => {
    answers = [refusal('WIMSE_WIT_EXPIRED')]
    const source = {
      current: () => first!,
      renewed: async () =>
        Promise.reject(new SigningError('WIMSE_CREDENTIAL_EXPIRED', { reason: 'nobody answers' })),
    }
    const response = await call(source)
    expect(await response.json()).toMatchObject({ code: 'WIMSE_WIT_EXPIRED' })
    expect(server.requests).toHaveLength(1)
  })

  it('with a stream that has been sent is not tried again, and the error says so', async () => {
    answers = [refusal('WIMSE_WIT_EXPIRED')]
    const source = renewing([first!, second!])
    const init = { method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' as const }
    const failure: unknown = await call(source, init).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SigningError)
    expect(failure).toMatchObject({
      code: 'WIMSE_BODY_CONSUMED',
      diagnostics: { reason: expect.stringContaining('the identity token was refused') },
    })
    expect(server.requests).toHaveLength(1)
    // The next call has the other credential.
    expect((await call(source)).status).toBe(200)
    expect(wits()[1]).toBe(second!.wit)
  })

  it('does not begin with a body that was read before', async () => {
    const given = new Request(`${server.origin}/a`, { method: 'POST', body: 'a' })
    await given.text()
    const source = renewing([first!])
    const workloadFetch = createWorkloadFetch({ credentials: source, targets: [server.origin] })
    await expect(workloadFetch(given)).rejects.toMatchObject({ code: 'WIMSE_BODY_CONSUMED' })
    expect(server.requests).toEqual([])
    expect((await workloadFetch(given, { body: 'another' })).status).toBe(200)
    expect(server.requests[0]!.body).toBe('another')
  })

  it('is not waited for by a call that was given up', async () => {
    answers = [refusal('WIMSE_WIT_EXPIRED')]
    const source = { current: () => first!, renewed: async () => new Promise<Credential>(() => undefined) }
    const failure = await call(source, { signal: AbortSignal.timeout(100) }).catch((error: Error) => error)
    expect((failure as Error).name).toBe('TimeoutError')
  })

  it('is cured at a real service whose issuer has changed its key', async () => {
    const other = createTestIdentityServer({ origin: 'wimse://example.com' })
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const service = await startProtectedService({ audience: origin, trustDomains: other.trustDomains }, port)
    const known = await other.issue({ subject: '/checkout' })
    const workloadFetch = createWorkloadFetch({ credentials: renewing([first!, known]), targets: [origin] })
    expect((await workloadFetch(`${origin}/a`)).status).toBe(200)
    expect(service.handled).toHaveLength(1)
    await service.app.close()
  })

  it('is not waited for where the problem does not come to an end', async () => {
    const slow = createServer((_request, response) => {
      response.writeHead(400, { 'content-type': 'application/problem+json' })
      response.write('{')
      const timer = setInterval(() => response.write(' '), 100)
      response.on('close', () => clearInterval(timer))
    })
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
    const { port } = slow.address() as { port: number }
    const workloadFetch = createWorkloadFetch({
      credentials: renewing([first!, second!]),
      targets: [`http://127.0.0.1:${port}`],
    })
    const before = performance.now()
    const response = await workloadFetch(`http://127.0.0.1:${port}/`)
    expect(response.status).toBe(400)
    expect(performance.now() - before).toBeLessThan(3000)
    await response.body!.cancel()
    slow.closeAllConnections()
    slow.close()
  })

  it('leaves a response that ends in the middle to whoever reads it', async () => {
    const cut = createServer((_request, response) => {
      response.writeHead(400, { 'content-type': 'application/problem+json', 'content-length': '500' })
      response.write('{"code":')
      setTimeout(() => response.destroy(), 20)
    })
    await new Promise<void>((resolve) => cut.listen(0, '127.0.0.1', resolve))
    const { port } = cut.address() as { port: number }
    const workloadFetch = createWorkloadFetch({
      credentials: renewing([first!, second!]),
      targets: [`http://127.0.0.1:${port}`],
    })
    const response = await workloadFetch(`http://127.0.0.1:${port}/`)
    expect(response.status).toBe(400)
    await expect(response.text()).rejects.toThrow()
    cut.close()
  })
})
