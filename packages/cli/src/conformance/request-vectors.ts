import {
  AuthenticationError,
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  memoryReplayStore,
  readAuthorization,
  type Revision,
  type TrustDomainOptions,
  UnavailableError,
} from 'wimse'
import { type CheckId, explain, type ExplainTrustDomain } from 'wimse/explain'
import { serverCrypto } from '../server-crypto.js'
import { compare, type Outcome } from './outcome.js'

/** A request as vectors write it down. */
interface WrittenRequest {
  readonly headers: Readonly<Record<string, string | readonly string[]>>
}

interface Keys {
  readonly keys: readonly object[]
}

/** The vectors that this suite publishes. */
export interface PublishedVectors {
  readonly service: {
    readonly origin: string
    readonly now: number
    readonly clockTolerance: number
    readonly maxProofLifetime: number
    readonly maxTokenLifetime: number
    /** Not in files of before there was a case for it. */
    readonly maxTokenBytes?: number
    readonly trustDomains: Readonly<Record<string, Keys & { readonly issuer?: string }>>
  }
  readonly cases: readonly {
    readonly id: string
    readonly request: WrittenRequest & { readonly target: string }
    readonly expected: readonly {
      readonly outcome: 'accept' | 'reject'
      readonly status: number
      readonly workload?: string
      readonly code?: string
    }[]
  }[]
}

/** Vectors where each case has a service of its own. */
export interface DerivedVectors {
  readonly defaults: {
    readonly ownAuthorities: readonly string[]
    readonly trust: DerivedTrust
    readonly clockSkewSeconds?: number
    readonly maxWptLifetimeSeconds?: number
    readonly maxWitLifetimeSeconds?: number
  }
  readonly cases: readonly {
    readonly id: string
    readonly transport: string
    readonly request: WrittenRequest & { readonly requestTarget: string }
    readonly trustConfig?: DerivedTrust
    readonly validAt: number
    readonly expected: {
      readonly outcome: 'accept' | 'reject' | 'policy' | 'accept-then-reject'
      readonly code: string | null
      readonly httpStatus: number
    }
  }[]
}

type DerivedTrust = Readonly<Record<string, Keys & { readonly issuers?: readonly string[] }>>

/** Runs published vectors: one service takes every case, in order. */
export async function runPublished(
  file: string,
  { service, cases }: PublishedVectors,
): Promise<readonly Outcome[]> {
  const { origin, now, clockTolerance, maxProofLifetime, maxTokenLifetime, maxTokenBytes } = service
  const called = createService({
    audience: origin,
    trustDomains: Object.fromEntries(
      Object.entries(service.trustDomains).map(([name, { keys, issuer }]) => [
        name,
        { jwks: { keys }, ...(issuer === undefined ? {} : { issuer }) },
      ]),
    ),
    clockTolerance,
    maxProofLifetime,
    maxTokenLifetime,
    ...(maxTokenBytes === undefined ? {} : { maxTokenBytes }),
    revisions: ['wpt-01', 'wpt-02'],
    now,
  })
  const outcomes: Outcome[] = []
  for (const { id, request, expected } of cases) {
    const wanted = expected.map(({ status, workload, code }) => `${status} ${workload ?? code ?? ''}`)
    const answers: string[] = []
    for (const _ of expected) answers.push(shown(await called.answer(request.target, request.headers)))
    outcomes.push(compare(`${file}#${id}`, wanted.join(', then '), answers.join(', then ')))
  }
  return outcomes
}

/** Runs derived vectors: a new service for each case. */
export async function runDerived(
  file: string,
  { defaults, cases }: DerivedVectors,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const { id, transport, request, trustConfig, validAt, expected } of cases) {
    const called = createService({
      audience: defaults.ownAuthorities,
      trustDomains: byScheme(trustConfig ?? defaults.trust),
      clockTolerance: defaults.clockSkewSeconds ?? 0,
      maxProofLifetime: defaults.maxWptLifetimeSeconds ?? 300,
      maxTokenLifetime: defaults.maxWitLifetimeSeconds ?? 86_400,
      revisions: [transport === 'authorization-wpt' ? 'wpt-02' : 'wpt-01'],
      now: validAt,
    })
    const first = await called.answer(request.requestTarget, request.headers)
    const answers = [first.status === 200 ? 'accepted' : shown(first)]
    const refusal = `${expected.httpStatus} ${expected.code ?? ''}`
    const wanted = expected.outcome.startsWith('accept') ? ['accepted'] : [refusal]
    if (expected.outcome === 'accept-then-reject') {
      wanted.push(refusal)
      answers.push(shown(await called.answer(request.requestTarget, request.headers)))
    }
    outcomes.push(compare(`${file}#${id}`, wanted.join(', then '), answers.join(', then ')))
  }
  return outcomes
}

/** The file names domains without their scheme; here keys are bound to scheme and domain. */
function byScheme(trust: DerivedTrust): Record<string, ExplainTrustDomain & { readonly jwks: Keys }> {
  return Object.fromEntries(
    Object.entries(trust).flatMap(([domain, { keys, issuers }]) =>
      ['wimse', 'spiffe'].map((scheme) => [
        `${scheme}://${domain}`,
        { jwks: { keys }, ...(issuers === undefined ? {} : { issuer: issuers }) },
      ]),
    ),
  )
}

/** How a service is set up for vectors. */
interface ServiceSettings {
  readonly audience: string | readonly string[]
  readonly trustDomains: Readonly<Record<string, ExplainTrustDomain & TrustDomainOptions>>
  readonly clockTolerance: number
  readonly maxProofLifetime: number
  readonly maxTokenLifetime: number
  readonly maxTokenBytes?: number
  readonly revisions: readonly Revision[]
  readonly now: number
}

interface ServiceAnswer {
  readonly status: number
  readonly code: string | null
  readonly workload: string | null
}

/** Checks of how fields came, which happen before an authenticator is asked. */
const FIELD_CHECKS: ReadonlySet<CheckId> = new Set<CheckId>([
  'fields.all',
  'fields.host',
  'proof.single',
  'authorization.single',
  'wit.single',
  'wit.present',
  'proof.present',
  'txn-token.single',
])

/**
 * A service without a socket. The fields are sorted by `explain()`; what they carry is checked by the
 * authenticator, and both have to come to the same answer.
 */
function createService({ now, ...settings }: ServiceSettings): {
  readonly answer: (target: string, headers: WrittenRequest['headers']) => Promise<ServiceAnswer>
} {
  const options: AuthenticatorOptions = {
    ...settings,
    replay: memoryReplayStore({ now: () => now }),
    now: () => now,
  }
  const authenticator = createAuthenticator(options)
  return {
    async answer(target, headers) {
      const explained = await explain({ target, headers }, { ...settings, now }, serverCrypto)
      const fault = explained.checks.find(({ outcome }) => outcome === 'failed')
      const refusedBy = { status: explained.status ?? 200, code: explained.code, workload: null }
      if (fault !== undefined && FIELD_CHECKS.has(fault.id)) return refusedBy
      const answer = await ask(authenticator, target, headers, explained.revision)
      if (answer.code === explained.code || answer.code === 'WIMSE_WPT_REPLAYED') return answer
      return {
        ...answer,
        code: `${answer.code ?? 'accepted'}, which explain() calls ${explained.code ?? 'accepted'}`,
      }
    },
  }
}

async function ask(
  authenticator: Authenticator,
  path: string,
  headers: WrittenRequest['headers'],
  revision: Revision,
): Promise<ServiceAnswer> {
  const valuesOf = (name: string): readonly string[] =>
    Object.entries(headers).flatMap(([field, values]) =>
      field.toLowerCase() === name ? [values].flat().map((value) => value.trim()) : [],
    )
  const [authorization = ''] = valuesOf('authorization')
  const { credentials, accessToken } = readAuthorization(authorization)
  try {
    const { id } = await authenticator.authenticate({
      wit: valuesOf('workload-identity-token')[0] ?? '',
      wpt: revision === 'wpt-02' ? credentials : (valuesOf('workload-proof-token')[0] ?? ''),
      path,
      revision,
      accessToken,
      txnToken: valuesOf('txn-token')[0],
      header: valuesOf,
    })
    return { status: 200, code: null, workload: id }
  } catch (error) {
    if (!(error instanceof AuthenticationError || error instanceof UnavailableError)) throw error
    return { status: error.statusCode, code: error.code, workload: null }
  }
}

function shown({ status, code, workload }: ServiceAnswer): string {
  return `${status} ${code ?? workload ?? ''}`
}
