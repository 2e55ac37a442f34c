/**
 * Workload identity tokens and workload proof tokens: what they say, and what must be true of them.
 *
 * {@link createAuthenticator} is the called side, {@link importCredential} and {@link signRequest} the
 * calling side, {@link issueWit} the identity server.
 *
 * @module
 */
export { type Authorization, readAuthorization } from './proof/authorization.js'
export { admit, type AdmissionPolicy, type PresentedCredential } from './access/admit.js'
export { type BearerVerifier, createBearerVerifier, REALM } from './access/bearer.js'
export type {
  BearerContext,
  BearerOptions,
  JwtBearerOptions,
  OpaqueBearerOptions,
} from './access/bearer-options.js'
export {
  accessTokens,
  type BearerPresetOptions,
  jwtSvids,
  kubernetesServiceAccounts,
} from './access/bearer-presets.js'
export { memoryCallerMemory, type MemoryCallerMemoryOptions } from './access/memory-caller-memory.js'
export {
  deprecationFields,
  readTransitionOptions,
  type Transition,
  type TransitionOptions,
  withRouteDates,
} from './access/transition.js'
export type { CallerMemory } from './access/caller-memory.js'
export {
  type AllowPredicate,
  type AllowRule,
  allow,
  compileAllowRule,
  memberOf,
  under,
} from './access/allow.js'
export { type Authenticator, createAuthenticator, type PresentedTokens } from './authenticate.js'
export {
  AUTHENTICATOR_OPTIONS,
  type AuthenticatorOptions,
  type InteropOptions,
  type TrustDomainOptions,
} from './authenticator-options.js'
export { type Clock, type Instant, systemClock } from './clock.js'
export type {
  AuthenticationErrorCode,
  AuthorizationErrorCode,
  SigningErrorCode,
  Stage,
  UnavailableErrorCode,
} from './codes.js'
export { createSignatureTurns, type SignatureCheck } from './crypto/signature-turns.js'
export { beforeDeadline, isPromise } from './deadline.js'
export {
  AuthenticationError,
  AuthorizationError,
  type Diagnostics,
  SigningError,
  UnavailableError,
  withoutTokens,
} from './errors.js'
export type { BoundTokens, Workload } from './identity/workload.js'
export { parseWorkloadIdentifier, type WorkloadIdentifier } from './identity/workload-identifier.js'
export type { AlgorithmName } from './jws/algorithms.js'
export type { ReplayMessage } from './observation/replay.js'
export { type SignMessage, tellUnsigned } from './observation/signing.js'
export { tellTrustEvent, type TrustMessage } from './observation/trust.js'
export {
  beginVerification,
  callerOf,
  noteCaller,
  tellAdmission,
  tellRefusal,
  type VerificationNotes,
  type VerifyMessage,
} from './observation/verification.js'
export {
  type NumberRange,
  readFieldNames,
  readFunction,
  readNumber,
  refuseUnknownOptions,
} from './options.js'
export { type JsonObject, parseJsonObject } from './jws/strict-json.js'
export {
  type Problem,
  type ProblemDocument,
  type ProblemOptions,
  problemFor,
  type RefusalError,
} from './problem.js'
export type { AudienceOptions } from './proof/audience.js'
export { memoryReplayStore, type MemoryReplayStoreOptions } from './replay/memory-replay-store.js'
export { redactPaths } from './redact-paths.js'
export { isSecureUrl } from './secure-url.js'
export type { ReplayAnswer, ReplayStore } from './replay/replay-store.js'
export type { StoreEvent, StoreFailurePolicy } from './replay/store-failure.js'
export { challengesFor, REVISIONS, type Revision } from './revisions.js'
export { type Credential, importCredential } from './signing/credential.js'
export type { CredentialEvent, CredentialSource } from './signing/credential-source.js'
export { issueWit, type IssueWitOptions } from './signing/issue-wit.js'
export {
  type HeaderFields,
  signRequest,
  type SignRequestOptions,
} from './signing/sign-request.js'
export { DEFAULT_PROOF_LIFETIME, signWpt, type WptOptions } from './signing/sign-wpt.js'
export {
  createWitRequest,
  LONGEST_WIT_REQUEST,
  type VerifiedWitRequest,
  verifyWitRequest,
  type WitRequest,
} from './signing/wit-request.js'
export { tell } from './tell.js'
export type {
  Confirmation,
  ConfirmationMethod,
  PossessionAlgorithm,
} from './trust/confirmed-key.js'
export type { ConfirmationOptions, KeyDirectory } from './trust/confirmation-options.js'
export { type ConfirmedMessage, verifyPossession } from './trust/possession.js'
export { resolveConfirmation } from './trust/resolve-confirmation.js'
export {
  createTrustBundleSource,
  type TrustBundleSource,
  type TrustBundleSourceOptions,
} from './trust/sources.js'
export { readCertificates } from './trust/certificates.js'
export { readTrustBundle, type TrustBundle, type TrustKey } from './trust/trust-bundle.js'
export type { TrustEvent } from './trust/trust-event.js'
export { readFileWithin } from './trust/read-file.js'
export { watchFile } from './trust/watch-file.js'
