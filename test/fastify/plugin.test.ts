import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { describe, expect, it } from 'vitest'
import defaultExport, {
  memberOf,
  redactPaths,
  under,
  wimse,
  type WimseAllowRule,
  type WimseOptions,
  workloadOf,
} from 'fastify-wimse'
import { signRequest } from 'wimse'
import { createTestIdentityServer, goodRequest, signedInject } from 'wimse-testkit'
import { rawRequest } from './raw-request.js'
import { ORIGIN, type ServiceUnderTest, serviceUnderTest } from './service-under-test.js'

const whoami = async (request: { workload: { id: string } | null }): Promise<object> => ({
  caller: request.workload?.id ?? null,
})

async function callAs(
  service: ServiceUnderTest,
  subject: string,
  path: string,
): Promise<{ status: number; code?: string; caller?: string }> {
  const credential = await service.identityServer.issue({ subject })
  const response = await signedInject(service.app, credential, { url: ORIGIN + path, now: service.clock })
  return { status: response.statusCode, ...response.json<object>() }
}

async function statusOf(
  app: FastifyInstance,
  url: string,
  method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' = 'GET',
): Promise<number> {
  return (await app.inject({ method, url })).statusCode
}

describe('request.workload', () => {
  it('names the caller, frozen all the way down', async () => {
    const service = await serviceUnderTest()
    let seen: unknown
    service.app.get('/whoami', async (request) => {
      seen = request.workload
      return workloadOf(request).id
    })
    const { identityServer, app, clock } = service
    const credential = await identityServer.issue({
      subject: '/checkout',
      claims: { team: { name: 'shop' } },
    })
    const response = await signedInject(app, credential, { url: `${ORIGIN}/whoami`, now: clock })
    expect(response.body).toBe('wimse://example.com/checkout')
    expect(seen).toEqual({
      id: 'wimse://example.com/checkout',
      trustDomain: 'wimse://example.com',
      path: '/checkout',
      via: 'wit',
      revision: 'wpt-01',
      claims: expect.objectContaining({ sub: 'wimse://example.com/checkout', team: { name: 'shop' } }),
      keyThumbprint: credential.keyThumbprint,
      expiresAt: credential.expiresAt,
      boundTokens: { accessToken: false, txnToken: false, otherTokens: [] },
    })
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen))
    expect(frozen(seen)).toBe(true)
  })

  it('tells which tokens the proof covers', async () => {
    const service = await serviceUnderTest({ otherTokens: ['X-Session-Token'] })
    let bound: unknown
    service.app.get('/', async (request) => {
      bound = request.workload!.boundTokens
      return ''
    })
    const credential = await service.identityServer.issue({ subject: '/a' })
    const response = await signedInject(service.app, credential, {
      url: `${ORIGIN}/`,
      headers: { authorization: 'DPoP abc', 'txn-token': 'def', 'x-session-token': 'ghi' },
      otherTokens: ['x-session-token'],
      now: service.clock,
    })
    expect(response.statusCode).toBe(200)
    expect(bound).toEqual({ accessToken: true, txnToken: true, otherTokens: ['x-session-token'] })
  })

  it('is null also in scopes that are older than the plugin', async () => {
    let seen: unknown
    const { app } = await serviceUnderTest({ mode: 'off' }, async (app) => {
      await app.register(async (scope) => {
        scope.get('/older', async (request) => {
          seen = request.workload
          expect(() => workloadOf(request)).toThrow(/not protected/)
          return ''
        })
      })
    })
    expect([await statusOf(app, '/older'), seen]).toEqual([200, null])
  })

  it('is null on a route without protection, where workloadOf() throws', async () => {
    const { app } = await serviceUnderTest()
    app.get('/open', { config: { wimse: false } }, async (request) => {
      expect(() => workloadOf(request)).toThrow(/not protected/)
      return whoami(request)
    })
    expect((await app.inject('/open')).json()).toEqual({ caller: null })
  })
})

describe('what is protected', () => {
  it('every route, unknown ones, HEAD and OPTIONS among them', async () => {
    const { app } = await serviceUnderTest()
    app.get('/a', whoami)
    expect(await statusOf(app, '/a')).toBe(400)
    expect(await statusOf(app, '/a', 'HEAD')).toBe(400)
    expect(await statusOf(app, '/a', 'OPTIONS')).toBe(400)
    expect(await statusOf(app, '/nowhere')).toBe(400)
    expect(await statusOf(app, '/nowhere', 'POST')).toBe(400)
  })

  it('an unknown route answers 404 to a caller that is known', async () => {
    const service = await serviceUnderTest()
    expect(await callAs(service, '/a', '/nowhere')).toMatchObject({ status: 404 })
  })

  it('routes of encapsulated plugins, also of those registered before', async () => {
    const child = (path: string) => async (scope: FastifyInstance) => {
      scope.get(path, whoami)
      await scope.register(async (grandchild) => void grandchild.get(`${path}/below`, whoami), {
        prefix: '/p',
      })
    }
    const { app } = await serviceUnderTest({}, async (app) => {
      await app.register(child('/before'))
    })
    await app.register(child('/after'))
    for (const path of ['/before', '/p/before/below', '/after', '/p/after/below']) {
      expect({ path, status: await statusOf(app, path) }).toEqual({ path, status: 400 })
    }
  })

  it('the not-found handler, also for a route without protection that calls it', async () => {
    const { app } = await serviceUnderTest()
    app.setNotFoundHandler((_request, reply) => reply.code(404).send('custom'))
    app.get('/open', { config: { wimse: false } }, (_request, reply) => {
      reply.callNotFound()
    })
    expect(await statusOf(app, '/open')).toBe(400)
  })

  it('the not-found handler, from workloads that another registration let in', async () => {
    const { app, identityServer: outer } = await serviceUnderTest()
    let reached = 0
    app.setNotFoundHandler((_request, reply) => {
      reached++
      return reply.code(404).send({})
    })
    const callNotFound = (_request: FastifyRequest, reply: FastifyReply) => reply.callNotFound()
    const inner = createTestIdentityServer({ origin: 'wimse://other.example' })
    await app.register(async (scope) => {
      await scope.register(wimse, { audience: ORIGIN, trustDomains: inner.trustDomains })
      scope.get('/inner', callNotFound)
    })
    app.get('/outer', callNotFound)
    const call = async (identityServer: typeof outer, path: string): Promise<unknown> => {
      const response = await app.inject(await goodRequest({ identityServer, url: ORIGIN + path }))
      return response.statusCode === 404 ? 404 : response.json<{ code: string }>().code
    }
    expect([await call(inner, '/inner'), reached]).toEqual(['WIMSE_WORKLOAD_FORBIDDEN', 0])
    expect([await call(outer, '/outer'), reached]).toEqual([404, 1])
    expect([await call(outer, '/nowhere'), reached]).toEqual([404, 2])
  })

  it('not-found handlers of encapsulated plugins', async () => {
    const { app } = await serviceUnderTest()
    await app.register(
      async (scope) => {
        scope.setNotFoundHandler((_request, reply) => reply.code(404).send('custom'))
      },
      { prefix: '/p' },
    )
    expect(await statusOf(app, '/p/nowhere')).toBe(400)
  })

  it('nothing where request.workload is somebody else’s: it does not start', async () => {
    const app = Fastify()
    app.decorateRequest('workload', null)
    const { trustDomains } = createTestIdentityServer({ origin: 'wimse://a.example' })
    await expect(app.register(wimse, { audience: ORIGIN, trustDomains })).rejects.toThrow('request.workload')
  })

  it('only the scope it is registered in', async () => {
    const app = Fastify()
    app.get('/outside', async () => 'open')
    await app.register(async (scope) => {
      await scope.register(wimse, {
        audience: ORIGIN,
        trustDomains: createTestIdentityServer({ origin: 'wimse://a.example' }).trustDomains,
      })
      scope.get('/inside', whoami)
    })
    expect(await statusOf(app, '/outside')).toBe(200)
    expect(await statusOf(app, '/inside')).toBe(400)
  })

  it('a route older than the plugin, by the rule of the scope, and says that its config is not in force', async () => {
    const service = await serviceUnderTest({}, (app) => {
      app.get('/older', { config: { wimse: false } }, whoami)
    })
    expect(await statusOf(service.app, '/older')).toBe(400)
    expect(await statusOf(service.app, '/older')).toBe(400)
    const errors = service.log().filter(({ level }) => level === 50)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ route: '/older', msg: expect.stringContaining('came too late') })
  })
})

describe('a route whose config.wimse came too late', () => {
  for (const nothing of [undefined, null]) {
    it(`is closed also when the logger, asked to say so, throws ${String(nothing)}`, async () => {
      const silent = (): void => undefined
      const logger = {
        level: 'error',
        fatal: silent,
        warn: silent,
        info: silent,
        debug: silent,
        trace: silent,
        error: () => {
          throw nothing as unknown
        },
        child: () => logger,
      } as unknown as FastifyBaseLogger
      const app = Fastify({ loggerInstance: logger })
      let handled = 0
      app.get('/late', { config: { wimse: {} } }, async () => ++handled)
      const { trustDomains } = createTestIdentityServer({ origin: 'wimse://example.com' })
      await app.register(wimse, { audience: ORIGIN, trustDomains })
      const { statusCode } = await app.inject('/late')
      expect([statusCode, handled]).toEqual([500, 0])
    })
  }

  const late = async (scope: Partial<WimseOptions>, route: unknown): Promise<ServiceUnderTest> =>
    serviceUnderTest(scope, (app) => {
      app.get('/late', { config: { wimse: route as false } }, whoami)
    })

  it('keeps its rule, on top of that of the registration', async () => {
    const service = await late(
      { allow: memberOf('wimse://example.com') },
      { allow: 'wimse://example.com/admin' },
    )
    expect(await callAs(service, '/caller', '/late')).toMatchObject({ status: 403 })
    expect(await callAs(service, '/admin', '/late')).toMatchObject({ status: 200 })
    const stricter = await late(
      { allow: 'wimse://example.com/other' },
      { allow: 'wimse://example.com/admin' },
    )
    expect(await callAs(stricter, '/admin', '/late')).toMatchObject({ status: 403 })
    expect(await callAs(stricter, '/other', '/late')).toMatchObject({ status: 403 })
  })

  it('is protected where it asks for it, in a scope that is not', async () => {
    const { app } = await late({ mode: 'off' }, { mode: 'required' })
    expect(await statusOf(app, '/late')).toBe(400)
  })

  it('admits nobody when it is wrong', async () => {
    const service = await late({}, { moed: 'required' })
    expect(await statusOf(service.app, '/late')).toBe(400)
    expect(await callAs(service, '/caller', '/late')).toMatchObject({
      status: 403,
      code: 'WIMSE_WORKLOAD_FORBIDDEN',
    })
  })

  it('keeps its rule when the registration is not awaited', async () => {
    const { identityServer, clock } = await serviceUnderTest()
    const app = Fastify()
    void app.register(wimse, { audience: ORIGIN, trustDomains: identityServer.trustDomains, now: clock })
    app.get('/late', { config: { wimse: { allow: 'wimse://example.com/admin' } } }, whoami)
    const statusFor = async (subject: string): Promise<number> => {
      const credential = await identityServer.issue({ subject })
      return (await signedInject(app, credential, { url: `${ORIGIN}/late`, now: clock })).statusCode
    }
    expect([await statusFor('/caller'), await statusFor('/admin')]).toEqual([403, 200])
  })

  it('counts as late when another hook changes it after it was read', async () => {
    const service = await serviceUnderTest({ mode: 'off' })
    service.app.addHook('onRoute', (route) => {
      route.config = { wimse: route.config!.wimse! }
    })
    service.app.get('/changed', { config: { wimse: { mode: 'required' } } }, whoami)
    expect(await statusOf(service.app, '/changed')).toBe(400)
    const other = await serviceUnderTest()
    other.app.addHook('onRoute', (route) => {
      route.config = { ...route.config, wimse: { allow: 'wimse://example.com/admin' } }
    })
    other.app.get('/changed', whoami)
    expect(await callAs(other, '/caller', '/changed')).toMatchObject({ status: 403 })
  })

  it('keeps its rule under a nested registration that comes later', async () => {
    const service = await serviceUnderTest()
    const { app, identityServer, clock } = service
    await app.register(async (scope) => {
      scope.get('/nested', { config: { wimse: { allow: 'wimse://example.com/admin' } } }, whoami)
      await scope.register(wimse, { audience: ORIGIN, trustDomains: identityServer.trustDomains, now: clock })
    })
    expect(await callAs(service, '/caller', '/nested')).toMatchObject({ status: 403 })
    expect(await callAs(service, '/admin', '/nested')).toMatchObject({ status: 200 })
  })
})

describe('a nested registration', () => {
  it('shares the replay store, so that a proof for both is good for one', async () => {
    const service = await serviceUnderTest({ audience: { origins: [ORIGIN], aliases: ['urn:shop'] } })
    const { app, identityServer, clock } = service
    app.get('/a', whoami)
    await app.register(async (scope) => {
      await scope.register(wimse, {
        audience: { origins: [ORIGIN], aliases: ['urn:shop'] },
        trustDomains: identityServer.trustDomains,
        now: clock,
      })
      scope.get('/b', whoami)
    })
    const headers = signRequest(await identityServer.issue({ subject: '/x' }), {
      url: `${ORIGIN}/a`,
      audience: 'urn:shop',
      now: clock,
    })
    expect((await app.inject({ url: '/a', headers })).statusCode).toBe(200)
    expect((await app.inject({ url: '/b', headers })).json()).toMatchObject({ code: 'WIMSE_WPT_REPLAYED' })
  })

  it('replaces the outer one for its routes, and a request is authenticated once', async () => {
    const service = await serviceUnderTest({ allow: 'wimse://example.com/outer' })
    const { app, identityServer, clock } = service
    let asked = 0
    await app.register(async (scope) => {
      await scope.register(wimse, {
        audience: ORIGIN,
        trustDomains: identityServer.trustDomains,
        allow: 'wimse://example.com/inner',
        isRevoked: () => {
          asked++
          return false
        },
        now: clock,
      })
      scope.get('/inner', whoami)
      await scope.register(async (below) => void below.get('/inner/below', whoami))
    })
    app.get('/outer', whoami)
    expect(await callAs(service, '/inner', '/inner')).toMatchObject({ status: 200 })
    expect(await callAs(service, '/inner', '/inner/below')).toMatchObject({ status: 200 })
    expect(asked).toBe(2)
    expect(await callAs(service, '/outer', '/inner')).toMatchObject({ status: 403 })
    expect(await callAs(service, '/outer', '/outer')).toMatchObject({ status: 200 })
    expect(await callAs(service, '/inner', '/outer')).toMatchObject({ status: 403 })
  })

  it('also replaces it in scopes that are older than itself', async () => {
    const service = await serviceUnderTest({ allow: 'wimse://example.com/outer' })
    const { app, identityServer, clock } = service
    await app.register(async (scope) => {
      await scope.register(async (older) => void older.get('/older', whoami))
      await scope.register(wimse, {
        audience: ORIGIN,
        trustDomains: identityServer.trustDomains,
        allow: 'wimse://example.com/inner',
        now: clock,
      })
    })
    expect(await statusOf(app, '/older')).toBe(400)
    expect(await callAs(service, '/outer', '/older')).toMatchObject({ status: 403 })
    expect(await callAs(service, '/inner', '/older')).toMatchObject({ status: 200 })
  })

  it('in the same scope is refused', async () => {
    const { app, identityServer } = await serviceUnderTest()
    await expect(async () => {
      await app.register(wimse, { audience: ORIGIN, trustDomains: identityServer.trustDomains })
    }).rejects.toThrow(/already registered/)
  })
})

describe('allow', () => {
  const rules: readonly (readonly [WimseAllowRule, admitted: string, refused: string])[] = [
    ['wimse://example.com/a', '/a', '/a/b'],
    [['wimse://example.com/a', 'wimse://example.com/b'], '/b', '/c'],
    [memberOf('wimse://example.com'), '/a', 'wimse://sub.example.com/a'],
    [under('wimse://example.com/pay'), '/pay/api', '/payroll'],
    [[under('wimse://example.com/pay'), 'wimse://example.com/payroll'], '/payroll', '/payrolls'],
    [(workload, request) => workload.path === request.url, '/x', '/y'],
    [async (workload) => workload.path === '/x', '/x', '/y'],
  ]
  for (const [rule, admitted, refused] of rules) {
    it(`${String(rule)} admits ${admitted} and not ${refused}`, async () => {
      const service = await serviceUnderTest()
      const other = createTestIdentityServer({ origin: 'wimse://sub.example.com', now: service.clock })
      const { app, identityServer, clock } = service
      let handled = 0
      await app.register(async (scope) => {
        await scope.register(wimse, {
          audience: ORIGIN,
          trustDomains: { ...identityServer.trustDomains, ...other.trustDomains },
          now: clock,
        })
        scope.get('/x', { config: { wimse: { allow: rule } } }, async () => {
          handled++
          return {}
        })
      })
      const issuer = refused.startsWith('wimse://sub') ? other : identityServer
      const good = await signedInject(app, await identityServer.issue({ subject: admitted }), {
        url: `${ORIGIN}/x`,
        now: clock,
      })
      const bad = await signedInject(app, await issuer.issue({ subject: refused }), {
        url: `${ORIGIN}/x`,
        now: clock,
      })
      expect([good.statusCode, bad.statusCode]).toEqual([200, 403])
      expect(bad.json()).toMatchObject({ code: 'WIMSE_WORKLOAD_FORBIDDEN', status: 403 })
      expect(handled).toBe(1)
    })
  }

  const nobody: readonly (readonly [string, WimseAllowRule])[] = [
    [
      'throws',
      () => {
        throw new Error('database is down')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('database is down'))],
    ['gives anything but true', (() => 'yes') as unknown as WimseAllowRule],
  ]
  for (const [what, rule] of nobody) {
    it(`a rule that ${what} admits nobody`, async () => {
      const service = await serviceUnderTest({ allow: rule })
      service.app.get('/', whoami)
      expect(await callAs(service, '/a', '/')).toMatchObject({
        status: 403,
        code: 'WIMSE_WORKLOAD_FORBIDDEN',
      })
      const errors = service.log().filter(({ level }) => level === 50)
      expect(errors.map(({ err }) => (err as { message: string }).message)).toEqual(
        what.startsWith('gives') ? [] : ['database is down'],
      )
    })
  }
})

describe('the start-up log', () => {
  it('names every route without protection', async () => {
    const { app, log } = await serviceUnderTest()
    app.get('/healthz', { config: { wimse: false } }, async () => 'ok')
    app.post('/hook', { config: { wimse: { mode: 'off' } } }, async () => 'ok')
    app.get('/stock', whoami)
    await app.ready()
    expect(log().filter(({ unprotectedRoutes }) => unprotectedRoutes !== undefined)).toEqual([
      expect.objectContaining({
        level: 40,
        unprotectedRoutes: ['GET /healthz', 'HEAD /healthz', 'POST /hook'],
      }),
    ])
  })

  it('warns when replays are accepted', async () => {
    const { log } = await serviceUnderTest({ replay: false })
    expect(log()).toContainEqual(
      expect.objectContaining({ level: 40, msg: expect.stringContaining('replay is false') }),
    )
  })
})

describe('answers of protected routes', () => {
  it('vary with the credentials, beside what the handler says', async () => {
    const service = await serviceUnderTest()
    service.app.get('/', async (_request, reply) => reply.header('vary', 'accept').send('x'))
    service.app.get('/open', { config: { wimse: false } }, async () => 'x')
    const credential = await service.identityServer.issue({ subject: '/a' })
    const good = await signedInject(service.app, credential, { url: `${ORIGIN}/`, now: service.clock })
    const fields = 'Authorization, Workload-Identity-Token, Workload-Proof-Token'
    expect(good.headers['vary']).toBe(`accept, ${fields}`)
    expect((await service.app.inject('/')).headers['vary']).toBe(fields)
    expect((await service.app.inject('/open')).headers['vary']).toBeUndefined()
  })

  it('are problem documents even where the route has a response schema', async () => {
    const { app } = await serviceUnderTest()
    const schema = { response: { '4xx': { type: 'object', properties: { other: { type: 'string' } } } } }
    app.get('/', { schema }, whoami)
    expect((await app.inject('/')).json()).toMatchObject({ code: 'WIMSE_WIT_MISSING', status: 400 })
  })

  it('take their type from problemTypeBase', async () => {
    const { app } = await serviceUnderTest({ problemTypeBase: 'https://errors.example/' })
    expect((await app.inject('/')).json()).toMatchObject({ type: 'https://errors.example/wit-missing' })
  })
})

describe("onDenied: 'throw'", () => {
  it('hands the error to the application, safe to send', async () => {
    const { app, log } = await serviceUnderTest({ onDenied: 'throw' })
    app.setErrorHandler((error, _request, reply) =>
      reply.send({ ...(error as object), message: (error as Error).message }),
    )
    const response = await app.inject('/')
    expect(response.statusCode).toBe(400)
    expect(response.json()).toEqual({
      name: 'AuthenticationError',
      code: 'WIMSE_WIT_MISSING',
      statusCode: 400,
      challenges: [],
      message: 'The request carries no workload identity token.',
    })
    expect(log().filter(({ msg }) => msg === 'request refused')).toHaveLength(1)
  })

  it('sets the challenge where there is one', async () => {
    const { app } = await serviceUnderTest({ onDenied: 'throw', revisions: ['wpt-02'] })
    const response = await app.inject('/')
    expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'WPT'])
  })
})

describe('stripTokens', () => {
  async function fieldsSeen(options: Partial<WimseOptions>): Promise<readonly string[]> {
    const { app, identityServer, clock } = await serviceUnderTest(options)
    let seen: string[] = []
    app.addHook('onRequest', async ({ raw }) => void raw.headersDistinct)
    app.get('/', async ({ headers, raw }) => {
      const names = [...Object.keys(headers), ...Object.keys(raw.headersDistinct ?? {}), ...raw.rawHeaders]
      seen = [
        ...new Set(names.map((name) => name.toLowerCase()).filter((name) => name.startsWith('workload-'))),
      ]
      return ''
    })
    const response = await app.inject(await goodRequest({ identityServer, url: `${ORIGIN}/` }))
    expect([response.statusCode, clock()]).toEqual([200, clock()])
    return seen
  }

  it('takes the tokens off a verified request', async () => expect(await fieldsSeen({})).toEqual([]))

  it('takes them off also where a hook has set the header fields', async () => {
    const { app, identityServer } = await serviceUnderTest({}, (app) => {
      app.addHook('onRequest', async (request) => {
        request.headers = { ...request.headers, 'x-request-source': 'mesh' }
      })
    })
    app.get('/', async ({ headers }) => Object.keys(headers))
    const { body } = await app.inject(await goodRequest({ identityServer, url: `${ORIGIN}/` }))
    const names = JSON.parse(body) as readonly string[]
    expect(names).toContain('x-request-source')
    expect(names.filter((name) => name.startsWith('workload-'))).toEqual([])
  })

  it('can be turned off', async () => {
    expect(await fieldsSeen({ stripTokens: false })).toEqual([
      'workload-identity-token',
      'workload-proof-token',
    ])
  })
})

describe('app.verifyWorkload', () => {
  it('does the work of the hook once a request, however often it is called', async () => {
    const service = await serviceUnderTest()
    const { app } = service
    app.get(
      '/',
      { config: { wimse: { mode: 'off', allow: 'wimse://example.com/a' } } },
      async (request, reply) => {
        await app.verifyWorkload(request, reply)
        await app.verifyWorkload(request, reply)
        return whoami(request)
      },
    )
    app.get('/protected', async (request, reply) => {
      await app.verifyWorkload(request, reply)
      return whoami(request)
    })
    expect(await callAs(service, '/a', '/')).toMatchObject({ status: 200, caller: 'wimse://example.com/a' })
    expect(await callAs(service, '/b', '/protected')).toMatchObject({
      status: 200,
      caller: 'wimse://example.com/b',
    })
    expect(await callAs(service, '/b', '/')).toMatchObject({ code: 'WIMSE_WORKLOAD_FORBIDDEN' })
  })

  it('leaves the answer to a caller that catches what it throws', async () => {
    const { app } = await serviceUnderTest()
    app.get('/', { config: { wimse: false } }, async (request, reply) => {
      await app.verifyWorkload(request, reply).catch(() => undefined)
      return 'fine'
    })
    const { statusCode, headers } = await app.inject('/')
    expect([statusCode, headers['cache-control']]).toEqual([200, undefined])
  })

  it('of two registrations is not answered by one of them', async () => {
    const { identityServer, clock } = await serviceUnderTest()
    const app = Fastify()
    const registered: FastifyInstance[] = []
    for (const allow of [memberOf('wimse://example.com'), 'wimse://example.com/admin']) {
      await app.register(async (scope) => {
        await scope.register(wimse, {
          audience: ORIGIN,
          trustDomains: identityServer.trustDomains,
          allow,
          now: clock,
        })
        registered.push(scope)
      })
    }
    app.get('/', async (request, reply) => {
      for (const scope of registered) await scope.verifyWorkload(request, reply)
      return 'reached'
    })
    const response = await signedInject(app, await identityServer.issue({ subject: '/caller' }), {
      url: `${ORIGIN}/`,
      now: clock,
    })
    expect(response.statusCode).not.toBe(200)
  })

  it('throws an error with a status when the request does not show who sent it', async () => {
    const { app } = await serviceUnderTest()
    app.get('/', { config: { wimse: false } }, async (request, reply) => {
      await app.verifyWorkload(request, reply)
      return 'reached'
    })
    const response = await app.inject('/')
    expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([400, 'WIMSE_WIT_MISSING'])
  })
})

describe('isRevoked', () => {
  for (const [what, isRevoked] of [
    ['says true', () => true],
    [
      'throws',
      () => {
        throw new Error('no answer')
      },
    ],
    ['gives nothing', () => undefined as unknown as boolean],
  ] as const) {
    it(`refuses the workload when it ${what}, and takes no place in the replay store`, async () => {
      let claims = 0
      const service = await serviceUnderTest({
        isRevoked,
        replay: {
          claim: () => {
            claims++
            return 'first'
          },
        },
      })
      service.app.get('/', whoami)
      expect(await callAs(service, '/a', '/')).toMatchObject({ status: 403, code: 'WIMSE_WIT_REVOKED' })
      expect(claims).toBe(0)
    })
  }
})

describe('app.wimse.ready()', () => {
  it('is true once the keys are there and false while they are not', async () => {
    const { app } = await serviceUnderTest()
    expect(await app.wimse.ready()).toBe(true)
    const source = {
      bundleFor: () => Promise.reject(new Error('down')),
      ready: () => Promise.reject(new Error('down')),
    }
    const other = await serviceUnderTest({ trustDomains: { 'wimse://example.com': { source } } })
    expect(await other.app.wimse.ready()).toBe(false)
    for (const claim of [
      () => 'full',
      async () => Promise.reject(new Error('down')),
      async () => new Promise(() => undefined),
    ]) {
      const stalled = await serviceUnderTest({ replay: { claim } as never, storeTimeoutMs: 20 })
      expect(await stalled.app.wimse.ready()).toBe(false)
    }
    const bearer = { verify: () => null }
    const forgetful = {
      remember: () => undefined,
      since: async () => Promise.reject(new Error('down')),
      forget: () => undefined,
    }
    const moving = await serviceUnderTest({ bearer, transition: { remember: forgetful } })
    expect(await moving.app.wimse.ready()).toBe(false)
    expect(await (await serviceUnderTest({ bearer })).app.wimse.ready()).toBe(true)
  })
})

describe('the plugin', () => {
  it('is also the default export', () => expect(defaultExport).toBe(wimse))

  it('names the header fields that carry tokens for pino', async () => {
    let text = ''
    const app = Fastify({
      logger: { redact: redactPaths, stream: { write: (line: string) => (text += line) } },
    })
    app.get('/', async (request) => {
      request.log.info({ req: { headers: { ...request.headers } }, headers: { ...request.headers } }, 'seen')
      return ''
    })
    const secret = 'a-secret-token'
    const headers = {
      authorization: secret,
      'workload-identity-token': secret,
      'workload-proof-token': secret,
      'txn-token': secret,
    }
    await app.inject({ url: '/', headers: { ...headers, 'x-public': 'shown' } })
    expect(text).toContain('shown')
    expect(text).not.toContain(secret)
  })

  it('and what Node could not read of a request, tokens and all', async () => {
    let text = ''
    const app = Fastify({
      logger: { level: 'trace', redact: redactPaths, stream: { write: (line: string) => (text += line) } },
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as { port: number }
    const secret = 'a-secret-token'
    const { status } = await rawRequest(port, [
      'GET / HTTP/1.1',
      'Host: a',
      `Workload-Proof-Token: ${secret}`,
      'X: \0',
    ])
    await app.close()
    expect(status).toBe(400)
    expect(text).toContain('HPE_INVALID_HEADER_TOKEN')
    expect(text).not.toContain(secret)
    expect(text).not.toContain(Buffer.from(secret).join(','))
  })
})
