import { type Authorization, readAuthorization } from '../proof/authorization.js'
import { isRequestTarget } from '../proof/audience.js'
import type { Revision } from '../revisions.js'
import type { CheckList } from './check-list.js'
import type { ReadPolicy } from './policy.js'

/** Header fields as they came: a list of pairs, or an object by name. */
export type HeaderPairs =
  | readonly (readonly [name: string, value: string])[]
  | Readonly<Record<string, string | readonly string[] | undefined>>

/** Every value of a field; the name is in lower case. */
export type Fields = (name: string) => readonly string[]

/** The tokens of a request, each null where it is not there exactly once. */
export interface ReadTokens {
  readonly wit: string | null
  readonly wpt: string | null
  readonly revision: Revision
  readonly accessToken: string | undefined
  readonly txnToken: string | undefined
}

/** Past so many fields Node drops the rest. */
const MOST_FIELDS = 1000

/** Header fields as a list, whichever way they were given. */
export function pairsOf(headers: HeaderPairs): readonly (readonly [name: string, value: string])[] {
  if (Array.isArray(headers)) return headers as readonly (readonly [string, string])[]
  return Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => [name, value] as const),
  )
}

/** Sorts header fields by name. @returns the fields, and how many there are */
export function readFields(headers: HeaderPairs): { fields: Fields; count: number } {
  const pairs = pairsOf(headers)
  const byName = new Map<string, string[]>()
  for (const [name, value] of pairs) {
    const key = name.toLowerCase()
    const values = byName.get(key)
    if (values === undefined) byName.set(key, [value])
    else values.push(value)
  }
  return { fields: (name) => byName.get(name) ?? [], count: pairs.length }
}

/** Counts the fields that carry tokens, before anything is looked into. */
export function checkFields(
  { fields, count }: ReturnType<typeof readFields>,
  target: string,
  { revisions, maxTokenBytes }: ReadPolicy,
  list: CheckList,
): ReadTokens {
  list.judge('fields.all', count < MOST_FIELDS, {
    expected: `fewer than ${MOST_FIELDS} fields`,
    received: `${count} ${count === 1 ? 'field' : 'fields'}`,
    reason: 'Node reports no more fields than that, so another token could hide',
  })
  const hosts = fields('host').length
  list.judge('fields.host', hosts <= 1, {
    expected: 'at most 1',
    received: hosts,
    reason: 'the request has more than one Host field',
  })

  const { wpt, revision, accessToken, isSingle } = checkCarriage(fields, revisions, list)
  const wits = fields('workload-identity-token')
  list.judge('wit.single', wits.length <= 1, {
    expected: 'at most 1 field',
    received: wits.length,
    reason: 'the request has more than one WIT',
  })
  const wit = wits[0]
  if (wit !== undefined || wpt !== undefined || revisions.includes('wpt-01')) {
    list.judge('wit.present', wit !== undefined, {
      expected: 'a Workload-Identity-Token field',
      received: wit === undefined ? undefined : sizeOf(wit),
      reason: 'the request has no Workload-Identity-Token field',
    })
  } else {
    list.skip(['wit.present'], 'without a proof in Authorization, that is asked for first')
  }
  if (isSingle) {
    list.judge('proof.present', wpt !== undefined, {
      expected: revisions.map((one) => CARRIAGE[one]).join(' or '),
      received: wpt === undefined ? undefined : sizeOf(wpt),
      reason: 'the request has no proof in a carriage accepted here',
    })
  } else {
    list.skip(['proof.present'], 'nobody can tell which of them is the proof')
  }
  const txnTokens = fields('txn-token')
  list.judge('txn-token.single', txnTokens.length <= 1, {
    expected: 'at most 1 field',
    received: txnTokens.length,
    reason: 'the request has more than one Txn-Token field',
  })
  list.judge('target', isRequestTarget(target), {
    expected: 'a path from its first slash, without dot segments, backslash or #',
    received: target,
    reason: 'the request target is not an origin-form path that every reader reads alike',
  })
  const longest = Math.max(wit?.length ?? 0, wpt?.length ?? 0)
  list.judge('tokens.size', longest <= maxTokenBytes, {
    expected: `up to ${maxTokenBytes} bytes`,
    received: `${longest} bytes`,
    reason: 'a token is longer than maxTokenBytes',
  })
  const fits = longest <= maxTokenBytes
  return {
    wit: fits && wits.length === 1 ? wit! : null,
    wpt: fits && wpt !== undefined ? wpt : null,
    revision,
    accessToken,
    txnToken: txnTokens[0],
  }
}

function sizeOf(token: string): string {
  return `a token of ${token.length} bytes`
}

const CARRIAGE: Readonly<Record<Revision, string>> = {
  'wpt-01': 'a Workload-Proof-Token field',
  'wpt-02': 'Authorization: WPT',
}

interface Carriage {
  /** False when more than one proof came. */
  readonly isSingle: boolean
  readonly wpt: string | undefined
  readonly revision: Revision
  readonly accessToken: string | undefined
}

function checkCarriage(fields: Fields, accepted: readonly Revision[], list: CheckList): Carriage {
  const inField = fields('workload-proof-token')
  const values = fields('authorization')
  const authorizations: readonly Authorization[] = values.map(readAuthorization)
  const inAuthorization = authorizations.filter(({ scheme }) => scheme === 'wpt')
  const proofs = inField.length + inAuthorization.length
  const isSingle = list.judge(
    'proof.single',
    proofs <= 1 && !(inAuthorization.length > 0 && authorizations.length > 1),
    {
      expected: 'at most 1',
      received: `${inField.length} in Workload-Proof-Token, ${inAuthorization.length} in Authorization`,
      reason: 'the request has more than one proof or Authorization field',
    },
  )
  list.judge('authorization.single', values.length <= 1 && values.every(isPrintable), {
    expected: 'at most 1',
    received: values.length,
    reason: 'the request has more than one Authorization field, or one that is not printable ASCII',
  })
  const came: Revision =
    inField.length === 0 && (inAuthorization.length > 0 || !accepted.includes('wpt-01')) ? 'wpt-02' : 'wpt-01'
  const wpt = isSingle ? (inField[0] ?? inAuthorization[0]?.credentials) : undefined
  return {
    isSingle,
    wpt: accepted.includes(came) ? wpt : undefined,
    revision: accepted.includes(came) ? came : accepted[0]!,
    accessToken: authorizations[0]?.accessToken,
  }
}

function isPrintable(value: string): boolean {
  return !/[^\t\x20-\x7e]/.test(value)
}
