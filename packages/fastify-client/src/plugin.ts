import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createPropagatingFetch, type WorkloadFetch, type WorkloadFetchOptions } from './workload-fetch.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** `fetch` for the configured targets, with this workload's identity and a new proof for each call. */
    workloadFetch: WorkloadFetch
  }
  interface FastifyRequest {
    /**
     * The same on behalf of the request that is being handled: its `Txn-Token`, if its caller's proof covers
     * it, goes on to targets that are marked `propagate`, and the new proof covers it again.
     */
    readonly workloadFetch: WorkloadFetch
  }
}

const register: FastifyPluginAsync<WorkloadFetchOptions> = async (app, options) => {
  const propagating = createPropagatingFetch(options)
  app.decorate('workloadFetch', async (input, init) => propagating.fetch(input, init, undefined))
  app.decorateRequest('workloadFetch', {
    getter(this: FastifyRequest): WorkloadFetch {
      return async (input, init) => propagating.fetch(input, init, boundTxnToken(this))
    },
  })
  app.addHook('onReady', async () => {
    await options.credentials.current()
  })
  app.addHook('onClose', async () => {
    try {
      await propagating.close()
    } finally {
      await options.credentials.close?.()
    }
  })
}

/**
 * Gives a Fastify instance `workloadFetch`, which shows the called side which workload is calling.
 *
 * @throws TypeError at registration, naming the option that is wrong; SigningError when the first
 *   credential cannot be had, so that a service without an identity does not start
 */
export const wimseClient: FastifyPluginAsync<WorkloadFetchOptions> = fp(register, {
  fastify: '5.x',
  name: 'fastify-wimse-client',
})

/** The transaction token of a request, if the proof it came with covers it: any other is nobody's word. */
function boundTxnToken(request: FastifyRequest): string | undefined {
  const { workload, headers } = request as FastifyRequest & {
    readonly workload?: { readonly boundTokens: { readonly txnToken: boolean } } | null
  }
  const txnToken = headers['txn-token']
  return workload?.boundTokens.txnToken === true && typeof txnToken === 'string' ? txnToken : undefined
}
