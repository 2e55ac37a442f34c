import {
  AuthenticationError,
  createAuthenticator,
  type JsonObject,
  parseWorkloadIdentifier,
  type TrustDomainOptions,
} from 'wimse'
import { explain } from 'wimse/explain'
import { checksOfWit, verdictOf } from '../check-report.js'
import { inputFailure } from '../failure.js'
import { publicHalf, type WrittenJwk } from '../key-files.js'
import { serverCrypto } from '../server-crypto.js'
import { compare, differing, type Outcome, skipped } from './outcome.js'

/** Formats whose keys are JWKs. The first one had bare bytes. */
const FORMATS: ReadonlySet<unknown> = new Set(
  [2, 3, 4, 5, 6].map((version) => `wimse-conformance/v${version}`),
)

/** Whether a document says that it is of the `wimse-conformance` format, of whatever version. */
export function isWimseConformance({ format }: JsonObject): boolean {
  return typeof format === 'string' && format.startsWith('wimse-conformance/')
}

/** What its codes are called here, without the `WIMSE_WIT_` or `WIMSE_WPT_` in front. */
const CODES: Readonly<Record<string, string>> = {
  malformed_token: 'MALFORMED',
  invalid_encoding: 'MALFORMED',
  unsupported_critical: 'CRITICAL',
  wrong_type: 'TYPE',
  unsupported_alg: 'ALGORITHM',
  invalid_signature: 'SIGNATURE',
  expired: 'EXPIRED',
  issuer_mismatch: 'ISSUER',
  lifetime_too_long: 'LIFETIME',
  audience_mismatch: 'AUDIENCE',
  wit_binding_mismatch: 'WIT_HASH',
  access_token_binding_mismatch: 'ACCESS_TOKEN_HASH',
  txn_token_binding_mismatch: 'TXN_TOKEN_HASH',
  other_token_binding_mismatch: 'OTHER_TOKEN_HASH',
  missing_confirmation_alg: 'CONFIRMATION',
  forbidden_confirmation_alg: 'CONFIRMATION',
  unsupported_confirmation_alg: 'CONFIRMATION',
}

/** What is answered otherwise here, and why. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  issued_in_future: 'iat says when a token was made; nbf and exp say when it is valid',
  unsupported_scheme: 'any scheme may name a workload; a service lists those it trusts, with their domain',
}

interface Negative {
  readonly id: string
  readonly expect: string
}

interface WitInputs {
  readonly token: string
  readonly verify_now: number
  readonly issuer_signing_key?: WrittenJwk
  readonly issuer_verifying_key?: WrittenJwk
  readonly expected_iss?: string
}

interface WptInputs {
  readonly wit: string
  readonly proof: string
  readonly verify_now: number
  readonly audience: string
  readonly issuer_verifying_key: WrittenJwk
  readonly access_token?: string
  readonly txn_token?: string
  readonly other_tokens?: Readonly<Record<string, string>>
  readonly no_access_token?: boolean
  readonly no_txn_token?: boolean
}

/** Runs one file of the format. */
export async function runWimseConformance(file: string, document: JsonObject): Promise<readonly Outcome[]> {
  if (!FORMATS.has(document['format'])) {
    throw inputFailure(
      `the vectors: ${file} is of a version of wimse-conformance that is not known here`,
      `Known are ${[...FORMATS].join(', ')}.`,
    )
  }
  const { suite } = document
  if (suite === 'identifier') return runIdentifiers(file, document)
  if (suite === 'wit') return runPositiveAndNegative(file, document, answerToWit)
  if (suite === 'wpt') return runPositiveAndNegative(file, document, answerToWpt)
  return [skipped(file, `suite ${typeof suite === 'string' ? suite : 'without a name'} is not in this suite`)]
}

/** The good case, then every bad one with what it changes. */
async function runPositiveAndNegative(
  file: string,
  document: JsonObject,
  answerTo: (inputs: never, spec: unknown) => Promise<string>,
): Promise<readonly Outcome[]> {
  const prefix = document['suite'] === 'wit' ? 'WIMSE_WIT_' : 'WIMSE_WPT_'
  const outcomes = [
    compare(`${file}#positive`, 'accepted', await answerTo(document as never, document['spec'])),
  ]
  for (const negative of listIn(document, 'negative', file) as readonly (Negative & JsonObject)[]) {
    const id = `${file}#${negative.id}`
    const { negative: _, ...positive } = document
    const received = await answerTo({ ...positive, ...negative } as never, document['spec'])
    const difference = DIFFERENCES[negative.expect]
    const code = Object.hasOwn(CODES, negative.expect) ? CODES[negative.expect] : undefined
    if (difference !== undefined && received === 'accepted') {
      outcomes.push(differing(id, negative.expect, received, difference))
    } else if (negative.expect === 'token_too_long') {
      outcomes.push(compare(id, 'WIMSE_TOKEN_TOO_LARGE', received))
    } else outcomes.push(compare(id, code === undefined ? negative.expect : prefix + code, received))
  }
  return outcomes
}

async function answerToWit(inputs: WitInputs): Promise<string> {
  const { token, verify_now: now, issuer_signing_key: signing, issuer_verifying_key: verifying } = inputs
  const key =
    verifying ?? (signing === undefined ? undefined : publicHalf(signing, 'the vectors: issuer_signing_key'))
  if (key === undefined) {
    throw inputFailure(
      'the vectors: a WIT has no issuer key',
      'Add issuer_signing_key or issuer_verifying_key.',
    )
  }
  const trusted = trustFor(token, key, inputs.expected_iss)
  const { checks } = await explain(
    { wit: token, target: '/' },
    { now, clockTolerance: 0, audience: 'https://service.invalid', trustDomains: trusted },
    serverCrypto,
  )
  return verdictOf(checksOfWit(checks)).code ?? 'accepted'
}

async function answerToWpt(inputs: WptInputs, spec: unknown): Promise<string> {
  const { wit, proof, verify_now: now, audience, issuer_verifying_key: key } = inputs
  const { other_tokens: others = {}, access_token: accessToken, txn_token: txnToken } = inputs
  const [, origin, path] = /^(https?:\/\/[^/?#]+)([^?#]*)/.exec(audience) ?? []
  if (origin === undefined) {
    throw inputFailure('the vectors: an audience is not a URL', 'Make it an absolute http or https URL.')
  }
  const fields = new Map(Object.entries(others).map(([name, value]) => [name.toLowerCase(), value]))
  const authenticator = createAuthenticator({
    audience: origin,
    trustDomains: trustFor(wit, key),
    revisions: ['wpt-01', 'wpt-02'],
    clockTolerance: 0,
    replay: false,
    now: () => now,
  })
  try {
    await authenticator.authenticate({
      wit,
      wpt: proof,
      path: path === '' ? '/' : path!,
      revision: typeof spec === 'string' && /wpt-0[01]$/.test(spec) ? 'wpt-01' : 'wpt-02',
      accessToken: inputs.no_access_token === true ? undefined : accessToken,
      txnToken: inputs.no_txn_token === true ? undefined : txnToken,
      header: (name) => (fields.has(name) ? [fields.get(name)!] : []),
    })
    return 'accepted'
  } catch (error) {
    if (error instanceof AuthenticationError) return error.code
    throw error
  }
}

/** The vectors name no trust domain: a verifier trusts the key for the one of the token. */
function trustFor(
  token: string,
  key: WrittenJwk,
  issuer?: string,
): Readonly<Record<string, TrustDomainOptions & { readonly jwks: { readonly keys: readonly object[] } }>> {
  const named = issuer === undefined ? {} : { issuer }
  const kid = partOf(token, 0)['kid']
  const { kid: _, ...nameless } = key
  const jwk = typeof kid === 'string' ? { ...nameless, kid } : nameless
  const subject = partOf(token, 1)['sub']
  return { [trustDomainOf(subject)]: { jwks: { keys: [jwk] }, ...named } }
}

function trustDomainOf(subject: unknown): string {
  try {
    return parseWorkloadIdentifier(subject as string).trustDomain
  } catch {
    return 'wimse://example.invalid'
  }
}

function partOf(token: string, index: number): JsonObject {
  try {
    const part: unknown = JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString())
    return typeof part === 'object' && part !== null ? (part as JsonObject) : {}
  } catch {
    return {}
  }
}

interface WrittenIdentifier {
  readonly id: string
  readonly identifier: string
  /** Of those to refuse. */
  readonly expect?: string
  readonly origin: string
  readonly path: string
}

/** Why an identifier is refused is not told here, so only that it is can be compared. */
function runIdentifiers(file: string, document: JsonObject): readonly Outcome[] {
  return [
    ...(listIn(document, 'accept', file) as readonly unknown[] as readonly WrittenIdentifier[]).map(
      ({ id, identifier, origin, path }) =>
        compare(`${file}#${id}`, `${origin} ${path}`, readIdentifier(identifier)),
    ),
    ...(listIn(document, 'reject', file) as readonly unknown[] as readonly WrittenIdentifier[]).map(
      ({ id, identifier, expect }) => {
        const received = readIdentifier(identifier)
        const reason = expect === undefined ? undefined : DIFFERENCES[expect]
        return received === 'refused' || reason === undefined
          ? compare(`${file}#${id}`, 'refused', received)
          : differing(`${file}#${id}`, 'refused', received, reason)
      },
    ),
  ]
}

function readIdentifier(text: string): string {
  try {
    const { trustDomain, path } = parseWorkloadIdentifier(text)
    return `${trustDomain} ${path}`
  } catch {
    return 'refused'
  }
}

function listIn(
  document: JsonObject,
  name: string,
  file: string,
): readonly (JsonObject & { readonly id: string })[] {
  const list = document[name]
  if (
    Array.isArray(list) &&
    list.every((entry) => typeof (entry as JsonObject | null)?.['id'] === 'string')
  ) {
    return list as readonly (JsonObject & { readonly id: string })[]
  }
  throw inputFailure(
    `the vectors: ${file} has no list ${name} of entries with an id`,
    `Add ${name}, each entry with an id that is text.`,
  )
}
