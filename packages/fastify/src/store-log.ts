import cluster from 'node:cluster'
import type { FastifyBaseLogger } from 'fastify'
import type { ReplayStore, StoreEvent } from 'wimse'

/** Logs that requests came in without a replay check, which `onStoreFailure: 'allow'` asks for. */
export function logStoreEvents(log: FastifyBaseLogger): (event: StoreEvent) => void {
  return ({ requests, error: { code, diagnostics } }) => {
    log.warn({ requests, wimse: { code, ...diagnostics } }, 'requests let in without a replay check')
  }
}

/**
 * Warns when a service runs in several processes and each remembers used proofs for itself: a captured
 * request is then good once at each of the others.
 *
 * @param replicas how many the operator says there are; workers of node:cluster are noticed without
 */
export function warnOfSeparateStores(
  log: FastifyBaseLogger,
  store: ReplayStore | false,
  replicas: number,
): void {
  if (store === false || store.scope !== 'process') return
  const clusterWorker = cluster.isWorker
  if (replicas === 1 && !clusterWorker) return
  log.warn(
    { replicas, clusterWorker },
    'fastify-wimse: the replay store is in memory, so a captured request is good once in each of the other processes',
  )
}
