import type {
  AuthenticationErrorCode,
  AuthorizationErrorCode,
  SigningErrorCode,
  UnavailableErrorCode,
} from 'wimse'

/** Every code that a user of the command can come across. */
export type KnownCode =
  | AuthenticationErrorCode
  | AuthorizationErrorCode
  | UnavailableErrorCode
  | SigningErrorCode

/** What the calling side does about each code. A code without a cure does not compile. */
const CURES: Readonly<Record<KnownCode, string>> = {
  WIMSE_TARGET_INVALID:
    'Call the path as it is, in origin form: no dot segments, backslash or fragment, and one Host field.',
  WIMSE_WIT_MISSING:
    'Send the WIT in Workload-Identity-Token; `wimse wpt sign` prints both fields. Authorization: Bearer does not count.',
  WIMSE_WIT_REPEATED: 'Send one Workload-Identity-Token; a proxy on the way may have added its own.',
  WIMSE_WPT_MISSING:
    'Send a proof by a carriage that the service accepts: try --revision wpt-02, or wpt-01, the other one.',
  WIMSE_WPT_REPEATED: 'Send one proof, in Workload-Proof-Token or in Authorization, and not in both.',
  WIMSE_TOKEN_TOO_LARGE: 'Ask for a WIT with fewer claims, or the service to raise maxTokenBytes.',
  WIMSE_WIT_MALFORMED:
    'Look for a line break, a quote or a lost end in the token: it has to arrive as it was issued.',
  WIMSE_WIT_CRITICAL: 'Ask the identity server for tokens without crit in their header.',
  WIMSE_WIT_TYPE:
    'This token is of another kind: an access token or an X.509 or JWT-SVID is no WIT. Ask for one with typ wit+jwt.',
  WIMSE_WIT_ALGORITHM: 'Sign WITs with an algorithm that the service accepts, such as ES256.',
  WIMSE_WIT_SUBJECT:
    'Issue the WIT for an identifier in its one spelling: scheme and trust domain in lower case, no trailing slash.',
  WIMSE_WIT_TRUST_DOMAIN:
    'The service has to list scheme and trust domain of the subject in trustDomains; wimse:// and spiffe:// are two.',
  WIMSE_WIT_KEY:
    'Compare kid and alg of the WIT with the key set the service uses; exactly one key has to fit.',
  WIMSE_WIT_SIGNATURE:
    'The WIT was changed, or signed by a key that only shares its kid: fetch a new WIT, and the key set anew.',
  WIMSE_WIT_ISSUER: 'Compare iss of the WIT with issuer of the trust domain in the service.',
  WIMSE_WIT_EXPIRED: 'Fetch a new WIT; if it is new, compare the clocks.',
  WIMSE_WIT_NOT_YET_VALID: 'Wait until nbf, or compare the clocks of identity server and service.',
  WIMSE_WIT_LIFETIME: 'Issue the WIT with an exp that is a number and no further ahead than a day.',
  WIMSE_WIT_CONFIRMATION:
    'Issue the WIT with cnf.jwk: one public key with its alg, RSA of 2048 bits or more, no private members.',
  WIMSE_WIT_REVOKED: 'The operator has revoked this workload: ask there.',
  WIMSE_WPT_MALFORMED:
    'Look for a line break, a quote or a lost end in the proof: it has to arrive as it was signed.',
  WIMSE_WPT_CRITICAL: 'Sign proofs without crit in their header.',
  WIMSE_WPT_TYPE: 'Send a proof with typ wpt+jwt; this may be a token in the place of another.',
  WIMSE_WPT_ALGORITHM:
    'Sign with the algorithm that cnf.jwk of the WIT names, letter for letter: EdDSA and Ed25519 are two names.',
  WIMSE_WPT_EXPIRED: 'Sign right before each request; if you do, compare the clocks.',
  WIMSE_WPT_NOT_YET_VALID: 'Compare the clocks; a proof needs no nbf.',
  WIMSE_WPT_LIFETIME: 'Give proofs an exp of a minute or so, five at most.',
  WIMSE_WPT_JTI: 'Give each proof a jti of its own, of 1 to 256 characters.',
  WIMSE_WPT_AUDIENCE:
    'Sign for the URL by which the service knows itself; behind a gateway that may be another: see --audience.',
  WIMSE_WPT_WIT_HASH: 'Sign a new proof whenever the WIT is renewed, and send both together.',
  WIMSE_WPT_ACCESS_TOKEN_HASH:
    'Sign with --access-token-file for the token that is sent, and without it when none is.',
  WIMSE_WPT_TXN_TOKEN_HASH:
    'Sign with --txn-token-file for the token that is sent, and without it when none is.',
  WIMSE_WPT_OTHER_TOKEN_HASH:
    'Cover each token field of the request with --other-token, as it is sent, and no field that is not.',
  WIMSE_WPT_SIGNATURE: 'Sign with the private key whose public half is cnf.jwk of this WIT.',
  WIMSE_WPT_REPLAYED: 'Sign anew for each attempt: a proof is good once. Look for a retry below the signer.',
  WIMSE_BEARER_MISSING: 'Send a WIT with a proof, or a bearer token as long as the route takes one.',
  WIMSE_BEARER_INVALID: 'Fetch a new access token for this audience; a WIT is none.',
  WIMSE_BEARER_REFUSED: 'This workload has shown a WIT before: send WIT and proof, not a bearer token.',
  WIMSE_BEARER_SUNSET: 'The date for bearer tokens has passed: send WIT and proof.',
  WIMSE_WORKLOAD_FORBIDDEN: 'The workload is known and may not: its operator has to allow it for this route.',
  WIMSE_REPLAY_STORE_UNAVAILABLE:
    'Try again with a new proof; the replay store of the service did not answer.',
  WIMSE_REPLAY_STORE_FULL: 'Try again later with a new proof; the replay store of the service is full.',
  WIMSE_TRUST_UNAVAILABLE: 'Try again with a new proof; the service has no keys of the trust domain now.',
  WIMSE_CALLER_MEMORY_UNAVAILABLE: 'Try again, or send WIT and proof, which need no memory.',
  WIMSE_CREDENTIAL_MISSING: 'Give a WIT and its key.',
  WIMSE_CREDENTIAL_EXPIRED: 'Fetch a new WIT; nothing was sent.',
  WIMSE_CREDENTIAL_MISMATCH: 'Give the WIT together with the private key it was issued for.',
  WIMSE_TARGET_NOT_ALLOWED: 'Give an absolute https URL without user information.',
  WIMSE_URL_INSECURE:
    'Use https: over http anybody on the way reads WIT and proof. Only loopback may do without.',
  WIMSE_BEARER_CONFLICT:
    'With wpt-02 the proof is the Authorization field; leave the access token out, or use wpt-01.',
  WIMSE_HEADER_RESERVED: 'Leave the Workload-* fields to wimse, and give each field to be covered once.',
  WIMSE_BODY_CONSUMED: 'Give the body again.',
  WIMSE_SERVER_IDENTITY: 'The server is not the workload it should be: do not send it anything.',
}

/** What to do about a code, in a sentence; null for a code of somebody else. */
export function cureOf(code: KnownCode): string
export function cureOf(code: string): string | null
export function cureOf(code: string): string | null {
  return Object.hasOwn(CURES, code) ? CURES[code as KnownCode] : null
}
