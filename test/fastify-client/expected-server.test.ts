import { execFile } from 'node:child_process'
import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Agent, request as undiciRequest } from 'undici'
import {
  createWorkloadFetch,
  expectServer,
  SigningError,
  staticCredentials,
  type TargetOptions,
  wimseInterceptor,
} from 'fastify-wimse-client'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { createTestAuthority, type ServerCertificate } from '../https/test-authority.js'
import { runTrusting, trusting } from './trusting-process.js'

const INVENTORY = 'spiffe://example.org/inventory'

describe('expectServer(), on what Node says of a certificate (WIT-27)', () => {
  const check = expectServer(INVENTORY)
  const outcome = (subjectaltname: string | undefined): unknown =>
    check('anything', { subjectaltname } as never)?.code ?? 'expected'

  for (const names of [
    `URI:${INVENTORY}`,
    `DNS:a.example, URI:${INVENTORY}, IP Address:127.0.0.1`,
    `DNS:"a, URI:spiffe://example.org/other", URI:${INVENTORY}`,
  ]) {
    it(`takes ${names}`, () => {
      expect(outcome(names)).toBe('expected')
    })
  }
  for (const names of [
    undefined,
    '',
    `DNS:${INVENTORY}`,
    `email:${INVENTORY}`,
    `URI:${INVENTORY}x`,
    `URI:${INVENTORY}/`,
    'URI:spiffe://example.org/Inventory',
    'URI:spiffe://other.example/inventory',
    `URI:${INVENTORY}, URI:${INVENTORY}`,
    `URI:${INVENTORY}, URI:spiffe://example.org/other`,
    `URI:"${INVENTORY}, x"`,
    `DNS:"a, URI:${INVENTORY}"`,
    `DNS:"a\\", URI:${INVENTORY}"`,
    `DNS:"a, URI:${INVENTORY}, b"`,
    `DNS:"a, URI:${INVENTORY}`,
    `DNS:a"b, URI:${INVENTORY}`,
    `URI:"\\q", URI:${INVENTORY}`,
    `othername:<unsupported>URI, URI:${INVENTORY}`.replace(`, URI:${INVENTORY}`, ''),
  ]) {
    it(`refuses ${names}`, () => {
      expect(outcome(names)).toBe('WIMSE_SERVER_IDENTITY')
    })
  }
  it('wants a workload identifier', () => {
    expect(() => expectServer('inventory')).toThrow(Error)
  })
})

describe('a target whose server must be a certain workload (WIT-27)', () => {
  const authority = createTestAuthority()
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  const servers: { server: Server; origin: string; requests: string[]; handshakes: () => number }[] = []

  async function start(certificate: ServerCertificate): Promise<(typeof servers)[number]> {
    const requests: string[] = []
    let handshakes = 0
    const server = createServer(certificate, (request, response) => {
      requests.push(request.headers['workload-identity-token'] as string)
      response.setHeader('connection', request.url === '/close' ? 'close' : 'keep-alive')
      request.resume().on('end', () => response.end('ok'))
    }).on('secureConnection', () => handshakes++)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const started = { server, origin: `https://127.0.0.1:${port}`, requests, handshakes: () => handshakes }
    servers.push(started)
    return started
  }
  beforeAll(async () => {
    // The host name of the first is not that of its URL: that is what such certificates look like.
    await start(authority.certificateFor('inventory.internal', { uris: [INVENTORY] }))
    await start(authority.certificateFor('127.0.0.1'))
    await start(authority.certificateFor('127.0.0.1', { uris: ['spiffe://example.org/other'] }))
    await start(authority.certificateFor('127.0.0.1', { uris: [INVENTORY, 'spiffe://example.org/other'] }))
    await start(createTestAuthority().certificateFor('127.0.0.1', { uris: [INVENTORY] }))
    await start(authority.certificateFor('127.0.0.1', { uris: [INVENTORY], expired: true }))
  })
  afterAll(async () => {
    for (const { server } of servers) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('gets the identity once its certificate has shown the identifier, and only then', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const outcomes = await runTrusting(authority.ca, {
      wit: credential.wit,
      key: privateKeyOf(credential),
      targets: servers.map(({ origin }) => ({ url: origin, expectedServer: INVENTORY })),
      urls: servers.flatMap(({ origin }) => [`${origin}/close`, `${origin}/close`, `${origin}/`]),
    })
    expect(outcomes).toEqual([
      ...Array<string>(3).fill('200'),
      ...Array<string>(9).fill('WIMSE_SERVER_IDENTITY'),
      ...Array<unknown>(3).fill(expect.stringMatching(/^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|DEPTH_ZERO)/)),
      ...Array<string>(3).fill('CERT_HAS_EXPIRED'),
    ])
    expect(servers.map(({ requests }) => requests.length)).toEqual([3, 0, 0, 0, 0, 0])
    // Each connection was a handshake of its own, with a certificate to look at.
    expect(servers[0]!.handshakes()).toBe(3)
  })

  it('is looked at for what is sent there without a signature, too', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const impostor = servers[1]!
    const front = await start(authority.certificateFor('127.0.0.1'))
    front.server.removeAllListeners('request')
    front.server.on('request', (_request: unknown, response: ServerResponse) =>
      response.writeHead(307, { location: `${impostor.origin}/` }).end(),
    )
    const before = impostor.requests.length
    const outcomes = await runTrusting(authority.ca, {
      wit: credential.wit,
      key: privateKeyOf(credential),
      targets: [front.origin, { url: impostor.origin, expectedServer: INVENTORY }],
      urls: [front.origin],
      redirect: 'same-target',
    })
    expect(outcomes).toEqual(['WIMSE_SERVER_IDENTITY'])
    expect(impostor.requests).toHaveLength(before)
  })

  it('without it is who its host name says (the control)', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const outcomes = await runTrusting(authority.ca, {
      wit: credential.wit,
      key: privateKeyOf(credential),
      targets: servers.map(({ origin }) => ({ url: origin })),
      urls: servers.slice(0, 3).map(({ origin }) => `${origin}/close`),
    })
    expect(outcomes).toEqual(['ERR_TLS_CERT_ALTNAME_INVALID', '200', '200'])
  })

  it('is checked below the interceptor, by the dispatcher one brings', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })
    const agent = new Agent({
      connect: { ca: authority.ca, checkServerIdentity: expectServer(INVENTORY), maxCachedSessions: 0 },
    })
    const dispatcher = agent.compose(
      wimseInterceptor({ credentials, targets: servers.map(({ origin }) => origin) }),
    )
    const [good, other] = [servers[0]!, servers[2]!]
    expect((await undiciRequest(good.origin, { dispatcher })).statusCode).toBe(200)
    const before = other.requests.length
    await expect(undiciRequest(other.origin, { dispatcher })).rejects.toMatchObject({
      code: 'WIMSE_SERVER_IDENTITY',
    })
    expect(other.requests).toHaveLength(before)
    await agent.close()
    expect(() =>
      wimseInterceptor({ credentials, targets: [{ url: good.origin, expectedServer: INVENTORY }] }),
    ).toThrow(/expectedServer/)
  })

  for (const [what, target] of [
    ['http', { url: 'http://127.0.0.1:8080', expectedServer: INVENTORY }],
    ['no identifier', { url: 'https://a.example', expectedServer: 'inventory' }],
    ['something else', { url: 'https://a.example', expectedServer: 7 }],
  ] as const) {
    it(`is refused at the start for ${what}`, async () => {
      const credential = await identityServer.issue({ subject: '/checkout' })
      const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })
      expect(() => createWorkloadFetch({ credentials, targets: [target as TargetOptions] })).toThrow(
        /targets\[0\]\.expectedServer/,
      )
    })
  }

  it('is one and the same for all that is at an origin', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })
    const open = (targets: readonly (string | TargetOptions)[]) =>
      createWorkloadFetch({ credentials, targets })
    expect(() =>
      open(['https://a.example', { url: 'https://a.example/pay', expectedServer: INVENTORY }]),
    ).toThrow(/targets\[1\]\.expectedServer/)
    const checked = open([{ url: 'https://a.example', expectedServer: INVENTORY }])
    await expect(checked('https://a.example/', { dispatcher: new Agent() } as object)).rejects.toThrow(
      /dispatcher/,
    )
  })

  it('lets go of its connections though a response is not read', async () => {
    const credential = await identityServer.issue({ subject: '/checkout' })
    const [good] = servers
    const endless = await start(authority.certificateFor('127.0.0.1', { uris: [INVENTORY] }))
    endless.server.removeAllListeners('request')
    endless.server.on('request', (_request: unknown, response: ServerResponse) => response.write('a'))
    expect(good).toBeDefined()
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import Fastify from 'fastify'
         import { staticCredentials, wimseClient } from 'fastify-wimse-client'
         const app = Fastify()
         await app.register(wimseClient, {
           credentials: staticCredentials({ wit: '${credential.wit}', key: ${JSON.stringify(privateKeyOf(credential))} }),
           targets: [{ url: '${endless.origin}', expectedServer: '${INVENTORY}' }],
         })
         await app.ready()
         const { status } = await app.workloadFetch('${endless.origin}/')
         const before = performance.now()
         await app.close()
         process.on('exit', () => console.log(status, performance.now() - before < 3000))`,
      ],
      {
        env: { ...process.env, ...trusting(authority.ca) },
        cwd: fileURLToPath(new URL('.', import.meta.url)),
      },
    )
    expect(stdout.trim()).toBe('200 true')
  })

  it('tells the operator what was expected and what came', () => {
    const error = expectServer(INVENTORY)('a', { subjectaltname: 'URI:spiffe://example.org/other' } as never)
    expect(error).toBeInstanceOf(SigningError)
    expect(error!.diagnostics).toMatchObject({ expected: INVENTORY, received: 'spiffe://example.org/other' })
  })
})
