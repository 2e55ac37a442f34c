/**
 * Fastify plugin and `fetch` that prove which workload is calling.
 *
 * @module
 */
export { fileCredentials, type FileCredentialsOptions } from './credentials/file-credentials.js'
export {
  identityServerCredentials,
  type IdentityServerCredentialsOptions,
} from './credentials/identity-server-credentials.js'
export { staticCredentials } from './credentials/static-credentials.js'
export {
  type Dispatch,
  type DispatchHandler,
  type DispatchRequest,
  wimseInterceptor,
  type WimseInterceptor,
} from './interceptor.js'
export { wimseClient, wimseClient as default } from './plugin.js'
export type { RedirectPolicy } from './redirect.js'
export { expectServer } from './server-identity.js'
export type { SignerOptions } from './signer.js'
export type { TargetOptions } from './targets.js'
export { createWorkloadFetch, type WorkloadFetch, type WorkloadFetchOptions } from './workload-fetch.js'
export {
  type Credential,
  type CredentialEvent,
  type CredentialSource,
  redactPaths,
  SigningError,
} from 'wimse'
