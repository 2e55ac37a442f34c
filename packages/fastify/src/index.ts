/**
 * Fastify plugin that knows which workload is calling.
 *
 * @module
 */
export type { Adoption, CallerAdoption, CredentialUse, RouteAdoption } from './adoption.js'
export type { WimseOptions } from './guard.js'
export { type WimseControl, wimse, wimse as default, workloadOf } from './plugin.js'
export type { WimseAllowRule, WimseMode, WimseRouteOptions } from './route-config.js'
export {
  accessTokens,
  type AlgorithmName,
  type AllowPredicate,
  type AllowRule,
  type AudienceOptions,
  AuthenticationError,
  type AuthenticationErrorCode,
  type AuthenticatorOptions,
  AuthorizationError,
  type AuthorizationErrorCode,
  type BearerOptions,
  type BoundTokens,
  type CallerMemory,
  createTrustBundleSource,
  type Diagnostics,
  type InteropOptions,
  jwtSvids,
  kubernetesServiceAccounts,
  memberOf,
  memoryCallerMemory,
  memoryReplayStore,
  redactPaths,
  type ReplayAnswer,
  type ReplayStore,
  type Revision,
  type TransitionOptions,
  type StoreFailurePolicy,
  type TrustBundle,
  type TrustBundleSource,
  type TrustBundleSourceOptions,
  type TrustDomainOptions,
  type TrustEvent,
  UnavailableError,
  type UnavailableErrorCode,
  under,
  type Workload,
} from 'wimse'
