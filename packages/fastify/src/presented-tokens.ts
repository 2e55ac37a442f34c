import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import {
  type Authorization,
  AuthenticationError,
  type AuthenticationErrorCode,
  challengesFor,
  type PresentedCredential,
  type PresentedTokens,
  readAuthorization,
  REALM,
  type Revision,
} from 'wimse'
import type { WimseMode } from './route-config.js'

/** What a request carries to show who sent it. */
export interface Presented {
  /** What decides. */
  readonly credential: PresentedCredential
  /** A WIT and a proof that came along where a bearer token decides; what is wrong with them decides nothing. */
  readonly dryRun: (() => PresentedTokens) | null
}

/** Header fields as they came, counted before anyone looks into them. */
type Fields = (name: string) => readonly string[]

/**
 * Chooses the credential of a request by which header fields came, before anyone is authenticated: where
 * there is any sign of a WIT or a proof it is that, and a bearer token beside it does not matter.
 *
 * This does NOT look into any token. It counts in `rawHeaders`, because `headers` joins some repeated
 * fields with ', ' and keeps only the first of others.
 *
 * @throws AuthenticationError `WIMSE_WIT_MISSING`, `_REPEATED`, `WIMSE_WPT_MISSING`, `_REPEATED`,
 *   `WIMSE_TARGET_INVALID`, `WIMSE_BEARER_MISSING`; `WIMSE_WPT_ACCESS_TOKEN_HASH`,
 *   `WIMSE_WPT_TXN_TOKEN_HASH`, `WIMSE_BEARER_INVALID` for a token that is there twice
 */
export function readPresented(
  request: FastifyRequest,
  mode: Exclude<WimseMode, 'off'>,
  accepted: readonly Revision[],
): Presented {
  giveRawHeaders(request.raw)
  refuseHiddenFields(request)
  const fields = readFields(request.raw)
  if (fields('host').length > 1) {
    throw new AuthenticationError('WIMSE_TARGET_INVALID', {
      reason: 'the request has more than one Host field',
    })
  }
  const tokens = (): PresentedTokens => readTokens(request, fields, accepted)
  // Where a WIT is required nothing depends on whether there is a sign of one.
  const hasSign = mode === 'required' || showsWorkload(fields)
  if (hasSign && mode !== 'bearer') {
    return { credential: { via: 'wit', tokens: tokens() }, dryRun: null }
  }
  const token = readBearerToken(fields, mode, accepted)
  return { credential: { via: 'bearer', token }, dryRun: hasSign ? tokens : null }
}

/** Takes the tokens off a request whose sender is known, so that nothing downstream can pass them on. */
export function stripTokens(request: FastifyRequest, revision: Revision | null): void {
  const proofField = revision === 'wpt-02' ? 'authorization' : 'workload-proof-token'
  const { raw, headers } = request
  const { rawHeaders } = raw
  delete raw.headers['workload-identity-token']
  delete raw.headers[proofField]
  if (headers !== raw.headers) {
    // An earlier hook has set them: what it set stands over what came.
    const { 'workload-identity-token': _wit, [proofField]: _proof, ...others } = headers
    request.headers = others
  }
  let kept = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!]
    if (isField(name, 'workload-identity-token') || isField(name, proofField)) continue
    rawHeaders[kept++] = name
    rawHeaders[kept++] = value
  }
  rawHeaders.length = kept
  // Not there on HTTP/2 and under inject().
  if ('headersDistinct' in raw) {
    // What was made of all fields goes; who holds on to it has the tokens anyway.
    raw.headersDistinct = undefined as never
    Object.defineProperty(raw, 'headersDistinct', DISTINCT_OF_RAW)
  }
}

/** `headersDistinct` as Node makes it when it is asked for, but of the raw fields that are left. */
const DISTINCT_OF_RAW = {
  configurable: true,
  get(this: IncomingMessage): NodeJS.Dict<string[]> {
    const distinct: Record<string, string[]> = Object.create(null)
    for (let i = 0; i < this.rawHeaders.length; i += 2) {
      ;(distinct[this.rawHeaders[i]!.toLowerCase()] ??= []).push(this.rawHeaders[i + 1]!)
    }
    this.headersDistinct = distinct
    return distinct
  },
  set(this: IncomingMessage, value: NodeJS.Dict<string[]>): void {
    Object.defineProperty(this, 'headersDistinct', { value, writable: true, configurable: true })
  },
}

/** Any field of a WIT or a proof counts, also an empty one, and in whatever revision. */
function showsWorkload(fields: Fields): boolean {
  return (
    fields('workload-identity-token').length > 0 ||
    fields('workload-proof-token').length > 0 ||
    fields('authorization').some((value) => readAuthorization(value).scheme === 'wpt')
  )
}

function readBearerToken(fields: Fields, mode: WimseMode, accepted: readonly Revision[]): string {
  const [authorization, ...further] = fields('authorization')
  if (further.length > 0 || (authorization !== undefined && !isPrintable(authorization))) {
    throw new AuthenticationError('WIMSE_BEARER_INVALID', {
      reason: 'the request has more than one Authorization field, or one that is not printable ASCII',
      challenges: [`Bearer realm="${REALM}", error="invalid_token"`],
    })
  }
  const { scheme, credentials } = readAuthorization(authorization ?? '')
  if (scheme === 'bearer') return credentials
  const proof =
    mode === 'transition' ? accepted.flatMap((one) => challengesFor('WIMSE_WPT_MISSING', one)) : []
  throw new AuthenticationError('WIMSE_BEARER_MISSING', {
    reason: 'the request has no bearer token',
    challenges: [...proof, `Bearer realm="${REALM}"`],
  })
}

function readTokens(request: FastifyRequest, fields: Fields, accepted: readonly Revision[]): PresentedTokens {
  const { wpt, revision, accessToken } = readCarriage(fields, accepted)
  const [wit, ...furtherWits] = fields('workload-identity-token')
  if (furtherWits.length > 0) throw refuse('WIMSE_WIT_REPEATED', 'the request has more than one WIT')
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
  return { wit, wpt, revision, path: request.originalUrl, accessToken, txnToken, header: fields }
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
  const came: Revision =
    inField.length === 0 && (inAuthorization.length > 0 || !accepted.includes('wpt-01')) ? 'wpt-02' : 'wpt-01'
  // Whatever came, the caller is told of a carriage that is accepted here.
  const isAccepted = accepted.includes(came)
  const revision = isAccepted ? came : accepted[0]!
  refuseRepeated(inField, inAuthorization, authorizations, revision)
  if (!values.every(isPrintable)) {
    throw refuse('WIMSE_WPT_ACCESS_TOKEN_HASH', 'the Authorization field is not printable ASCII', revision)
  }
  const wpt = inField[0] ?? inAuthorization[0]?.credentials
  return { wpt: isAccepted ? wpt : undefined, revision, accessToken: authorizations[0]?.accessToken }
}

function refuseRepeated(
  inField: readonly string[],
  inAuthorization: readonly Authorization[],
  authorizations: readonly Authorization[],
  revision: Revision,
): void {
  const proofs = inField.length + inAuthorization.length
  if (proofs > 1 || (inAuthorization.length > 0 && authorizations.length > 1)) {
    throw refuse('WIMSE_WPT_REPEATED', 'the request has more than one proof or Authorization field', revision)
  }
  if (authorizations.length > 1) {
    throw refuse('WIMSE_WPT_ACCESS_TOKEN_HASH', 'the request has more than one Authorization field', revision)
  }
}

/** Another reader may take any other character for the space behind a scheme, and see a token where we do not. */
function isPrintable(value: string): boolean {
  return !/[^\t\x20-\x7e]/.test(value)
}

/** For a request that no server read: `injectWS()` of @fastify/websocket makes its own, without rawHeaders. */
function giveRawHeaders(raw: IncomingMessage): void {
  if ((raw.rawHeaders as string[] | undefined) !== undefined) return
  raw.rawHeaders = Object.entries(raw.headers).flatMap(([name, values]) =>
    [values ?? []].flat().flatMap((value) => [name, value]),
  )
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

function readFields({ rawHeaders, httpVersionMajor }: IncomingMessage): Fields {
  return (name) => {
    const values: string[] = []
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (isField(rawHeaders[i]!, name)) values.push(rawHeaders[i + 1]!)
    }
    // HTTP/2 may send the one Cookie field in pieces: RFC 9113, section 8.2.3.
    return name === 'cookie' && httpVersionMajor === 2 && values.length > 1 ? [values.join('; ')] : values
  }
}

/** Of the few names that are asked for, most are not there, and most that are there have another length. */
function isField(other: string, name: string): boolean {
  return other.length === name.length && other.toLowerCase() === name
}

function refuse(code: AuthenticationErrorCode, reason: string, revision?: Revision): AuthenticationError {
  const challenges = revision === undefined ? [] : challengesFor(code, revision)
  return new AuthenticationError(code, { reason, challenges })
}
