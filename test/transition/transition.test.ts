import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import {
  type CallerMemory,
  memoryCallerMemory,
  type RouteAdoption,
  wimse,
  type WimseOptions,
} from 'fastify-wimse'
import { signRequest } from 'wimse'
import { movingService, NOON, ORIGIN } from './moving-service.js'

const CHECKOUT = 'wimse://example.com/checkout'
const routeOf = ({ wimse }: FastifyInstance, route: string): RouteAdoption =>
  wimse.adoption().routes.find((one) => one.route === route)!
const at = (seconds: number): Date => new Date((NOON + seconds) * 1000)

describe('answers to bearer callers', () => {
  const dates = { deprecation: at(-86_400), sunset: at(86_400), link: 'https://example.com/moving?a=b' }

  it('say since when that is deprecated and until when it works; answers to others do not', async () => {
    const service = await movingService({ transition: dates })
    const { send, bearer, proof, identityServer } = service
    const expected = {
      deprecation: `@${NOON - 86_400}`,
      sunset: at(86_400).toUTCString(),
      link: '<https://example.com/moving?a=b>; rel="deprecation"; type="text/html"',
    }
    for (const path of ['/transition', '/bearer']) {
      const { headers } = await send({ authorization: await bearer('/checkout') }, path)
      expect(headers).toMatchObject(expected)
    }
    const wit = await send(proof(await identityServer.issue({ subject: '/other' })))
    expect([wit.status, wit.headers['deprecation'], wit.headers['sunset'], wit.headers['link']]).toEqual([
      200,
      undefined,
      undefined,
      undefined,
    ])
  })

  it('say the dates of the route where it has its own', async () => {
    const service = await movingService(
      { transition: dates },
      { '/early': { mode: 'transition', transition: { sunset: at(60) } } },
    )
    const { send, bearer, clock } = service
    const authorization = await bearer('/checkout')
    expect((await send({ authorization }, '/early')).headers['sunset']).toBe(at(60).toUTCString())
    clock.advance(61)
    expect((await send({ authorization }, '/early')).code).toBe('WIMSE_BEARER_SUNSET')
    expect((await send({ authorization }, '/transition')).status).toBe(200)
  })
})

describe('challenges', () => {
  it('name every credential that is accepted', async () => {
    for (const [revisions, expected] of [
      [['wpt-01'], 'Bearer realm="workloads"'],
      [['wpt-02'], 'WPT, Bearer realm="workloads"'],
      [['wpt-01', 'wpt-02'], 'WPT, Bearer realm="workloads"'],
    ] as const) {
      const { send } = await movingService({ revisions })
      const answer = await send({})
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, expected])
      expect((await send({}, '/bearer')).headers['www-authenticate']).toBe('Bearer realm="workloads"')
    }
  })

  it('a proof by a carriage that is not accepted is a proof all the same (BEAR-07)', async () => {
    const { send } = await movingService({ revisions: ['wpt-01'] })
    expect((await send({ authorization: 'WPT abc' })).code).toBe('WIMSE_WIT_MISSING')
  })
})

describe('a caller memory', () => {
  it('that is full for a trust domain answers 503 to its bearer callers, and lets WITs in', async () => {
    const service = await movingService({ transition: { remember: memoryCallerMemory({ maxCallers: 1 }) } })
    const { send, bearer, proof, identityServer } = service
    const [one, two] = [
      await identityServer.issue({ subject: '/one' }),
      await identityServer.issue({ subject: '/two' }),
    ]
    expect((await send({ authorization: await bearer('/stranger') })).status).toBe(200)
    expect((await send(proof(one))).status).toBe(200)
    expect((await send({ authorization: await bearer('/stranger') })).status).toBe(200)
    expect((await send(proof(two))).status).toBe(200)
    const stranger = await send({ authorization: await bearer('/stranger') })
    expect([stranger.status, stranger.code, stranger.headers['retry-after']]).toEqual([
      503,
      'WIMSE_CALLER_MEMORY_UNAVAILABLE',
      '1',
    ])
    expect((await send({ authorization: await bearer('/one') })).code).toBe('WIMSE_BEARER_REFUSED')
    expect((await send(proof(one))).status).toBe(200)
  })

  const broken: readonly (readonly [what: string, answer: () => unknown])[] = [
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('down'))],
    ['never answers', async () => new Promise(() => undefined)],
    ['answers with text', () => 'yes'],
    ['answers with nothing', () => undefined],
  ]
  for (const [what, answer] of broken) {
    it(`that ${what} lets no bearer token in`, async () => {
      const remember = {
        remember: () => undefined,
        since: answer,
        forget: () => undefined,
      } as unknown as CallerMemory
      const { send, bearer, handled } = await movingService({ transition: { remember }, storeTimeoutMs: 20 })
      const { status, code } = await send({ authorization: await bearer('/checkout') })
      expect([status, code, handled()]).toEqual([503, 'WIMSE_CALLER_MEMORY_UNAVAILABLE', 0])
    })
  }

  it('that cannot remember lets nobody in whom it should remember', async () => {
    const remember: CallerMemory = {
      remember: async () => Promise.reject(new Error('down')),
      since: () => null,
      forget: () => undefined,
    }
    const { send, proof, identityServer } = await movingService({ transition: { remember } })
    const { status, code } = await send(proof(await identityServer.issue({ subject: '/checkout' })))
    expect([status, code]).toEqual([503, 'WIMSE_CALLER_MEMORY_UNAVAILABLE'])
  })

  it('is told only of callers that were let in', async () => {
    const told: string[] = []
    const remember: CallerMemory = {
      remember: (caller) => void told.push(caller),
      since: () => null,
      forget: () => undefined,
    }
    const service = await movingService({ transition: { remember }, allow: CHECKOUT })
    const { send, proof, identityServer } = service
    expect((await send(proof(await identityServer.issue({ subject: '/other' })))).status).toBe(403)
    expect(told).toEqual([])
    expect((await send(proof(await identityServer.issue({ subject: '/checkout' })))).status).toBe(200)
    expect(told).toEqual([CHECKOUT])
  })

  it('is asked by another clock: one that is ahead makes no difference without grace, and nonsense is no answer', async () => {
    for (const [since, code] of [
      [NOON + 0.5, 'WIMSE_BEARER_REFUSED'],
      [NOON + 3600, 'WIMSE_BEARER_REFUSED'],
      [Number.NaN, 'WIMSE_CALLER_MEMORY_UNAVAILABLE'],
      [Number.POSITIVE_INFINITY, 'WIMSE_CALLER_MEMORY_UNAVAILABLE'],
    ] as const) {
      const remember: CallerMemory = {
        remember: () => undefined,
        since: () => since,
        forget: () => undefined,
      }
      const { send, bearer } = await movingService({ transition: { remember } })
      expect((await send({ authorization: await bearer('/checkout') })).code).toBe(code)
    }
  })

  it('is one for all registrations of a server, unless they have others', async () => {
    const service = await movingService()
    const { app, identityServer, issuer, clock, send, bearer, proof } = service
    await app.register(async (scope) => {
      await scope.register(wimse, {
        audience: ORIGIN,
        trustDomains: identityServer.trustDomains,
        mode: 'transition',
        bearer: {
          issuer: 'https://login.example.com',
          audience: ORIGIN,
          jwks: issuer.jwks,
          identify: () => CHECKOUT,
        },
        now: clock,
      })
      scope.get('/inner', async () => ({}))
    })
    expect(
      (await send(proof(await identityServer.issue({ subject: '/checkout' }), '/inner'), '/inner')).status,
    ).toBe(200)
    const authorization = await bearer('/checkout')
    for (const path of ['/inner', '/transition'])
      expect((await send({ authorization }, path)).code).toBe('WIMSE_BEARER_REFUSED')
    await app.wimse.forget(CHECKOUT)
    for (const path of ['/inner', '/transition'])
      expect((await send({ authorization }, path)).status).toBe(200)
  })

  it('and the replay store share one deadline', async () => {
    const slow = async <T>(answer: T): Promise<T> => new Promise((resolve) => setTimeout(resolve, 80, answer))
    const remember: CallerMemory = {
      remember: async () => slow(undefined),
      since: () => null,
      forget: () => undefined,
    }
    const { send, proof, identityServer } = await movingService({
      transition: { remember },
      replay: { claim: async () => slow('first' as const) },
      storeTimeoutMs: 120,
    })
    expect((await send(proof(await identityServer.issue({ subject: '/checkout' })))).code).toBe(
      'WIMSE_CALLER_MEMORY_UNAVAILABLE',
    )
  })

  it('is not told of WITs that decide nothing', async () => {
    const service = await movingService()
    const { send, bearer, proof, identityServer } = service
    const authorization = await bearer('/checkout')
    const credential = await identityServer.issue({ subject: '/checkout' })
    expect(
      (await send({ authorization, ...proof(credential, '/bearer', { authorization }) }, '/bearer')).status,
    ).toBe(200)
    expect((await send({ authorization })).status).toBe(200)
  })

  it('app.wimse.forget() takes only workload identifiers', async () => {
    const { app } = await movingService()
    await expect(app.wimse.forget('checkout')).rejects.toThrow(TypeError)
  })
})

describe('rules and routes', () => {
  it('see one caller whichever way it came', async () => {
    const service = await movingService({ allow: CHECKOUT })
    const { send, bearer } = service
    expect((await send({ authorization: await bearer('/checkout') })).status).toBe(200)
    expect((await send({ authorization: await bearer('/other') })).code).toBe('WIMSE_WORKLOAD_FORBIDDEN')
  })

  it('an encapsulated registration has its own way, for its own routes', async () => {
    const service = await movingService()
    const { app, identityServer, send, bearer, clock, issuer } = service
    const inner = {
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      now: clock,
    } satisfies WimseOptions
    await app.register(async (scope) => {
      await scope.register(wimse, inner)
      scope.get('/inner', async () => 'reached')
    })
    await app.register(async (scope) => {
      await scope.register(wimse, {
        ...inner,
        mode: 'bearer',
        bearer: { verify: (token) => (token === 'secret' ? CHECKOUT : null) },
      })
      scope.get('/lax', async () => 'reached')
    })
    const authorization = await bearer('/checkout')
    expect(issuer).toBeDefined()
    expect((await send({ authorization }, '/inner')).code).toBe('WIMSE_WIT_MISSING')
    expect((await send({ authorization }, '/transition')).status).toBe(200)
    expect((await app.inject({ url: '/lax', headers: { authorization: 'Bearer secret' } })).statusCode).toBe(
      200,
    )
    expect((await app.inject({ url: '/lax', headers: { authorization } })).statusCode).toBe(401)
    expect((await send({ authorization: 'Bearer secret' }, '/transition')).code).toBe('WIMSE_BEARER_INVALID')
  })

  it('the not-found handler stands under the rule of the scope, whoever calls it', async () => {
    const service = await movingService(
      { allow: 'wimse://example.com/admin' },
      { '/lax': { mode: 'bearer', allow: CHECKOUT } },
    )
    const { app, send, bearer } = service
    let reached = 0
    app.setNotFoundHandler((_request, reply) => {
      reached++
      return reply.code(404).send({})
    })
    app.get('/gone', { config: { wimse: { mode: 'bearer', allow: CHECKOUT } } }, (_request, reply) =>
      reply.callNotFound(),
    )
    expect((await send({ authorization: await bearer('/checkout') }, '/gone')).code).toBe('WIMSE_WIT_MISSING')
    expect(reached).toBe(0)
    const other = await movingService({ mode: 'transition', allow: 'wimse://example.com/admin' })
    other.app.get('/gone', { config: { wimse: { allow: CHECKOUT } } }, (_request, reply) =>
      reply.callNotFound(),
    )
    expect((await other.send({ authorization: await other.bearer('/checkout') }, '/gone')).code).toBe(
      'WIMSE_WORKLOAD_FORBIDDEN',
    )
    const same = await movingService({ mode: 'transition' })
    same.app.get('/gone', (_request, reply) => reply.callNotFound())
    expect((await same.send({ authorization: await same.bearer('/checkout') }, '/gone')).status).toBe(404)
  })

  it('nor is a route that still takes bearer tokens a way to it for a caller that may not come with one', async () => {
    const callNotFound = (_request: FastifyRequest, reply: FastifyReply) => reply.callNotFound()
    const moved = await movingService({ mode: 'transition' })
    moved.app.get('/gone', { config: { wimse: { mode: 'bearer' } } }, callNotFound)
    const authorization = await moved.bearer('/checkout')
    expect((await moved.send({ authorization }, '/gone')).status).toBe(404)
    const credential = await moved.identityServer.issue({ subject: '/checkout' })
    expect((await moved.send(moved.proof(credential))).status).toBe(200)
    expect((await moved.send({ authorization }, '/nowhere')).code).toBe('WIMSE_BEARER_REFUSED')
    expect((await moved.send({ authorization }, '/gone')).code).toBe('WIMSE_BEARER_REFUSED')

    const sunset = await movingService({ mode: 'transition', transition: { sunset: at(60) } })
    const later = { mode: 'transition', transition: { sunset: at(600) } } as const
    sunset.app.get('/gone', { config: { wimse: later } }, callNotFound)
    const token = { authorization: await sunset.bearer('/checkout') }
    expect((await sunset.send(token, '/gone')).status).toBe(404)
    sunset.clock.advance(61)
    expect((await sunset.send(token, '/gone')).code).toBe('WIMSE_BEARER_SUNSET')
  })

  it('bearer tokens keep to maxTokenBytes', async () => {
    const { send } = await movingService({ maxTokenBytes: 600, bearer: { verify: () => CHECKOUT } })
    expect((await send({ authorization: `Bearer ${'a'.repeat(600)}` })).status).toBe(200)
    expect((await send({ authorization: `Bearer ${'a'.repeat(601)}` })).code).toBe('WIMSE_TOKEN_TOO_LARGE')
  })

  it('a sunset that came too late in a route still counts', async () => {
    const app = Fastify()
    const route = { mode: 'transition', transition: { sunset: at(-1) } } as const
    app.get('/late', { config: { wimse: route } }, async () => ({}))
    const { identityServer } = await movingService()
    await app.register(wimse, {
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      mode: 'transition',
      bearer: { verify: () => CHECKOUT },
      now: () => NOON,
    })
    const response = await app.inject({ url: '/late', headers: { authorization: 'Bearer a' } })
    expect(response.json()).toMatchObject({ code: 'WIMSE_BEARER_SUNSET' })
  })

  it('a WIT that decides nothing holds nothing up either, whatever is wrong with its trust domain', async () => {
    const source = { bundleFor: async () => new Promise<never>(() => undefined) }
    const { send, bearer, proof, identityServer } = await movingService({
      trustDomains: { 'wimse://example.com': { source } },
      storeTimeoutMs: 50,
    })
    const authorization = await bearer('/checkout')
    const start = performance.now()
    const headers = proof(await identityServer.issue({ subject: '/checkout' }), '/bearer', { authorization })
    expect((await send({ authorization, ...headers }, '/bearer')).status).toBe(200)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('an async upgraded that fails is 503', async () => {
    const { send, bearer } = await movingService({
      transition: { upgraded: async () => Promise.reject(new Error('down')) },
    })
    expect((await send({ authorization: await bearer('/checkout') })).code).toBe(
      'WIMSE_CALLER_MEMORY_UNAVAILABLE',
    )
  })

  it('app.wimse.ready() is false while the keys of a bearer issuer are not there', async () => {
    const bearer = { issuer: 'a', audience: ORIGIN, jwksUri: 'http://127.0.0.1:1/jwks', identify: () => null }
    const { app } = await movingService({ bearer })
    expect(await app.wimse.ready()).toBe(false)
    expect(await (await movingService()).app.wimse.ready()).toBe(true)
  })

  it('scopes inherit the mode of the registration', async () => {
    const { app, bearer, send } = await movingService({ mode: 'bearer' })
    await app.register(async (scope) => void scope.get('/inherited', async () => ({})), { prefix: '/p' })
    expect((await send({ authorization: await bearer('/checkout') }, '/p/inherited')).status).toBe(200)
    expect((await send({}, '/p/inherited')).code).toBe('WIMSE_BEARER_MISSING')
    expect((await send({}, '/p/nowhere')).code).toBe('WIMSE_BEARER_MISSING')
  })

  const base = { audience: ORIGIN, trustDomains: { 'wimse://example.com': { jwks: { keys: [] } } } }
  const bearer = { verify: () => null }
  const wrong: readonly (readonly [names: string, options: object, route?: object])[] = [
    ['mode', { mode: 'transition' }],
    ['mode', { mode: 'bearer' }],
    ['config.wimse.mode', {}, { mode: 'transition' }],
    ['config.wimse.mode', {}, { mode: 'bearer' }],
    ['transition', { transition: {} }],
    ['config.wimse.transition', {}, { transition: {} }],
    ['transition.grace', { bearer, transition: { grace: -1 } }],
    ['transition.remember', { bearer, transition: { remember: true } }],
    ['transition.remember', { bearer, transition: { remember: { since: () => null } } }],
    ['transition.upgraded', { bearer, transition: { upgraded: ['checkout'] } }],
    ['transition.sunset', { bearer, transition: { sunset: '2027-01-01' } }],
    ['transition.sunset', { bearer, transition: { sunset: new Date('never') } }],
    ['transition.sunset', { bearer, transition: { deprecation: at(1), sunset: at(0) } }],
    ['transition.grace', { bearer, transition: { remember: false, grace: 5 } }],
    ['trustDomains', { bearer: { verify: () => null, trustDomains: ['wimse://exmaple.com'] } }],
    ['transition.link', { bearer, transition: { link: 'moving' } }],
    ['transition.link', { bearer, transition: { link: 'https://a.example/>; rel="x"' } }],
    ['unknown option until', { bearer, transition: { until: at(0) } }],
    ['unknown option remember', { bearer }, { transition: { remember: false } }],
    [
      'config.wimse.transition.sunset',
      { bearer, transition: { deprecation: at(1) } },
      { transition: { sunset: at(0) } },
    ],
    ['adoptionWindow', { adoptionWindow: 0 }],
  ]
  for (const [names, options, route] of wrong) {
    it(`does not start with ${JSON.stringify({ ...options, route })}, and names ${names}`, async () => {
      const failure: unknown = await (async () => {
        const app = Fastify()
        await app.register(wimse, { ...base, ...options } as WimseOptions)
        app.get('/', { config: { wimse: route as { mode: 'off' } } }, async () => '')
        return 'started'
      })().catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(TypeError)
      expect((failure as Error).message).toContain(names)
    })
  }
})

describe('app.wimse.adoption()', () => {
  it('tells who uses which credential where, since when, and what was refused', async () => {
    const service = await movingService({
      revisions: ['wpt-01', 'wpt-02'],
      allow: ({ path }) => path !== '/nobody',
    })
    const { app, send, bearer, proof, identityServer, clock } = service
    const checkout = await identityServer.issue({ subject: '/checkout' })
    await send({ authorization: await bearer('/checkout') })
    clock.advance(10)
    await send({ authorization: await bearer('/checkout') })
    clock.advance(10)
    await send(proof(checkout))
    await send(signRequest(checkout, { url: `${ORIGIN}/transition`, revision: 'wpt-02', now: clock }))
    clock.advance(10)
    await send({ authorization: await bearer('/checkout') })
    await send({ authorization: await bearer('/nobody') })
    await send({ authorization: 'Bearer forged' })
    await send({})
    const { since, routes } = app.wimse.adoption()
    expect(since).toBe(NOON)
    expect(routes.map(({ route }) => route)).toEqual(['GET /required', 'GET /transition', 'GET /bearer'])
    expect(routes.filter(({ callers }) => callers.length > 0)).toEqual([
      {
        route: 'GET /transition',
        mode: 'transition',
        ready: false,
        dropped: 0,
        callers: [
          {
            caller: CHECKOUT,
            bearer: { requests: 3, firstSeen: NOON, lastSeen: NOON + 30 },
            wit: {
              requests: 2,
              firstSeen: NOON + 20,
              lastSeen: NOON + 20,
              revisions: { 'wpt-01': 1, 'wpt-02': 1 },
            },
            refusals: 1,
          },
          {
            caller: 'wimse://example.com/nobody',
            bearer: { requests: 1, firstSeen: NOON + 30, lastSeen: NOON + 30 },
            wit: { requests: 0, firstSeen: null, lastSeen: null, revisions: {} },
            refusals: 1,
          },
        ],
        refusals: {
          WIMSE_BEARER_REFUSED: 1,
          WIMSE_WORKLOAD_FORBIDDEN: 1,
          WIMSE_BEARER_INVALID: 1,
          WIMSE_BEARER_MISSING: 1,
        },
        dryRun: { accepted: 0, refusals: {} },
      },
    ])
  })

  it('counts how WITs would fare where a bearer token decides', async () => {
    const service = await movingService()
    const { app, send, bearer, proof, identityServer, log } = service
    const authorization = await bearer('/checkout')
    const checkout = await identityServer.issue({ subject: '/checkout' })
    expect(
      (await send({ authorization, ...proof(checkout, '/bearer', { authorization }) }, '/bearer')).status,
    ).toBe(200)
    expect(
      (await send({ authorization, ...proof(checkout, '/elsewhere', { authorization }) }, '/bearer')).status,
    ).toBe(200)
    expect((await send({ authorization, 'workload-identity-token': 'x' }, '/bearer')).status).toBe(200)
    expect(routeOf(app, 'GET /bearer')).toMatchObject({
      dryRun: { accepted: 1, refusals: { WIMSE_WPT_AUDIENCE: 1, WIMSE_WPT_MISSING: 1 } },
      refusals: {},
    })
    expect(log().filter(({ msg }) => msg === 'a WIT would have been refused')).toHaveLength(2)
  })

  it('takes tokens off where a bearer token decides, whatever is wrong with them', async () => {
    const { app, send, bearer, proof, identityServer } = await movingService()
    const left: string[][] = []
    app.addHook('preHandler', async ({ headers, raw }) => {
      const names = [...Object.keys(headers), ...raw.rawHeaders].map((name) => name.toLowerCase())
      left.push(names.filter((name) => name.startsWith('workload-')))
    })
    const authorization = await bearer('/checkout')
    const checkout = await identityServer.issue({ subject: '/checkout' })
    for (const path of ['/bearer', '/elsewhere']) {
      const tokens = proof(checkout, path, { authorization })
      expect((await send({ authorization, ...tokens }, '/bearer')).status).toBe(200)
    }
    expect((await send({ authorization, 'workload-proof-token': 'x' }, '/bearer')).status).toBe(200)
    expect(left).toEqual([[], [], []])
  })

  it('says that a route is ready once it was watched for the whole window without a bearer token', async () => {
    const service = await movingService({ adoptionWindow: 100 })
    const { app, send, bearer, proof, identityServer, clock } = service
    const ready = (): boolean => routeOf(app, 'GET /transition').ready
    const other = await identityServer.issue({ subject: '/other' })
    await send({ authorization: await bearer('/checkout') })
    clock.advance(99)
    await send(proof(other))
    expect(ready()).toBe(false)
    clock.advance(2)
    expect(ready()).toBe(true)
    await send({ authorization: await bearer('/other') })
    expect(ready()).toBe(false)
    clock.advance(101)
    expect(ready()).toBe(true)
  })

  it('is bounded, and a route with callers it could not list is not ready', async () => {
    const service = await movingService({
      adoptionWindow: 100,
      bearer: { verify: (token) => `wimse://example.com/${token}` },
    })
    const { app, clock } = service
    clock.advance(200)
    for (let caller = 0; caller < 1010; caller++) {
      await app.inject({ url: '/transition', headers: { authorization: `Bearer ${caller}` } })
    }
    const route = routeOf(app, 'GET /transition')
    expect([route.callers.length, route.dropped, route.ready]).toEqual([1000, 10, false])
    clock.advance(101)
    expect(routeOf(app, 'GET /transition').ready).toBe(true)
  })

  it('is JSON, and a copy', async () => {
    const { app, send, bearer } = await movingService()
    await send({ authorization: await bearer('/checkout') })
    const report = app.wimse.adoption()
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    ;(report.routes[1]!.callers[0]!.bearer as { requests: number }).requests = 99
    expect(routeOf(app, 'GET /transition').callers[0]!.bearer.requests).toBe(1)
  })
})

describe('the log', () => {
  it('warns once when a caller that has a WIT still sends a bearer token', async () => {
    const { send, bearer, proof, identityServer, log } = await movingService({ transition: { grace: 600 } })
    await send({ authorization: await bearer('/checkout') })
    await send(proof(await identityServer.issue({ subject: '/checkout' })))
    for (let round = 0; round < 3; round++) await send({ authorization: await bearer('/checkout') })
    await send({ authorization: await bearer('/other') })
    const warnings = log().filter(
      ({ level, msg }) => level === 40 && String(msg).includes('still sends a bearer token'),
    )
    expect(warnings).toEqual([expect.objectContaining({ caller: CHECKOUT, route: 'GET /transition' })])
  })

  it('has no token in it when a function that had one fails or gives it back', async () => {
    const secret = 'opaque-secret-token'
    const failing = (token: string): never => {
      throw Object.assign(new Error(`no answer for ${token}`), { config: { data: `token=${token}` } })
    }
    for (const options of [
      { bearer: { verify: failing } },
      { bearer: { verify: (token: string) => token } },
      {
        bearer: { verify: () => CHECKOUT },
        allow: (_: unknown, request: { headers: { authorization?: string } }) =>
          failing(request.headers.authorization!),
      },
    ]) {
      const { send, log } = await movingService(options as Partial<WimseOptions>)
      expect((await send({ authorization: `Bearer ${secret}` })).status).not.toBe(200)
      expect(JSON.stringify(log())).not.toContain(secret)
    }
  })

  it('has no token in it, whatever came', async () => {
    const { send, bearer, proof, identityServer, log } = await movingService()
    const authorization = await bearer('/checkout')
    const credential = await identityServer.issue({ subject: '/checkout' })
    const tokens = [authorization, credential.wit]
    await send({ authorization })
    await send({ authorization: `Bearer ${credential.wit}` })
    await send({ authorization, ...proof(credential, '/bearer') }, '/bearer')
    await send({ authorization: `${authorization}x` })
    const text = JSON.stringify(log())
    for (const part of tokens.flatMap((token) => token.split(/[. ]/)).filter(({ length }) => length > 8))
      expect(text).not.toContain(part)
  })
})
