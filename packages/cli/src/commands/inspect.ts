import { type Check, explain, type ExplainRequest, parsePastedRequest, type Revision } from 'wimse/explain'
import {
  checkLines,
  checksOfWit,
  exitCodeOf,
  tokenLines,
  type Verdict,
  verdictLine,
  verdictOf,
} from '../check-report.js'
import type { Command, Given } from '../command.js'
import { cureOf } from '../cures.js'
import { inputFailure, usageFailure } from '../failure.js'
import { readText, refuseSharedStdin } from '../input.js'
import { readRevision, readSeconds, REVISION_OPTION } from '../option-values.js'
import { printable } from '../printable.js'
import { serverCrypto } from '../server-crypto.js'
import { isUrl, type KeySet, readKeySet, readTrustDomain, TRUST_OPTIONS, trustDomainOf } from '../trust.js'

const { cacert: _, ...OFFLINE_TRUST } = TRUST_OPTIONS

/** `wimse inspect` */
export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Explain why a request is let in or refused, check by check, offline.',
  operands: '[FILE|-]',
  options: {
    ...OFFLINE_TRUST,
    jwks: {
      value: 'FILE',
      about: 'keys of the trust domain: a JWK set, a SPIFFE bundle, or one public JWK',
      isFile: true,
    },
    url: { value: 'URL', about: 'the URL that was called, where the text does not have it' },
    audience: {
      value: 'ORIGIN',
      multiple: true,
      about: 'an origin the service is reached at; default that of the URL',
    },
    'other-token': {
      value: 'NAME',
      multiple: true,
      about: 'a field that carries a token, so that oth has to cover it',
    },
    revision: { ...REVISION_OPTION, about: 'where the proof travels; default where it is found' },
    'max-proof-lifetime': { value: 'SECONDS', about: 'how far ahead exp of the proof may lie; default 300' },
    'max-token-lifetime': { value: 'SECONDS', about: 'how far ahead exp of the WIT may lie; default 86400' },
    'clock-tolerance': { value: 'SECONDS', about: 'how far clocks may differ; default 5, at most 60' },
  },
  notes: [
    'Reads a curl command, the head of a request, header lines, or a WIT and a proof on lines of their own. Nothing is ' +
      'sent, fetched or stored. Without --jwks nobody can tell who signed the WIT, and the answer stays open; so it does ' +
      'without a URL. Whether the proof was used before, and whether the workload was revoked, only a service knows.',
  ],
  positionals: [0, 1],
  takesFiles: true,
  examples: [
    'wimse inspect request.txt --jwks jwks.json --trust-domain wimse://example.com',
    'pbpaste | wimse inspect',
    'wimse inspect tokens.txt --url https://inventory.example.com/stock/42 --now 1760000000',
  ],
  async run({ given, terminal, json, now, warn }) {
    const [where = '-'] = given.positionals
    const keys = given.one('jwks')
    refuseSharedStdin([where, keys])
    if (keys !== undefined && isUrl(keys)) {
      throw usageFailure('wimse inspect fetches nothing', 'Save the key set to a file and give that.')
    }
    const text = await readText(where, 'the request', terminal)
    const jwks = keys === undefined ? undefined : await readKeySet(keys, given, terminal, warn)
    const seen = readRequest(text, given)
    for (const note of seen.notes) warn(note)
    const explanation = await explain(seen.request, policyFor(seen, given, jwks, now), serverCrypto)
    const known = seen.isUrlKnown ? explanation.checks : withoutUrl(explanation.checks)
    const told = seen.isPartial ? withoutAllFields(known) : known
    const checks = seen.isWitAlone ? checksOfWit(told) : told
    const verdict: Verdict = verdictOf(checks)
    const status = verdict.code === explanation.code ? explanation.status : null
    const { wit, wpt, revision } = explanation
    if (json) {
      const { code } = verdict
      const title = status === null ? null : explanation.title
      const cure = code === null ? null : cureOf(code)
      const document = {
        command: 'inspect',
        ...verdict,
        status,
        title,
        cure,
        now,
        revision,
        notes: seen.notes,
      }
      terminal.stdout(`${JSON.stringify({ ...document, checks, wit, wpt }, null, 2)}\n`)
    } else {
      terminal.stdout(
        `${tokenLines(wit, wpt, now)}${checkLines(checks, now)}\n${verdictLine(verdict, status)}`,
      )
    }
    return exitCodeOf(verdict)
  },
}

/** A text that has been read as a request. */
interface SeenRequest {
  readonly request: ExplainRequest
  readonly revisions: readonly Revision[]
  /** Whether the proof can be compared with the URL that was called. */
  readonly isUrlKnown: boolean
  /** More header fields may have been sent. */
  readonly isPartial: boolean
  /** A WIT and nothing else, so that nobody misses a proof. */
  readonly isWitAlone: boolean
  readonly notes: readonly string[]
}

function readRequest(text: string, given: Given): SeenRequest {
  if (text.trim() === '') {
    throw inputFailure('there is nothing to inspect', 'Paste a curl command, header lines or a token.')
  }
  const chosen = readRevision(given.one('revision'))
  const bare = readBareTokens(text)
  const url = given.one('url')
  if (bare !== null) {
    const revision = chosen ?? 'wpt-01'
    return {
      request: { ...bare, ...(url === undefined ? { target: '/' } : { url }) },
      revisions: [revision],
      isUrlKnown: url !== undefined,
      isPartial: false,
      isWitAlone: bare.wpt === undefined,
      notes: [],
    }
  }
  const pasted = parsePastedRequest(text)
  if (pasted.headers.length === 0 && pasted.url === null && !pasted.isPartial) {
    throw inputFailure(
      'the text is neither a curl command, a request, header lines nor a token',
      'A header line is a name, a colon and a value.',
    )
  }
  const known = url ?? pasted.url
  const hasAudience = given.has('audience')
  const request: ExplainRequest = {
    headers: pasted.headers,
    ...(known === null ? {} : { url: known }),
    // The target as it was sent counts, also where --url names the origin.
    ...(pasted.target === null || pasted.target === known ? {} : { target: pasted.target }),
  }
  return {
    request: known === null && pasted.target === null ? { ...request, target: '/' } : request,
    revisions: [chosen ?? revisionOf(pasted.headers)],
    isUrlKnown: known !== null || (hasAudience && pasted.target !== null),
    isPartial: pasted.isPartial,
    isWitAlone: false,
    notes: pasted.notes.map(printable),
  }
}

/** One token, or a WIT and a proof in any order, each on its line; null when there is anything else. */
function readBareTokens(text: string): { readonly wit?: string; readonly wpt?: string } | null {
  const lines = text
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim().replace(/^WPT /i, ''))
    .filter((line) => line !== '')
  if (lines.length > 2 || !lines.every((line) => /^[\w=+/-]+(?:\.[\w=+/-]*){1,4}$/.test(line))) return null
  const proofs = lines.filter(isProof)
  const others = lines.filter((line) => !isProof(line))
  if (proofs.length > 1 || others.length > 1) {
    throw inputFailure(
      'there are two tokens of one kind',
      'Paste one WIT and one proof; their typ tells which is which.',
    )
  }
  return {
    ...(others[0] === undefined ? {} : { wit: others[0] }),
    ...(proofs[0] === undefined ? {} : { wpt: proofs[0] }),
  }
}

function isProof(token: string): boolean {
  try {
    const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { typ?: unknown }
    return typeof header.typ === 'string' && /(?:^|\/)wpt\+jwt$/i.test(header.typ)
  } catch {
    return false
  }
}

function revisionOf(headers: readonly (readonly [string, string])[]): Revision {
  const has = (name: string, value: RegExp): boolean =>
    headers.some(([field, text]) => field.toLowerCase() === name && value.test(text))
  return has('authorization', /^\s*WPT(?:\s|$)/i) && !has('workload-proof-token', /^/) ? 'wpt-02' : 'wpt-01'
}

function policyFor(
  { request, revisions, isUrlKnown }: SeenRequest,
  given: Given,
  jwks: KeySet | undefined,
  now: number,
): Parameters<typeof explain>[1] {
  const trustDomain = given.one('trust-domain')
  if (trustDomain === undefined && (given.has('issuer') || given.has('wit-svid'))) {
    throw usageFailure('--issuer and --wit-svid are about a trust domain', 'Name it with --trust-domain.')
  }
  const seconds = {
    maxProofLifetime: readSeconds('max-proof-lifetime', given.one('max-proof-lifetime')),
    maxTokenLifetime: readSeconds('max-token-lifetime', given.one('max-token-lifetime')),
    clockTolerance: readSeconds('clock-tolerance', given.one('clock-tolerance')),
  }
  const limits = Object.entries(seconds).filter(([, value]) => value !== undefined)
  return {
    now,
    revisions,
    otherTokens: given.all('other-token'),
    ...(Object.fromEntries(limits) as { readonly [Name in keyof typeof seconds]?: number }),
    ...(trustDomain === undefined
      ? jwks === undefined
        ? {}
        : { jwks }
      : { trustDomains: { [readTrustDomain(trustDomain)]: trustDomainOf(given, jwks) } }),
    ...(given.has('audience')
      ? { audience: given.all('audience') }
      : isUrlKnown && request.url !== undefined
        ? {}
        : { audience: 'https://service.invalid' }),
  }
}

/** What cannot be told while nobody says which URL was called. */
function withoutUrl(checks: readonly Check[]): readonly Check[] {
  return checks.map((check) =>
    (check.id === 'target' || check.id === 'proof.audience') && check.outcome !== 'skipped'
      ? open(check, 'nobody said which URL was called: give --url')
      : check,
  )
}

/** What another header field could change: those that passed, those that failed, and those that did either. */
const OPEN_WITHOUT_ALL_FIELDS: Readonly<Partial<Record<Check['id'], readonly Check['outcome'][]>>> = {
  'fields.all': ['passed'],
  'fields.host': ['passed'],
  'proof.single': ['passed'],
  'authorization.single': ['passed'],
  'wit.single': ['passed'],
  'wit.present': ['failed'],
  'proof.present': ['failed'],
  'txn-token.single': ['passed'],
  'proof.access-token': ['passed', 'failed'],
  'proof.txn-token': ['passed', 'failed'],
  'proof.other-tokens': ['passed', 'failed'],
}

/** What cannot be told while some of the header fields are not here. */
function withoutAllFields(checks: readonly Check[]): readonly Check[] {
  return checks.map((check) =>
    OPEN_WITHOUT_ALL_FIELDS[check.id]?.includes(check.outcome) === true
      ? open(check, 'there may be header fields that were not read')
      : check,
  )
}

function open(check: Check, reason: string): Check {
  return { ...check, outcome: 'unknown', expected: null, reason }
}
