import type { FastifyRequest } from 'fastify'
import {
  AuthenticationError,
  type AuthenticationErrorCode,
  challengesFor,
  type PresentedTokens,
  readAuthorization,
  type Revision,
} from 'wimse'

/** Header fields as they came, counted before anyone looks into them. */
type Fields = (name: string) => readonly string[]

/**
 * Reads which tokens a request carries, exactly one of each.
 *
 * This does NOT look into any token. It counts in `rawHeaders`, because `headers` joins some repeated
 * fields with ', ' and keeps only the first of others.
 *
 * @throws AuthenticationError `WIMSE_WIT_MISSING`, `_REPEATED`, `WIMSE_WPT_MISSING`, `_REPEATED`,
 *   `WIMSE_TARGET_INVALID`; `WIMSE_WPT_ACCESS_TOKEN_HASH`, `WIMSE_WPT_TXN_TOKEN_HASH` for a token that is
 *   there twice
 */
export function readPresentedTokens(request: FastifyRequest, accepted: readonly Revision[]): PresentedTokens {
  const { rawHeaders } = request.raw
  refuseHiddenFields(request)
  const fields = readFields(rawHeaders)
  if (fields('host').length > 1) {
    throw new AuthenticationError('WIMSE_TARGET_INVALID', {
      reason: 'the request has more than one Host field',
    })
  }
  const carriage = readCarriage(fields, accepted)
  const [wit, ...furtherWits] = fields('workload-identity-token')
  if (furtherWits.length > 0) throw refuse('WIMSE_WIT_REPEATED', 'the request has more than one WIT')
  const { wpt, revision } = carriage
  if (wit === undefined && (wpt !== undefined || accepted.includes('wpt-01'))) {
    throw refuse('WIMSE_WIT_MISSING', 'the request has no Workload-Identity-Token field')
  }
  if (wit === undefined || wpt === undefined) {
    throw refuse('WIMSE_WPT_MISSING', 'the request has no proof in a carriage accepted here', revision)
  }
  const [txnToken, ...furtherTxnTokens] = fields('txn-token')
  if (furtherTxnTokens.length > 0) {
    throw refuse('WIMSE_WPT_TXN_TOKEN_HASH', 'the request has more than one Txn-Token field', revision)
  }
  return {
    wit,
    wpt,
    revision,
    path: request.originalUrl,
    accessToken: carriage.accessToken,
    txnToken,
    header: fields,
  }
}

/** Takes the tokens off a request whose sender is known, so that nothing downstream can pass them on. */
export function stripTokens(request: FastifyRequest, revision: Revision | null): void {
  const names = ['workload-identity-token', revision === 'wpt-02' ? 'authorization' : 'workload-proof-token']
  const { headers, headersDistinct, rawHeaders } = request.raw
  for (const name of names) {
    delete headers[name]
    // Undefined on HTTP/2 and under inject().
    delete (headersDistinct as typeof headersDistinct | undefined)?.[name]
  }
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (names.includes(rawHeaders[i]!.toLowerCase())) rawHeaders.splice(i, 2)
  }
}

interface Carriage {
  /** Undefined when there is none in a carriage accepted here. */
  readonly wpt: string | undefined
  readonly revision: Revision
  readonly accessToken: string | undefined
}

function readCarriage(fields: Fields, accepted: readonly Revision[]): Carriage {
  const inField = fields('workload-proof-token')
  const values = fields('authorization')
  const authorizations = values.map(readAuthorization)
  const inAuthorization = authorizations.filter(({ scheme }) => scheme === 'wpt')
  const revision: Revision =
    inField.length === 0 && (inAuthorization.length > 0 || !accepted.includes('wpt-01')) ? 'wpt-02' : 'wpt-01'
  const proofs = inField.length + inAuthorization.length
  if (proofs > 1 || (inAuthorization.length > 0 && authorizations.length > 1)) {
    throw refuse('WIMSE_WPT_REPEATED', 'the request has more than one proof or Authorization field', revision)
  }
  if (authorizations.length > 1) {
    throw refuse('WIMSE_WPT_ACCESS_TOKEN_HASH', 'the request has more than one Authorization field', revision)
  }
  if (values.some((value) => /[^\t\x20-\x7e]/.test(value))) {
    // Another reader may take such a character for the space behind a scheme, and see a token where we do not.
    throw refuse('WIMSE_WPT_ACCESS_TOKEN_HASH', 'the Authorization field is not printable ASCII', revision)
  }
  const wpt = inField[0] ?? inAuthorization[0]?.credentials
  return {
    wpt: accepted.includes(revision) ? wpt : undefined,
    revision: accepted.includes(revision) ? revision : accepted[0]!,
    accessToken: authorizations[0]?.accessToken,
  }
}

/**
 * Past a number of fields Node drops the rest: without a word on Node 20, where a second token could hide.
 */
function refuseHiddenFields(request: FastifyRequest): void {
  const { maxHeadersCount } = request.server.server as { maxHeadersCount?: number | null }
  const most = maxHeadersCount || 1000
  if (request.raw.rawHeaders.length < 2 * most) return
  throw new AuthenticationError('WIMSE_TARGET_INVALID', {
    reason: 'the request has as many header fields as Node reports, so more may be hidden',
    expected: `fewer than ${most}`,
    received: request.raw.rawHeaders.length / 2,
  })
}

function readFields(rawHeaders: readonly string[]): Fields {
  const fields = new Map<string, string[]>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const values = fields.get(name)
    if (values === undefined) fields.set(name, [rawHeaders[i + 1]!])
    else values.push(rawHeaders[i + 1]!)
  }
  return (name) => fields.get(name) ?? []
}

function refuse(code: AuthenticationErrorCode, reason: string, revision?: Revision): AuthenticationError {
  const challenges = revision === undefined ? [] : challengesFor(code, revision)
  return new AuthenticationError(code, { reason, challenges })
}
