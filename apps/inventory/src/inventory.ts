import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { redactPaths, type WimseOptions, wimse, workloadOf } from 'fastify-wimse'
import { createStock } from './stock.js'

/** Options of {@link createInventory}. */
export interface InventoryOptions extends Pick<WimseOptions, 'audience' | 'trustDomains'> {
  /** Identifier of the only workload that may reserve. */
  readonly checkout: string
  /** How many there are at first, by item. Default a thousand apples and three pears. */
  readonly stock?: Readonly<Record<string, number>>
  /** Pino's level, default `info`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
}

/**
 * Makes the inventory: any workload of a trusted domain may look at the stock, only checkout may reserve,
 * and everybody may ask for its health.
 *
 * @throws TypeError when an option is wrong
 */
export async function createInventory(options: InventoryOptions): Promise<FastifyInstance> {
  const { audience, trustDomains, checkout, log } = options
  const stock = createStock(options.stock ?? { apple: 1000, pear: 3 })
  const app = Fastify({ logger: { name: 'inventory', level: 'info', ...log, redact: redactPaths } })

  await app.register(wimse, { audience, trustDomains })

  app.get('/healthz', { config: { wimse: false } }, async () => 'ok')

  app.get<Item>('/stock/:sku', async (request, reply) => {
    const { sku } = request.params
    const left = stock.left(sku)
    if (left === null) return reply.code(404).send({ message: 'There is no such item.' })
    return { sku, left, caller: workloadOf(request).id }
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

  return app
}

interface Item {
  Params: { sku: string }
}

const RESERVATION: object = {
  type: 'object',
  required: ['quantity'],
  properties: { quantity: { type: 'integer', minimum: 1, maximum: 100 } },
}
