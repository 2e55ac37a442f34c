import { ALGORITHMS, type SignatureAlgorithm } from '../jws/algorithms.js'
import {
  type JwsFault,
  type JwsParts,
  JwsRefused,
  parseCompactJws,
  splitCompactJws,
} from '../jws/compact-jws.js'
import { type JsonObject, parseJsonObject } from '../jws/strict-json.js'
import type { CheckList } from './check-list.js'

/** A token taken apart far enough for its claims to be shown. Nothing in it is to be believed. */
export interface ReadToken {
  readonly parts: JwsParts
  readonly claims: JsonObject
  /** Null where it is not one of those accepted. */
  readonly algorithm: SignatureAlgorithm | null
}

const FAULTS: readonly JwsFault[] = ['MALFORMED', 'CRITICAL', 'TYPE', 'ALGORITHM']
const CHECKS = { MALFORMED: 'shape', CRITICAL: 'critical', TYPE: 'type', ALGORITHM: 'algorithm' } as const

/**
 * Takes a token apart by the parser of the road itself, which names the first thing that is wrong.
 *
 * @returns null when its claims cannot be read
 */
export function checkShape(
  which: 'wit' | 'proof',
  token: string,
  algorithms: ReadonlySet<string>,
  list: CheckList,
): ReadToken | null {
  const typ = which === 'wit' ? 'wit+jwt' : 'wpt+jwt'
  const refused = refusalOf(() => parseCompactJws(token, { typ, algorithms }))
  const parts = refusalOf(() => splitCompactJws(token)) === null ? splitCompactJws(token) : null
  const findings = {
    MALFORMED: {
      expected: 'three parts of canonical base64url',
      received: `${token.split('.').length} parts, ${token.length} bytes`,
    },
    CRITICAL: { expected: 'no crit', received: parts?.header['crit'] },
    TYPE: { expected: typ, received: parts?.header['typ'] },
    ALGORITHM: { expected: [...algorithms], received: parts?.header['alg'] },
  }
  const failedAt = refused === null ? FAULTS.length : FAULTS.indexOf(refused.fault)
  for (const [index, fault] of FAULTS.entries()) {
    if (index > failedAt) break
    const reason = refused?.message ?? ''
    list.judge(`${which}.${CHECKS[fault]}`, index < failedAt, { ...findings[fault], reason })
  }
  const claims = parts === null ? null : parseJsonObject(parts.payload)
  if (parts === null || claims === null) return null
  const { alg } = parts.header
  const algorithm = typeof alg === 'string' && algorithms.has(alg) ? (ALGORITHMS.get(alg) ?? null) : null
  return { parts, claims, algorithm }
}

function refusalOf(parse: () => unknown): JwsRefused | null {
  try {
    parse()
    return null
  } catch (error) {
    if (error instanceof JwsRefused) return error
    throw error
  }
}
