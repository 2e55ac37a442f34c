import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import { type CredentialSource, redactPaths, wimseClient } from 'fastify-wimse-client'
import { sendProblem } from './problem.js'

/** Options of {@link createCheckout}. */
export interface CheckoutOptions {
  /** Whose identity the inventory sees. */
  readonly credentials: CredentialSource
  /** Where the inventory is: `https://inventory.example.com`. */
  readonly inventory: string
  /** Pino's level, default `info`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
}

/**
 * Makes the checkout: an order is taken once the inventory has reserved what was ordered.
 *
 * It does NOT ask who orders: people are not workloads, and a real shop has sessions for them.
 *
 * @throws TypeError when an option is wrong
 */
export async function createCheckout(options: CheckoutOptions): Promise<FastifyInstance> {
  const { credentials, inventory, log } = options
  const app = Fastify({ logger: { name: 'checkout', level: 'info', ...log, redact: redactPaths } })

  await app.register(wimseClient, { credentials, targets: [inventory] })

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode: status = 500 } = error
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    return sendProblem(reply, status, status < 500 ? error.message : 'The order was not taken.')
  })

  app.get('/healthz', async () => 'ok')

  app.post<{ Body: Order }>('/orders', {
    schema: { body: ORDER },
    handler: async (request, reply) => {
      let answer: Answer
      try {
        answer = await reserve(request.body)
      } catch (error) {
        request.log.error({ err: error }, 'the inventory gave no answer')
        return sendProblem(reply, 502, 'The inventory cannot be asked right now.')
      }
      const { status, body } = answer
      const { reservation, code, instance } = body
      if (status === 201 && typeof reservation === 'string') {
        return reply.code(201).send({ order: randomUUID(), reservation, ...request.body })
      }
      if (status === 404 || status === 409) return sendProblem(reply, 409, 'There are not as many in stock.')
      request.log.error({ status, code, instance }, 'the inventory refused')
      return sendProblem(reply, 502, 'The inventory cannot be asked right now.')
    },
  })

  async function reserve({ sku, quantity }: Order): Promise<Answer> {
    const response = await app.workloadFetch(`${inventory}/stock/${sku}/reservations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ quantity }),
      signal: AbortSignal.timeout(5000),
    })
    return { status: response.status, body: readBody(await response.text()) }
  }

  return app
}

interface Order {
  readonly sku: string
  readonly quantity: number
}

interface Answer {
  readonly status: number
  /** A reservation, or a problem document with its code and the number it has in the inventory's log. */
  readonly body: { readonly reservation?: unknown; readonly code?: unknown; readonly instance?: unknown }
}

/** Not JSON is answered for by the status; what JSON.parse says of it quotes it, so it is not logged. */
function readBody(text: string): Answer['body'] {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}

const ORDER: object = {
  type: 'object',
  required: ['sku', 'quantity'],
  // The pattern keeps the item inside its segment of the inventory's URL.
  properties: {
    sku: { type: 'string', pattern: '^[a-z0-9-]{1,40}$' },
    quantity: { type: 'integer', minimum: 1, maximum: 100 },
  },
  additionalProperties: false,
}
