/**
 * An identity server in a box, and requests with one fault: for testing routes that fastify-wimse protects.
 *
 * @module
 */
export { type Fault, faults, type GoodRequest, goodRequest } from './faults.js'
export { type FixedClock, fixedClock } from './fixed-clock.js'
export { generateTestKeyPair, type TestKeyPair } from './key-pair.js'
export { type Injectable, type InjectRequest, signedInject, type SignedRequest } from './signed-inject.js'
export {
  createTestIdentityServer,
  type IssueOptions,
  privateKeyOf,
  type TestIdentityServer,
} from './test-identity-server.js'
