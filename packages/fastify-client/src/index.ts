/**
 * Fastify plugin and `fetch` that prove which workload is calling.
 *
 * @module
 */
export { type CredentialSource, staticCredentials } from './credential-source.js'
export { wimseClient, wimseClient as default } from './plugin.js'
export type { TargetOptions } from './targets.js'
export { createWorkloadFetch, type WorkloadFetch, type WorkloadFetchOptions } from './workload-fetch.js'
export { type Credential, redactPaths, SigningError } from 'wimse'
