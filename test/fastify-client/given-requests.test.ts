import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { createWorkloadFetch, staticCredentials } from 'fastify-wimse-client'
import { Agent } from 'undici'
import { SigningError } from 'wimse'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RecordingServer, startRecordingServer } from './recording-server.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const credential = await identityServer.issue({ subject: '/checkout' })
const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })

describe('what a call is made with', () => {
  let server: RecordingServer
  beforeAll(async () => {
    server = await startRecordingServer()
  })
  afterAll(() => server.close())
  const call = async (input: string | Request, init?: RequestInit): Promise<number> =>
    (await createWorkloadFetch({ credentials, targets: [server.origin] })(input, init)).status

  it('goes out as fetch sends it: a text with its length, by whatever way it is given', async () => {
    const init = { method: 'POST', body: 'a text', keepalive: true }
    await call(`${server.origin}/a`, init)
    await call(new Request(`${server.origin}/a`, init))
    await call(new Request(`${server.origin}/a`), init)
    for (const { fields, body } of server.requests.slice(-3)) {
      expect([body, fields.get('content-length'), fields.get('transfer-encoding')]).toEqual([
        'a text',
        ['6'],
        undefined,
      ])
    }
  })

  it('goes by the dispatcher that comes with it', async () => {
    for (const given of ['in the Request', 'beside it']) {
      let dispatched = 0
      const agent = new Agent()
      const dispatch = agent.dispatch.bind(agent)
      agent.dispatch = (...all: Parameters<typeof dispatch>) => {
        dispatched++
        return dispatch(...all)
      }
      const init = { dispatcher: agent } as object
      const url = `${server.origin}/a`
      expect(await (given === 'beside it' ? call(url, init) : call(new Request(url, init)))).toBe(200)
      expect([given, dispatched]).toEqual([given, 1])
      await agent.close()
    }
  })

  it('is asked for by nobody once it is given up, though there is no credential', async () => {
    const failing = {
      current: async () => Promise.reject(new SigningError('WIMSE_CREDENTIAL_MISSING', { reason: 'test' })),
    }
    const workloadFetch = createWorkloadFetch({ credentials: failing, targets: [server.origin] })
    // A rejection that nobody handles would end the process, and fails this run.
    await expect(workloadFetch(server.origin, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
    await expect(workloadFetch(server.origin)).rejects.toMatchObject({ code: 'WIMSE_CREDENTIAL_MISSING' })
    await new Promise((resolve) => setTimeout(resolve, 20))
  })

  it('can be given up whatever the garbage collector does', async () => {
    const silent = createServer((request, response) => {
      if (request.url === '/body') response.write('a')
    })
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const script = `
      import { createWorkloadFetch, staticCredentials } from 'fastify-wimse-client'
      const origin = 'http://127.0.0.1:${port}'
      const workloadFetch = createWorkloadFetch({
        credentials: staticCredentials({ wit: '${credential.wit}', key: ${JSON.stringify(privateKeyOf(credential))} }),
        targets: [origin],
      })
      const collecting = setInterval(gc, 20)
      const calls = ['/head', '/body', '/head', '/body'].map(async (path) => {
        const response = await workloadFetch(origin + path, { signal: AbortSignal.timeout(600) })
        return response.text()
      })
      const late = new Promise((resolve) => setTimeout(resolve, 5000, 'hangs'))
      const outcomes = await Promise.all(
        calls.map((call) => Promise.race([late, call.then(() => 'answered', (error) => error.name)])),
      )
      console.log(outcomes.join())
      process.exit()`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', script],
      { cwd: fileURLToPath(new URL('.', import.meta.url)) },
    )
    expect(stdout.trim()).toBe('TimeoutError,TimeoutError,TimeoutError,TimeoutError')
    silent.closeAllConnections()
    silent.close()
  })
})
