// The services that are measured. Each answers GET /stock/:sku with the same JSON, and differs in what it asks of
// a request before. What a request looks like is in requests.mjs; that each refuses a forged one is seen to in
// http.mjs before anything is measured.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { createServer } from 'node:http'
import Fastify from 'fastify'

/**
 * The signature check nobody can do without, and nothing else: no parsing, no claims, no replay. The key is the
 * caller's own, found by a number in the path, and the signature comes in the form that OpenSSL takes as it is.
 */
function oneVerify({ algorithm, callers }) {
  const hash = algorithm === 'ES256' ? 'sha256' : null
  const keys = callers.map((jwk) => createPublicKey({ key: jwk, format: 'jwk' }))
  return fastify(async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      const wpt = request.headers['workload-proof-token']
      const end = wpt.lastIndexOf('.')
      const signature = Buffer.from(wpt.slice(end + 1), 'base64url')
      if (verify(hash, Buffer.from(wpt.slice(0, end)), keys[request.params.sku], signature)) done()
      else reply.code(400).send({ status: 400 })
    })
  })
}

async function withWimse({ origin, trustDomains }, replay) {
  const { wimse } = await import('fastify-wimse')
  return fastify((app) => app.register(wimse, { audience: origin, trustDomains, replay }))
}

async function withMemory(settings) {
  const { memoryReplayStore } = await import('wimse')
  return withWimse(settings, memoryReplayStore())
}

async function withRedis(settings) {
  const [{ Redis }, { redisReplayStore }] = await Promise.all([import('ioredis'), import('wimse-redis')])
  const client = new Redis(settings.redisPort, { enableOfflineQueue: false, maxRetriesPerRequest: 1 })
  await new Promise((resolve, reject) => client.once('ready', resolve).once('error', reject))
  return withWimse(settings, redisReplayStore({ client }))
}

/** The checks of the suite in a hook of one's own: the proofs of a turn of the event loop together, or each at once. */
async function authenticateInHook({ origin, trustDomains }, inTurns) {
  const { createAuthenticator, createSignatureTurns, memoryReplayStore } = await import('wimse')
  const authenticator = createAuthenticator(
    { audience: origin, trustDomains, replay: memoryReplayStore() },
    undefined,
    inTurns ? createSignatureTurns() : undefined,
  )
  return fastify(async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      try {
        const { 'workload-identity-token': wit, 'workload-proof-token': wpt } = request.headers
        await authenticator.authenticate({ wit, wpt, path: request.url })
      } catch {
        await reply.code(400).send({ status: 400 })
      }
    })
  })
}

/**
 * What one would write by hand with jose: the WIT verified once and remembered with its key, the proof each time.
 *
 * @param seen remembers proofs; null for none that does
 */
async function joseByHand({ algorithm, origin, issuerJwk }, seen = null) {
  const { importJWK, jwtVerify } = await import('jose')
  const issuerKey = await importJWK(issuerJwk)
  const known = new Map()
  async function trust(wit) {
    const { payload } = await jwtVerify(wit, issuerKey, { typ: 'wit+jwt', requiredClaims: ['sub', 'exp'] })
    const entry = {
      subject: payload.sub,
      key: await importJWK(payload.cnf.jwk, algorithm),
      hash: createHash('sha256').update(wit).digest('base64url'),
      expiresAt: payload.exp,
    }
    known.set(wit, entry)
    return entry
  }
  return fastify(async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      try {
        const wit = request.headers['workload-identity-token']
        const { subject, key, hash, expiresAt } = known.get(wit) ?? (await trust(wit))
        if (expiresAt < Date.now() / 1000) throw new Error('expired')
        const { payload } = await jwtVerify(request.headers['workload-proof-token'], key, {
          typ: 'wpt+jwt',
          algorithms: [algorithm],
          audience: origin + request.url,
          requiredClaims: ['exp', 'jti', 'wth'],
        })
        if (payload.wth !== hash) throw new Error('made for another token')
        if (seen !== null) {
          const proof = `${subject} ${payload.jti}`
          if (seen.has(proof)) throw new Error('replayed')
          seen.set(proof, true)
        }
      } catch {
        await reply.code(400).send({ status: 400 })
      }
    })
  })
}

async function joseWithReplays(settings) {
  const { LRUCache } = await import('lru-cache')
  return joseByHand(settings, new LRUCache({ max: 500_000, ttl: 310_000 }))
}

async function oauth4webapi({ algorithm, origin, issuer, jwksUri }) {
  const { allowInsecureRequests, validateJwtAccessToken } = await import('oauth4webapi')
  const server = { issuer, jwks_uri: jwksUri }
  const options = { requireDPoP: true, signingAlgorithms: [algorithm], [allowInsecureRequests]: true }
  return fastify(async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      try {
        const { authorization, dpop } = request.headers
        const asFetched = new Request(origin + request.url, {
          method: request.method,
          headers: { authorization, dpop },
        })
        await validateJwtAccessToken(server, asFetched, origin, options)
      } catch {
        await reply.code(401).send({ status: 401 })
      }
    })
  })
}

async function expressBearer({ origin, issuer, jwksUri, algorithm }) {
  const [{ default: express }, { default: bearer }] = await Promise.all([
    import('express'),
    import('express-oauth2-jwt-bearer'),
  ])
  const app = express()
  app.use(
    bearer.auth({
      issuer,
      jwksUri,
      audience: origin,
      tokenSigningAlg: algorithm,
      dpop: { enabled: true, required: true },
    }),
  )
  app.get('/stock/:sku', (request, response) => {
    response.json({ sku: request.params.sku, left: 3 })
  })
  app.use((error, _request, response, _next) => {
    response.status(error.status ?? 500).json({ status: error.status })
  })
  const server = createServer(app)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}

/** `issuerPem` in the configuration: when the issuer gets a new key, every service has to be configured anew. */
async function fastifyJwt(
  { algorithm, origin, issuer, issuerPem },
  more = { secret: { public: issuerPem } },
) {
  const { default: jwt } = await import('@fastify/jwt')
  return fastify(async (app) => {
    await app.register(jwt, {
      ...more,
      verify: { algorithms: [algorithm], allowedAud: origin, allowedIss: issuer },
    })
    app.addHook('onRequest', (request) => request.jwtVerify())
  })
}

/** The keys are those that the issuer publishes, as for the suite. What is made of one is remembered. */
async function fastifyJwtWithKeySet(settings) {
  const { createRemoteJWKSet, exportSPKI } = await import('jose')
  const keySet = createRemoteJWKSet(new URL(settings.jwksUri))
  const known = new WeakMap()
  async function secret(_request, { header }) {
    const key = await keySet(header)
    const pem = known.get(key) ?? (await exportSPKI(key))
    known.set(key, pem)
    return pem
  }
  return fastifyJwt(settings, { secret, decode: { complete: true } })
}

async function fastify(protect) {
  const app = Fastify()
  await protect(app)
  app.get('/stock/:sku', async (request) => ({ sku: request.params.sku, left: 3 }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}

/** By name: starts the service and gives its port. */
export const contestants = {
  bare: () => fastify(() => undefined),
  floor: oneVerify,
  memory: withMemory,
  redis: withRedis,
  'in-turns': (settings) => authenticateInHook(settings, true),
  'at-once': (settings) => authenticateInHook(settings, false),
  jose: (settings) => joseByHand(settings),
  'jose-replays': joseWithReplays,
  oauth4webapi,
  express: expressBearer,
  'fastify-jwt': (settings) => fastifyJwt(settings),
  'fastify-jwt-set': fastifyJwtWithKeySet,
}
