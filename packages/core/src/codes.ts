/** Where on the road of a request a refusal happened; for logs and metrics, never a secret. */
export type Stage = 'header' | 'wit' | 'proof' | 'replay' | 'trust' | 'bearer' | 'authorization' | 'signing'

/** Codes of {@link AuthenticationError}, in the order the rules are checked. */
export type AuthenticationErrorCode =
  | 'WIMSE_TARGET_INVALID'
  | 'WIMSE_WIT_MISSING'
  | 'WIMSE_WIT_REPEATED'
  | 'WIMSE_WPT_MISSING'
  | 'WIMSE_WPT_REPEATED'
  | 'WIMSE_TOKEN_TOO_LARGE'
  | 'WIMSE_WIT_MALFORMED'
  | 'WIMSE_WIT_CRITICAL'
  | 'WIMSE_WIT_TYPE'
  | 'WIMSE_WIT_ALGORITHM'
  | 'WIMSE_WIT_SUBJECT'
  | 'WIMSE_WIT_TRUST_DOMAIN'
  | 'WIMSE_WIT_KEY'
  | 'WIMSE_WIT_SIGNATURE'
  | 'WIMSE_WIT_ISSUER'
  | 'WIMSE_WIT_EXPIRED'
  | 'WIMSE_WIT_NOT_YET_VALID'
  | 'WIMSE_WIT_LIFETIME'
  | 'WIMSE_WIT_CONFIRMATION'
  | 'WIMSE_WIT_REVOKED'
  | 'WIMSE_WPT_MALFORMED'
  | 'WIMSE_WPT_CRITICAL'
  | 'WIMSE_WPT_TYPE'
  | 'WIMSE_WPT_ALGORITHM'
  | 'WIMSE_WPT_EXPIRED'
  | 'WIMSE_WPT_NOT_YET_VALID'
  | 'WIMSE_WPT_LIFETIME'
  | 'WIMSE_WPT_JTI'
  | 'WIMSE_WPT_AUDIENCE'
  | 'WIMSE_WPT_WIT_HASH'
  | 'WIMSE_WPT_ACCESS_TOKEN_HASH'
  | 'WIMSE_WPT_TXN_TOKEN_HASH'
  | 'WIMSE_WPT_OTHER_TOKEN_HASH'
  | 'WIMSE_WPT_SIGNATURE'
  | 'WIMSE_WPT_REPLAYED'
  | 'WIMSE_BEARER_MISSING'
  | 'WIMSE_BEARER_INVALID'
  | 'WIMSE_BEARER_REFUSED'
  | 'WIMSE_BEARER_SUNSET'

/** Codes of {@link UnavailableError}. */
export type UnavailableErrorCode =
  | 'WIMSE_REPLAY_STORE_UNAVAILABLE'
  | 'WIMSE_REPLAY_STORE_FULL'
  | 'WIMSE_TRUST_UNAVAILABLE'
  | 'WIMSE_CALLER_MEMORY_UNAVAILABLE'

/** Codes of {@link AuthorizationError}. */
export type AuthorizationErrorCode = 'WIMSE_WORKLOAD_FORBIDDEN'

/** Codes of {@link SigningError}. */
export type SigningErrorCode =
  | 'WIMSE_CREDENTIAL_MISSING'
  | 'WIMSE_CREDENTIAL_EXPIRED'
  | 'WIMSE_CREDENTIAL_MISMATCH'
  | 'WIMSE_TARGET_NOT_ALLOWED'
  | 'WIMSE_URL_INSECURE'
  | 'WIMSE_BEARER_CONFLICT'
  | 'WIMSE_HEADER_RESERVED'
  | 'WIMSE_BODY_CONSUMED'
  | 'WIMSE_SERVER_IDENTITY'

interface Refusal {
  readonly stage: Stage
  readonly status: number
  readonly title: string
}

const refusal = (stage: Stage, status: number, title: string): Refusal => ({ stage, status, title })

/**
 * Every refusal a caller can see, in the order the rules are checked.
 *
 * 400 and not 401 for WIT and proof: a 401 must carry `WWW-Authenticate`, which the specification
 * advises against (section 3.1). What differs in the `Authorization: WPT` carriage is in `revisions.ts`.
 */
export const REFUSALS: Readonly<Record<AuthenticationErrorCode, Refusal>> = {
  WIMSE_TARGET_INVALID: refusal('header', 400, 'The request target is not one a proof can name.'),
  WIMSE_WIT_MISSING: refusal('header', 400, 'The request carries no workload identity token.'),
  WIMSE_WIT_REPEATED: refusal('header', 400, 'The request carries more than one workload identity token.'),
  WIMSE_WPT_MISSING: refusal('header', 400, 'The request carries no workload proof token.'),
  WIMSE_WPT_REPEATED: refusal('header', 400, 'The request carries more than one workload proof token.'),
  WIMSE_TOKEN_TOO_LARGE: refusal('header', 400, 'A token in the request is longer than accepted here.'),

  WIMSE_WIT_MALFORMED: refusal('wit', 400, 'The workload identity token is not a well-formed JWT.'),
  WIMSE_WIT_CRITICAL: refusal('wit', 400, 'The workload identity token demands an unknown extension.'),
  WIMSE_WIT_TYPE: refusal('wit', 400, 'The workload identity token is not of type wit+jwt.'),
  WIMSE_WIT_ALGORITHM: refusal(
    'wit',
    400,
    'The workload identity token uses an algorithm not accepted here.',
  ),
  WIMSE_WIT_SUBJECT: refusal('wit', 400, 'The subject is not a workload identifier.'),
  WIMSE_WIT_TRUST_DOMAIN: refusal('wit', 400, 'The trust domain of the subject is not accepted here.'),
  WIMSE_WIT_KEY: refusal('wit', 400, 'No key of the trust domain fits the workload identity token.'),
  WIMSE_WIT_SIGNATURE: refusal('wit', 400, 'The signature of the workload identity token is not valid.'),
  WIMSE_WIT_ISSUER: refusal('wit', 400, 'The issuer may not speak for the trust domain.'),
  WIMSE_WIT_EXPIRED: refusal('wit', 400, 'The workload identity token has expired.'),
  WIMSE_WIT_NOT_YET_VALID: refusal('wit', 400, 'The workload identity token is not valid yet.'),
  WIMSE_WIT_LIFETIME: refusal('wit', 400, 'The workload identity token has no acceptable expiry.'),
  WIMSE_WIT_CONFIRMATION: refusal(
    'wit',
    400,
    'The workload identity token names no usable confirmation key.',
  ),
  WIMSE_WIT_REVOKED: refusal('wit', 403, 'The workload identity has been revoked.'),

  WIMSE_WPT_MALFORMED: refusal('proof', 400, 'The workload proof token is not a well-formed JWT.'),
  WIMSE_WPT_CRITICAL: refusal('proof', 400, 'The workload proof token demands an unknown extension.'),
  WIMSE_WPT_TYPE: refusal('proof', 400, 'The workload proof token is not of type wpt+jwt.'),
  WIMSE_WPT_ALGORITHM: refusal('proof', 400, 'The proof does not use the algorithm of the confirmation key.'),
  WIMSE_WPT_EXPIRED: refusal('proof', 400, 'The workload proof token has expired.'),
  WIMSE_WPT_NOT_YET_VALID: refusal('proof', 400, 'The workload proof token is not valid yet.'),
  WIMSE_WPT_LIFETIME: refusal('proof', 400, 'The workload proof token has no acceptable expiry.'),
  WIMSE_WPT_JTI: refusal('proof', 400, 'The workload proof token has no usable identifier.'),
  WIMSE_WPT_AUDIENCE: refusal('proof', 400, 'The proof was made for another target.'),
  WIMSE_WPT_WIT_HASH: refusal('proof', 400, 'The proof was made for another workload identity token.'),
  WIMSE_WPT_ACCESS_TOKEN_HASH: refusal('proof', 400, 'The proof does not cover the access token.'),
  WIMSE_WPT_TXN_TOKEN_HASH: refusal('proof', 400, 'The proof does not cover the transaction token.'),
  WIMSE_WPT_OTHER_TOKEN_HASH: refusal('proof', 400, 'The proof does not cover the other tokens as sent.'),
  WIMSE_WPT_SIGNATURE: refusal('proof', 400, 'The signature of the workload proof token is not valid.'),

  WIMSE_WPT_REPLAYED: refusal('replay', 400, 'The workload proof token has been used before.'),

  WIMSE_BEARER_MISSING: refusal('bearer', 401, 'The request carries no credential.'),
  WIMSE_BEARER_INVALID: refusal('bearer', 401, 'The bearer token is not accepted.'),
  WIMSE_BEARER_REFUSED: refusal('bearer', 403, 'The workload has to show its identity token by now.'),
  WIMSE_BEARER_SUNSET: refusal('bearer', 403, 'Bearer tokens are not taken here any more.'),
}

/** What stands in the way when nothing is wrong with the request: 503, and worth another try. */
export const OUTAGES: Readonly<Record<UnavailableErrorCode, Refusal>> = {
  WIMSE_REPLAY_STORE_UNAVAILABLE: refusal('replay', 503, 'Replays cannot be ruled out right now.'),
  WIMSE_REPLAY_STORE_FULL: refusal('replay', 503, 'There is no room to remember another proof right now.'),
  WIMSE_TRUST_UNAVAILABLE: refusal('trust', 503, 'The keys of the trust domain are not available right now.'),
  WIMSE_CALLER_MEMORY_UNAVAILABLE: refusal(
    'bearer',
    503,
    'Nobody can tell right now whether the workload may still use a bearer token.',
  ),
}

/** The caller proved who it is, and may not. */
export const DENIALS: Readonly<Record<AuthorizationErrorCode, Refusal>> = {
  WIMSE_WORKLOAD_FORBIDDEN: refusal('authorization', 403, 'The workload may not do this.'),
}

/** What stops a call before anything is sent. */
export const SIGNING_FAULTS: Readonly<Record<SigningErrorCode, string>> = {
  WIMSE_CREDENTIAL_MISSING: 'There is no credential to sign with.',
  WIMSE_CREDENTIAL_EXPIRED: 'The credential has expired.',
  WIMSE_CREDENTIAL_MISMATCH: 'The key is not the one the workload identity token names.',
  WIMSE_TARGET_NOT_ALLOWED: 'The URL is not one of the targets this client may send its identity to.',
  WIMSE_URL_INSECURE: 'The URL is not https.',
  WIMSE_BEARER_CONFLICT: 'An Authorization header cannot travel beside a proof in this revision.',
  WIMSE_HEADER_RESERVED: 'The request sets a header that only the signer may set.',
  WIMSE_BODY_CONSUMED: 'The body has been read and cannot be sent again.',
  WIMSE_SERVER_IDENTITY: 'The server is not the workload it should be.',
}
