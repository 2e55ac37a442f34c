/**
 * The identity server of the demo: signs identity tokens for the workloads of one trust domain.
 *
 * @module
 */
export type { AuditDestination } from './audit-log.js'
export { createIdentityServer, type IdentityServerOptions } from './identity-server.js'
