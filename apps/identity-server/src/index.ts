/**
 * The identity server of the demo: signs identity tokens for the workloads of one trust domain.
 *
 * @module
 */
export { createIdentityServer, type IdentityServerOptions } from './identity-server.js'
