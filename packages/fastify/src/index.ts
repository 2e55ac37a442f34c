/**
 * Fastify plugin that knows which workload is calling.
 *
 * @module
 */
export type { WimseOptions } from './guard.js'
export { type WimseControl, wimse, wimse as default, workloadOf } from './plugin.js'
export type { WimseAllowRule, WimseMode, WimseRouteOptions } from './route-config.js'
export {
  type AllowPredicate,
  type AllowRule,
  AuthenticationError,
  AuthorizationError,
  memberOf,
  memoryReplayStore,
  redactPaths,
  type ReplayStore,
  type Revision,
  type TrustDomainOptions,
  UnavailableError,
  under,
  type Workload,
} from 'wimse'
