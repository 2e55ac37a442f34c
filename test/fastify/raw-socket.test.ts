import { request } from 'node:http'
import { inspect } from 'node:util'
import Fastify, { type FastifyPluginCallback, type RouteHandlerMethod } from 'fastify'
import fp from 'fastify-plugin'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wimse, type WimseOptions } from 'fastify-wimse'
import { createTestIdentityServer, goodRequest } from 'wimse-testkit'
import { type ProtectedService, startProtectedService } from './protected-service.js'
import { rawRequest, type RawResponse } from './raw-request.js'

const ORIGIN = 'https://inventory.example.com'
const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

interface Tokens {
  readonly wit: string
  readonly wpt: string
}

async function tokensFor(target: string): Promise<Tokens> {
  const { headers } = await goodRequest({ identityServer, url: ORIGIN + target })
  return { wit: headers['workload-identity-token'] as string, wpt: headers['workload-proof-token'] as string }
}

function fieldsOf({ wit, wpt }: Tokens): string[] {
  return [`Workload-Identity-Token: ${wit}`, `Workload-Proof-Token: ${wpt}`]
}

/** What a handler of one's own answers, to one request. */
async function answerOf<Answer extends object>(
  handler: RouteHandlerMethod,
  options: WimseOptions,
  fields: readonly string[],
  before?: FastifyPluginCallback,
): Promise<Answer> {
  const app = Fastify()
  if (before !== undefined) await app.register(before)
  await app.register(wimse, options)
  app.get('/', handler)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  const { status, body } = await rawRequest(port, ['GET / HTTP/1.1', HOST, ...fields])
  await app.close()
  expect(status).toBe(200)
  return JSON.parse(body) as Answer
}

const HOST = 'Host: inventory.example.com'
const NODE_20 = process.versions.node.startsWith('20.')

describe('what comes over a socket', () => {
  let service: ProtectedService
  let handledBefore: number

  const options: WimseOptions = { audience: ORIGIN, trustDomains: identityServer.trustDomains }
  beforeAll(async () => {
    service = await startProtectedService(options)
  })
  afterAll(() => service.app.close())
  beforeEach(() => {
    handledBefore = service.handled.length
  })

  const send = async (
    target: string,
    fields: readonly string[],
    host: readonly string[] = [HOST],
  ): Promise<RawResponse> =>
    rawRequest(service.port, [`POST ${target} HTTP/1.1`, ...host, ...fields], '{"a":1}')

  const expectRefused = ({ status, body }: RawResponse, code: string): void => {
    expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({ status: 400, code })
    expect(service.handled).toHaveLength(handledBefore)
    expect(service.parsedBodies()).toBe(handledBefore)
  }

  it('a good request is let in (the control)', async () => {
    const { status } = await send('/a', fieldsOf(await tokensFor('/a')))
    expect([status, service.handled.length, service.parsedBodies()]).toEqual([
      200,
      handledBefore + 1,
      handledBefore + 1,
    ])
  })

  it('field names in any case are let in (WIT-03)', async () => {
    const { wit, wpt } = await tokensFor('/a')
    const { status } = await send('/a', [
      `wORKLOAD-identity-TOKEN: ${wit}`,
      `WORKLOAD-PROOF-TOKEN:\t${wpt}  `,
    ])
    expect(status).toBe(200)
  })

  for (const [name, code] of [
    ['Workload-Identity-Token', 'WIMSE_WIT_REPEATED'],
    ['Workload-Proof-Token', 'WIMSE_WPT_REPEATED'],
  ] as const) {
    it(`${name} twice is refused, whichever value the second has (WIT-02, WPT-02, NODE-01)`, async () => {
      const good = await tokensFor('/a')
      for (const value of [name.includes('Identity') ? good.wit : good.wpt, 'x', '']) {
        expectRefused(await send('/a', [...fieldsOf(good), `${name.toLowerCase()}: ${value}`]), code)
        expectRefused(await send('/a', [`${name.toUpperCase()}: ${value}`, ...fieldsOf(good)]), code)
      }
    })
  }

  it('two tokens in one field are refused (WIT-02)', async () => {
    const { wit, wpt } = await tokensFor('/a')
    expectRefused(await send('/a', fieldsOf({ wit: `${wit}, ${wit}`, wpt })), 'WIMSE_WIT_MALFORMED')
    expectRefused(await send('/a', fieldsOf({ wit, wpt: `${wpt},${wpt}` })), 'WIMSE_WPT_MALFORMED')
  })

  it('an empty field counts as one', async () => {
    const { wit, wpt } = await tokensFor('/a')
    expectRefused(await send('/a', fieldsOf({ wit: '', wpt })), 'WIMSE_WIT_MALFORMED')
    expectRefused(await send('/a', fieldsOf({ wit, wpt: '' })), 'WIMSE_WPT_MALFORMED')
  })

  it('tokens in trailers do not count', async () => {
    const { wit, wpt } = await tokensFor('/a')
    const status = await new Promise<number>((resolve, reject) => {
      const outgoing = request(
        {
          port: service.port,
          host: '127.0.0.1',
          method: 'POST',
          path: '/a',
          headers: {
            Host: 'inventory.example.com',
            'Workload-Proof-Token': wpt,
            Trailer: 'Workload-Identity-Token',
          },
        },
        (response) => {
          response.resume()
          resolve(response.statusCode!)
        },
      )
      outgoing.on('error', reject)
      outgoing.write('x')
      outgoing.addTrailers({ 'Workload-Identity-Token': wit })
      outgoing.end()
    })
    expect(status).toBe(400)
    expect(service.handled).toHaveLength(handledBefore)
  })

  it('two Authorization fields are refused', async () => {
    const fields = fieldsOf(await tokensFor('/a'))
    for (const second of ['Bearer b', 'Basic b', '']) {
      expectRefused(
        await send('/a', [...fields, 'Authorization: Bearer a', `Authorization: ${second}`]),
        'WIMSE_WPT_ACCESS_TOKEN_HASH',
      )
    }
  })

  it('an access token is seen whatever surrounds its scheme', async () => {
    const fields = fieldsOf(await tokensFor('/a'))
    for (const value of [
      'Bearer a',
      'bearer  a',
      'BEARER\ta',
      'DPoP a',
      'Bearer',
      'Bearer ',
      'Bearer\xa0a',
    ]) {
      expectRefused(await send('/a', [...fields, `Authorization: ${value}`]), 'WIMSE_WPT_ACCESS_TOKEN_HASH')
    }
  })

  it('a proof in the Authorization field beside one in its own field is refused', async () => {
    const good = await tokensFor('/a')
    expectRefused(
      await send('/a', [...fieldsOf(good), `Authorization: WPT ${good.wpt}`]),
      'WIMSE_WPT_REPEATED',
    )
  })

  it('a proof in the Authorization field alone is missing where that carriage is not accepted', async () => {
    const { wit, wpt } = await tokensFor('/a')
    expectRefused(
      await send('/a', [`Workload-Identity-Token: ${wit}`, `Authorization: WPT ${wpt}`]),
      'WIMSE_WPT_MISSING',
    )
  })

  it('fields made to be slow to read are read as fast as others', async () => {
    const { wit, wpt } = await tokensFor('/a')
    const blanks = ' '.repeat(15_000)
    const time = async (authorization: string): Promise<number> => {
      const start = performance.now()
      for (let round = 0; round < 10; round++) await send('/a', [`Authorization: ${authorization}`])
      return performance.now() - start
    }
    await time('Bearer a')
    const [plain, blank] = [await time(`Bearer ${'a'.repeat(15_000)}`), await time(`Bearer a${blanks}b`)]
    // Quadratic time was two hundred times as long.
    expect(blank).toBeLessThan(20 * plain + 50)
    expectRefused(
      await send('/a', [
        ...fieldsOf({ wit, wpt }).slice(1),
        `Authorization: Bearer a${blanks.slice(0, 9000)}b`,
      ]),
      'WIMSE_WIT_MISSING',
    )
  })

  it('two Txn-Token fields are refused', async () => {
    expectRefused(
      await send('/a', [...fieldsOf(await tokensFor('/a')), 'Txn-Token: a', 'Txn-Token: a']),
      'WIMSE_WPT_TXN_TOKEN_HASH',
    )
  })

  it('two Host fields are refused', async () => {
    const fields = fieldsOf(await tokensFor('/a'))
    for (const second of ['inventory.example.com', 'evil.example']) {
      const response = await send('/a', fields, [HOST, `Host: ${second}`])
      expect(response.status).toBe(400)
      expect(service.handled).toHaveLength(handledBefore)
    }
  })

  it('Host plays no part in the audience (WPT-24)', async () => {
    for (const host of ['evil.example', 'user@evil.example', 'h/evil?x=', 'h:99999']) {
      handledBefore = service.handled.length
      const { status } = await send('/a', fieldsOf(await tokensFor('/a')), [`Host: ${host}`])
      expect([host, status]).toEqual([host, 200])
    }
    const forged = await goodRequest({ identityServer, url: 'https://evil.example/a' })
    handledBefore = service.handled.length
    const fields = fieldsOf({
      wit: forged.headers['workload-identity-token'] as string,
      wpt: forged.headers['workload-proof-token'] as string,
    })
    expectRefused(
      await send('/a', [...fields, 'X-Forwarded-Host: evil.example'], ['Host: evil.example']),
      'WIMSE_WPT_AUDIENCE',
    )
  })

  for (const [target, named] of [
    ['http://inventory.example.com/a', '/a'],
    ['https://inventory.example.com/a', '/a'],
    ['http://evil.example/a', '/a'],
    ['/b/../a', '/a'],
    ['/./a', '/a'],
    ['/b/%2e%2e/a', '/a'],
    ['/b/.%2E/a', '/a'],
    ['/a#fragment', '/a'],
    ['/b\\..\\a', '/a'],
  ] as const) {
    it(`the target ${target} is refused, with a proof for ${named}`, async () => {
      expectRefused(await send(target, fieldsOf(await tokensFor(named))), 'WIMSE_TARGET_INVALID')
    })
  }

  it('a target that starts with two slashes is a path', async () => {
    expectRefused(await send('//evil/a', fieldsOf(await tokensFor('/a'))), 'WIMSE_WPT_AUDIENCE')
    const { status } = await send('//evil/a', fieldsOf(await tokensFor('//evil/a')))
    expect(status).toBe(200)
  })

  it('a query does not matter, a fragment in the proof does not either (WPT-18)', async () => {
    const { status } = await send('/a?b=/../c', fieldsOf(await tokensFor('/a')))
    expect(status).toBe(200)
  })

  it('a second token hidden behind more fields than Node reports is refused', async () => {
    const good = await tokensFor('/a')
    for (const fillers of [996, 997, 1000, 1200]) {
      const filler = Array.from({ length: fillers }, (_, index) => `a${index}: 1`)
      const { status, body } = await send('/a', [
        ...fieldsOf(good),
        ...filler,
        `Workload-Identity-Token: ${good.wit}`,
      ])
      expect([400, 431]).toContain(status)
      if (status === 400) expect(body).toMatch(/WIMSE_(TARGET_INVALID|WIT_REPEATED)/)
      expect(service.handled).toHaveLength(handledBefore)
    }
  })

  it('a service that reports fewer fields counts by its own limit', async () => {
    const other = await startProtectedService(options)
    other.app.server.maxHeadersCount = 10
    const good = await tokensFor('/a')
    const filler = Array.from({ length: 10 }, (_, index) => `a${index}: 1`)
    const answerBehind = async (count: number): Promise<unknown> => {
      const { status, body } = await rawRequest(other.port, [
        'GET /a HTTP/1.1',
        HOST,
        ...fieldsOf(good),
        ...filler.slice(0, count),
      ])
      return status === 400 ? (JSON.parse(body) as { code: string }).code : status
    }
    // Host, two tokens, Content-Length and Connection besides make ten.
    expect(await answerBehind(5)).toBe('WIMSE_TARGET_INVALID')
    // Node 20 drops what is beyond, later ones refuse it themselves.
    expect(await answerBehind(10)).toBe(NODE_20 ? 'WIMSE_TARGET_INVALID' : 431)
    expect(await answerBehind(4)).toBe(200)
    await other.app.close()
  })

  it('what is left of the fields reads as Node would read it', async () => {
    const fields = ['Accept: a', 'accept: b', 'X-Forwarded-For: 10.0.0.1', 'Set-Cookie: a=1']
    const tokens = fieldsOf(await tokensFor('/'))
    const sent = [...fields.slice(0, 2), ...tokens, ...fields.slice(2)]
    const readBy = async (stripTokens: boolean): Promise<Record<string, object>> =>
      answerOf(
        async ({ raw: { headers, headersDistinct, rawHeaders } }) => ({
          headers,
          headersDistinct,
          rawHeaders,
        }),
        { ...options, stripTokens },
        sent,
      )
    const [left, all] = [await readBy(true), await readBy(false)]
    expect(Object.keys(all['headersDistinct']!)).toContain('workload-proof-token')
    const isToken = (name: string): boolean => /^workload-/i.test(name)
    const without = (values: object): object =>
      Object.fromEntries(Object.entries(values).filter(([name]) => !isToken(name)))
    const raw = all['rawHeaders'] as string[]
    expect(left).toEqual({
      headers: without(all['headers']!),
      headersDistinct: without(all['headersDistinct']!),
      rawHeaders: raw.filter((_, index) => !isToken(raw[index - (index % 2)]!)),
    })
  })

  it('what Node had made of all fields before is not left behind', async () => {
    const before: FastifyPluginCallback = (app, _options, done) => {
      app.addHook('onRequest', async ({ raw }) => void raw.headersDistinct)
      done()
    }
    const seen: RouteHandlerMethod = async ({ raw }) => [
      Object.keys(raw.headersDistinct),
      inspect(raw, { depth: 3 }),
    ]
    const tokens = await tokensFor('/')
    const [names, dump] = await answerOf<[string[], string]>(seen, options, fieldsOf(tokens), fp(before))
    expect(names).toContain('host')
    expect(names).not.toContain('workload-proof-token')
    expect(dump).toContain('rawHeaders')
    expect(dump).not.toContain(tokens.wpt.slice(0, 40))
  })

  it('headersDistinct can be set, as on any request of Node', async () => {
    const set: RouteHandlerMethod = async ({ raw }) => {
      raw.headersDistinct = { mine: ['1'] }
      return [raw.headersDistinct, raw.headersDistinct === raw.headersDistinct]
    }
    expect(await answerOf(set, options, fieldsOf(await tokensFor('/')))).toEqual([{ mine: ['1'] }, true])
  })

  it('a token longer than maxTokenBytes is refused before it is read', async () => {
    const other = await startProtectedService({ ...options, maxTokenBytes: 600 })
    const { wit, wpt } = await tokensFor('/a')
    const longer = `${wit}${'A'.repeat(600)}`
    const { body } = await rawRequest(other.port, [
      'GET /a HTTP/1.1',
      HOST,
      ...fieldsOf({ wit: longer, wpt }),
    ])
    expect(JSON.parse(body)).toMatchObject({ code: 'WIMSE_TOKEN_TOO_LARGE', status: 400 })
    await other.app.close()
  })

  it('rewriteUrl does not change what the proof is for', async () => {
    const app = Fastify({ rewriteUrl: ({ url = '' }) => url.replace('/public', '/internal') })
    await app.register(wimse, options)
    app.get('/internal/a', async () => 'reached')
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as { port: number }
    const call = async (named: string): Promise<number> =>
      (await rawRequest(port, ['GET /public/a HTTP/1.1', HOST, ...fieldsOf(await tokensFor(named))])).status
    expect([await call('/public/a'), await call('/internal/a')]).toEqual([200, 400])
    await app.close()
  })
})
