import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { redactPaths, type WimseOptions, wimse, workloadOf } from 'fastify-wimse'
import { redisCallerMemory, type RedisClient, redisReplayStore } from 'wimse-redis'
import { createStock } from './stock.js'

/** Options of {@link createInventory}. */
export interface InventoryOptions extends Pick<WimseOptions, 'audience' | 'trustDomains'> {
  /** Identifier of the only workload that may reserve. */
  readonly checkout: string
  /** Identifier of the only workload that may read who uses which credential. Default nobody may. */
  readonly console?: string
  /** Tokens of callers that cannot sign yet, by token: whose they are. Default none. */
  readonly legacyTokens?: Readonly<Record<string, string>>
  /** How many there are at first, by item. Default a thousand apples and three pears. */
  readonly stock?: Readonly<Record<string, number>>
  /** A client of Valkey or Redis, shared by all replicas: what each has seen, the others know. Default memory. */
  readonly valkey?: RedisClient
  /** Pino's level, default `info`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
}

/**
 * Makes the inventory: any workload of a trusted domain may look at the stock, only checkout may reserve,
 * prices are also for callers that have nothing but a token yet, and everybody may ask for its health.
 *
 * @throws TypeError when an option is wrong
 */
export async function createInventory(options: InventoryOptions): Promise<FastifyInstance> {
  const { audience, trustDomains, checkout, console, legacyTokens = {}, valkey, log } = options
  const stock = createStock(options.stock ?? { apple: 1000, pear: 3 })
  const app = Fastify({ logger: { name: 'inventory', level: 'info', ...log, redact: redactPaths } })

  const callers = new Map(Object.entries(legacyTokens))
  await app.register(wimse, {
    audience,
    trustDomains,
    revisions: ['wpt-01', 'wpt-02'],
    bearer: { verify: (token) => callers.get(token) ?? null },
    transition: {
      deprecation: BEARER_DEPRECATED,
      ...(valkey === undefined ? {} : { remember: redisCallerMemory({ client: valkey }) }),
    },
    ...(valkey === undefined ? {} : { replay: redisReplayStore({ client: valkey }) }),
  })

  app.get('/healthz', { config: { wimse: false } }, async () => 'ok')

  app.get<Item>('/stock/:sku', async (request, reply) => {
    const { sku } = request.params
    const left = stock.left(sku)
    if (left === null) return reply.code(404).send({ message: 'There is no such item.' })
    return { sku, left, caller: workloadOf(request).id }
  })

  // Not all callers sign yet; those who do may not go back.
  app.get<Item>('/prices/:sku', { config: { wimse: { mode: 'transition' } } }, async (request) => {
    const { id: caller, via } = workloadOf(request)
    return { sku: request.params.sku, cents: 100, caller, via }
  })

  app.post<Item & { Body: { quantity: number } }>('/stock/:sku/reservations', {
    config: { wimse: { allow: [checkout] } },
    schema: { body: RESERVATION },
    handler: async (request, reply) => {
      const { sku } = request.params
      const { quantity } = request.body
      if (stock.left(sku) === null) return reply.code(404).send({ message: 'There is no such item.' })
      if (!stock.take(sku, quantity)) return reply.code(409).send({ message: 'There are not as many.' })
      const reservation = randomUUID()
      request.log.info({ reservation, sku, quantity, caller: workloadOf(request).id }, 'reserved')
      return reply.code(201).send({ reservation, sku, quantity })
    },
  })

  // It names every caller, so it is for one reader alone.
  if (console !== undefined) {
    app.get('/adoption', { config: { wimse: { allow: [console] } } }, async (_request, reply) =>
      reply.header('cache-control', 'no-store').send(app.wimse.adoption()),
    )
  }

  return app
}

const BEARER_DEPRECATED = new Date('2026-11-01')

interface Item {
  Params: { sku: string }
}

const RESERVATION: object = {
  type: 'object',
  required: ['quantity'],
  properties: { quantity: { type: 'integer', minimum: 1, maximum: 100 } },
}
