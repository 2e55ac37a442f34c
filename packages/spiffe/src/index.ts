/**
 * Credentials and trust bundles from the SPIFFE Workload API, for the WIT profile of SPIFFE.
 *
 * @module
 */
export { spiffeBundles, type SpiffeBundlesOptions } from './spiffe-bundles.js'
export { spiffeCredentials, type SpiffeCredentialsOptions } from './spiffe-credentials.js'
