import type { AuthenticationErrorCode } from '../codes.js'

/** One rule of the road: what must hold, what the answer is when it does not, and where it is written. */
export interface Rule {
  /** What must hold, as a statement. */
  readonly title: string
  /** What the caller is told when it does not. */
  readonly code: AuthenticationErrorCode
  /** Document and section. */
  readonly section: string
}

const rule = (code: AuthenticationErrorCode, section: string, title: string): Rule => ({
  title,
  code,
  section,
})

const CREDS = 'workload-creds-02 §5.1'
const PROOF = 'wpt-01 §2'

/** Name of a check; stable. */
export type CheckId =
  | 'fields.all'
  | 'fields.host'
  | 'proof.single'
  | 'authorization.single'
  | 'wit.single'
  | 'wit.present'
  | 'proof.present'
  | 'txn-token.single'
  | 'target'
  | 'tokens.size'
  | 'wit.shape'
  | 'wit.critical'
  | 'wit.type'
  | 'wit.algorithm'
  | 'wit.subject'
  | 'wit.trust-domain'
  | 'wit.domain-algorithm'
  | 'wit.svid-key-id'
  | 'wit.svid-audience'
  | 'wit.issuer'
  | 'wit.lifetime'
  | 'wit.not-before-form'
  | 'wit.expiry'
  | 'wit.not-before'
  | 'wit.key'
  | 'wit.signature'
  | 'wit.confirmation'
  | 'proof.shape'
  | 'proof.critical'
  | 'proof.type'
  | 'proof.algorithm'
  | 'proof.confirmed-algorithm'
  | 'proof.expiry-form'
  | 'proof.expiry'
  | 'proof.not-before'
  | 'proof.lifetime'
  | 'proof.identifier'
  | 'proof.audience'
  | 'proof.wit-hash'
  | 'proof.access-token'
  | 'proof.txn-token'
  | 'proof.other-tokens'
  | 'proof.signature'
  | 'revocation'
  | 'replay'

/**
 * Every check of a request, in the order in which a service makes them: the first one that fails is the one
 * it answers with.
 */
export const RULES: Readonly<Record<CheckId, Rule>> = {
  'fields.all': rule('WIMSE_TARGET_INVALID', 'this suite', 'No header field can be hidden by a limit'),
  'fields.host': rule('WIMSE_TARGET_INVALID', 'RFC 9112 §3.2', 'Host is there at most once'),
  'proof.single': rule('WIMSE_WPT_REPEATED', 'wpt-01 §2', 'The proof is there at most once, in one place'),
  'authorization.single': rule(
    'WIMSE_WPT_ACCESS_TOKEN_HASH',
    'RFC 9110 §11.6.2',
    'Authorization is there at most once, in printable ASCII',
  ),
  'wit.single': rule('WIMSE_WIT_REPEATED', 'workload-creds-02 §5.1.1', 'The WIT is there at most once'),
  'wit.present': rule('WIMSE_WIT_MISSING', 'workload-creds-02 §5.1.1', 'The WIT is there'),
  'proof.present': rule('WIMSE_WPT_MISSING', PROOF, 'The proof is there, in a carriage accepted here'),
  'txn-token.single': rule('WIMSE_WPT_TXN_TOKEN_HASH', PROOF, 'Txn-Token is there at most once'),
  target: rule('WIMSE_TARGET_INVALID', 'RFC 9112 §3.2.1', 'The request target reads alike to every reader'),
  'tokens.size': rule('WIMSE_TOKEN_TOO_LARGE', 'this suite', 'No token is longer than accepted'),

  'wit.shape': rule('WIMSE_WIT_MALFORMED', 'RFC 7515 §5.2', 'The WIT is one compact JWS with strict JSON'),
  'wit.critical': rule('WIMSE_WIT_CRITICAL', 'RFC 7515 §4.1.11', 'The WIT demands no extension'),
  'wit.type': rule('WIMSE_WIT_TYPE', CREDS, 'The type of the WIT is wit+jwt'),
  'wit.algorithm': rule('WIMSE_WIT_ALGORITHM', CREDS, 'The algorithm of the WIT is accepted'),
  'wit.subject': rule('WIMSE_WIT_SUBJECT', 'identifier-03 §4', 'The subject is a workload identifier'),
  'wit.trust-domain': rule('WIMSE_WIT_TRUST_DOMAIN', CREDS, 'The trust domain of the subject is accepted'),
  'wit.domain-algorithm': rule(
    'WIMSE_WIT_ALGORITHM',
    CREDS,
    'The algorithm of the WIT is accepted for its trust domain',
  ),
  'wit.svid-key-id': rule('WIMSE_WIT_KEY', 'SPIFFE WIT-SVID', 'A WIT-SVID names its key'),
  'wit.svid-audience': rule('WIMSE_WIT_MALFORMED', 'SPIFFE WIT-SVID', 'A WIT-SVID has no audience'),
  'wit.issuer': rule('WIMSE_WIT_ISSUER', CREDS, 'The issuer may speak for the trust domain'),
  'wit.lifetime': rule('WIMSE_WIT_LIFETIME', CREDS, 'The WIT has an expiry, and not too far ahead'),
  'wit.not-before-form': rule('WIMSE_WIT_NOT_YET_VALID', 'RFC 7519 §4.1.5', 'nbf of the WIT is a number'),
  'wit.expiry': rule('WIMSE_WIT_EXPIRED', 'RFC 7519 §4.1.4', 'The WIT has not expired'),
  'wit.not-before': rule('WIMSE_WIT_NOT_YET_VALID', 'RFC 7519 §4.1.5', 'The WIT is valid already'),
  'wit.key': rule('WIMSE_WIT_KEY', CREDS, 'One key of the trust domain fits the WIT'),
  'wit.signature': rule('WIMSE_WIT_SIGNATURE', CREDS, 'The identity server signed the WIT'),
  'wit.confirmation': rule('WIMSE_WIT_CONFIRMATION', 'RFC 7800 §3.2', 'The WIT names one usable public key'),

  'proof.shape': rule(
    'WIMSE_WPT_MALFORMED',
    'RFC 7515 §5.2',
    'The proof is one compact JWS with strict JSON',
  ),
  'proof.critical': rule('WIMSE_WPT_CRITICAL', 'RFC 7515 §4.1.11', 'The proof demands no extension'),
  'proof.type': rule('WIMSE_WPT_TYPE', PROOF, 'The type of the proof is wpt+jwt'),
  'proof.algorithm': rule('WIMSE_WPT_ALGORITHM', PROOF, 'The algorithm of the proof is accepted'),
  'proof.confirmed-algorithm': rule(
    'WIMSE_WPT_ALGORITHM',
    PROOF,
    'The algorithm of the proof is that of the key in the WIT',
  ),
  'proof.expiry-form': rule('WIMSE_WPT_LIFETIME', PROOF, 'The proof has an expiry'),
  'proof.expiry': rule('WIMSE_WPT_EXPIRED', PROOF, 'The proof has not expired'),
  'proof.not-before': rule('WIMSE_WPT_NOT_YET_VALID', 'RFC 7519 §4.1.5', 'The proof is valid already'),
  'proof.lifetime': rule('WIMSE_WPT_LIFETIME', PROOF, 'The proof expires soon enough'),
  'proof.identifier': rule('WIMSE_WPT_JTI', PROOF, 'The proof has an identifier'),
  'proof.audience': rule('WIMSE_WPT_AUDIENCE', 'wpt-01 §3.1.7', 'The proof was made for this target'),
  'proof.wit-hash': rule('WIMSE_WPT_WIT_HASH', PROOF, 'The proof was made for this WIT'),
  'proof.access-token': rule(
    'WIMSE_WPT_ACCESS_TOKEN_HASH',
    PROOF,
    'The proof covers the access token of the request',
  ),
  'proof.txn-token': rule(
    'WIMSE_WPT_TXN_TOKEN_HASH',
    PROOF,
    'The proof covers the transaction token of the request',
  ),
  'proof.other-tokens': rule(
    'WIMSE_WPT_OTHER_TOKEN_HASH',
    PROOF,
    'The proof covers the other tokens of the request',
  ),
  'proof.signature': rule('WIMSE_WPT_SIGNATURE', PROOF, 'The key in the WIT signed the proof'),
  revocation: rule('WIMSE_WIT_REVOKED', 'this suite', 'The workload has not been revoked'),
  replay: rule('WIMSE_WPT_REPLAYED', PROOF, 'The proof was never used before'),
}
