import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { createWorkloadFetch, type WorkloadFetch, type WorkloadFetchOptions } from './workload-fetch.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** `fetch` for the configured targets, with this workload's identity and a new proof for each call. */
    workloadFetch: WorkloadFetch
  }
}

const register: FastifyPluginAsync<WorkloadFetchOptions> = async (app, options) => {
  app.decorate('workloadFetch', createWorkloadFetch(options))
  app.addHook('onReady', async () => {
    await options.credentials.current()
  })
  app.addHook('onClose', async () => options.credentials.close?.())
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
