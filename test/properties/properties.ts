import { expect } from 'vitest'
import { parseWorkloadIdentifier, readAuthorization } from 'wimse'
import { encodeBase64url } from '../../packages/core/src/jws/base64url.js'
import { splitCompactJws } from '../../packages/core/src/jws/compact-jws.js'
import { parseJsonObject } from '../../packages/core/src/jws/strict-json.js'
import { DENIALS, OUTAGES, REFUSALS } from '../../packages/core/src/codes.js'
import { fc } from '../core/property.js'
import { claimEdits, editDraft, editText, headEdits, textEdits } from './edits.js'
import { type Algorithm, ALGORITHMS, suiteOf, type Tokens } from './good-tokens.js'
import { deliver, type WireAnswer, type WireService } from './wire-service.js'

/** Something that holds for every request, and how often each side of it was reached. */
export interface Property {
  readonly name: string
  /** How long npm test looks: a minute for all of them. */
  readonly seconds: number
  readonly property: fc.IRawProperty<unknown, true> | fc.IRawProperty<unknown, false>
  /** Examples of either side of the property, which there have to be some of. */
  readonly reached: Readonly<Record<string, number>>
}

const CODE = /^WIMSE_W[IP]T_[A-Z_]+$|^WIMSE_TOKEN_TOO_LARGE$/

/** Reasons for which we refuse what jose lets through; `jose.test.ts` shows an example of each. */
export const STRICTER: ReadonlySet<string> = new Set([
  'WIMSE_TOKEN_TOO_LARGE',
  'WIMSE_WIT_MALFORMED',
  'WIMSE_WIT_CRITICAL',
  'WIMSE_WIT_SUBJECT',
  'WIMSE_WIT_TRUST_DOMAIN',
  'WIMSE_WIT_KEY',
  'WIMSE_WIT_LIFETIME',
  'WIMSE_WIT_CONFIRMATION',
  'WIMSE_WPT_MALFORMED',
  'WIMSE_WPT_CRITICAL',
  'WIMSE_WPT_LIFETIME',
  'WIMSE_WPT_JTI',
  'WIMSE_WPT_AUDIENCE',
  'WIMSE_WPT_WIT_HASH',
  'WIMSE_WPT_ACCESS_TOKEN_HASH',
  'WIMSE_WPT_TXN_TOKEN_HASH',
  'WIMSE_WPT_OTHER_TOKEN_HASH',
])

/** Where jose refuses and we do not: an audience in another spelling, which jose compares as text. */
function josesOwnReason({ wptClaims: { aud } }: { wptClaims: Readonly<Record<string, unknown>> }): boolean {
  return JSON.stringify(aud) !== JSON.stringify(suiteOf('EdDSA', 'EdDSA').goodDraft.wptClaims['aud'])
}

const algorithm = fc.constantFrom(...ALGORITHMS)

/** Adds counters of what happens, one for each algorithm of the WIT and each of the proof. */
function countPerAlgorithm(
  reached: Record<string, number>,
  what: string,
): (wit: Algorithm, wpt: Algorithm) => void {
  const nameOf = (token: string, name: Algorithm): string => `${what}, ${token} with ${name}`
  for (const name of ALGORITHMS)
    Object.assign(reached, { [nameOf('WIT', name)]: 0, [nameOf('proof', name)]: 0 })
  return (wit, wpt) => {
    for (const name of [nameOf('WIT', wit), nameOf('proof', wpt)]) reached[name] = reached[name]! + 1
  }
}

// Signed once: what is changed of them is their text.
const madeBefore = new Map<string, { readonly good: Tokens; readonly another: Tokens }>()
function tokensOf(wit: Algorithm, wpt: Algorithm): { readonly good: Tokens; readonly another: Tokens } {
  const name = `${wit} ${wpt}`
  const { goodDraft, mint } = suiteOf(wit, wpt)
  const made = madeBefore.get(name) ?? {
    good: mint(goodDraft),
    another: mint(editDraft(goodDraft, [{ part: 'witClaims', name: 'jti', value: 'another' }])),
  }
  madeBefore.set(name, made)
  return made
}

/** Makes the properties of tokens, each with counters of its own. */
export function tokenProperties(): readonly Property[] {
  const resigned: Record<string, number> = {}
  const mutated: Record<string, number> = {}
  const jose: Record<string, number> = {}
  const countGood = countPerAlgorithm(resigned, 'good')
  const countRefused = countPerAlgorithm(resigned, 'refused')
  const countMutated = countPerAlgorithm(mutated, 'refused')
  const countAccepted = countPerAlgorithm(jose, 'both accept')
  const countStricter = countPerAlgorithm(jose, 'we alone refuse')
  const countBoth = countPerAlgorithm(jose, 'both refuse')
  const edited = fc.record({ which: fc.constantFrom<keyof Tokens>('wit', 'wpt'), edits: textEdits })
  return [
    {
      name: 'tokens that say something else are good exactly if the specifications say so',
      seconds: 14,
      reached: resigned,
      property: fc.asyncProperty(algorithm, algorithm, claimEdits, async (wit, wpt, edits) => {
        const { goodDraft, mint, verdictOf, isGood } = suiteOf(wit, wpt)
        const draft = editDraft(goodDraft, edits)
        const verdict = await verdictOf(mint(draft))
        if (verdict !== 'good') expect(verdict).toMatch(CODE)
        expect(verdict === 'good').toBe(isGood(draft))
        const count = verdict === 'good' ? countGood : countRefused
        count(wit, wpt)
      }),
    },
    {
      name: 'a token whose text is changed is refused',
      seconds: 14,
      reached: mutated,
      property: fc.asyncProperty(algorithm, algorithm, edited, async (wit, wpt, { which, edits }) => {
        const { good, another } = tokensOf(wit, wpt)
        const { verdictOf, proofFor } = suiteOf(wit, wpt)
        const text = editText(good[which], edits, another[which])
        // The other one is as good, once a proof is made for it.
        fc.pre(text !== good[which] && text !== another[which])
        // A proof for the WIT as it is now: that its hash is another is not what refuses it.
        const changed = which === 'wit' ? { wit: text, wpt: proofFor(text) } : { ...good, wpt: text }
        expect(await verdictOf(changed)).toMatch(CODE)
        countMutated(wit, wpt)
      }),
    },
    {
      name: 'what jose refuses we refuse, and what we alone refuse is for a reason that is listed',
      seconds: 14,
      reached: jose,
      property: fc.asyncProperty(
        algorithm,
        algorithm,
        claimEdits,
        fc.option(edited, { freq: 2, nil: null }),
        async (wit, wpt, edits, textEdit) => {
          const { goodDraft, mint, verdictOf, joseAccepts } = suiteOf(wit, wpt)
          const { good } = tokensOf(wit, wpt)
          const draft = editDraft(goodDraft, edits)
          const tokens = mint(draft)
          const presented =
            textEdit === null
              ? tokens
              : {
                  ...tokens,
                  [textEdit.which]: editText(tokens[textEdit.which], textEdit.edits, good[textEdit.which]),
                }
          const [verdict, isAccepted] = [await verdictOf(presented), await joseAccepts(presented)]
          if (!isAccepted && verdict === 'good') expect(josesOwnReason(draft)).toBe(true)
          if (isAccepted && verdict !== 'good') expect([...STRICTER]).toContain(verdict)
          const countRefusal = isAccepted ? countStricter : countBoth
          const count = isAccepted && verdict === 'good' ? countAccepted : countRefusal
          count(wit, wpt)
        },
      ),
    },
  ]
}

const CODES: ReadonlyMap<string, { readonly status: number }> = new Map(
  [REFUSALS, OUTAGES, DENIALS].flatMap((codes) => Object.entries(codes)),
)

/**
 * Who gave an answer: the handler; we, with a problem document of a code that is ours and its own status; or
 * Node's parser or Fastify's router, before any hook.
 */
function whatAnswered({ status, head, body }: WireAnswer): string {
  if (status === 200 && body === '') return 'the handler'
  if (!head.includes('\r\ncontent-type:')) return NODE_ALONE.has(status) ? 'Node' : 'nobody we know'
  const document = JSON.parse(body) as Readonly<Record<string, unknown>>
  if (head.includes('\r\ncontent-type: application/problem+json')) {
    const isOurs = CODES.get(document['code'] as string)?.status === status && document['status'] === status
    return isOurs ? 'a refusal' : 'nobody we know'
  }
  const isFromParser = document['message'] === 'Client Error' && document['statusCode'] === status
  return isFromParser || document['code'] === 'FST_ERR_BAD_URL' ? 'Node' : 'nobody we know'
}

/** Of requests without Host, and with an `Expect` that Node does not know. */
const NODE_ALONE: ReadonlySet<number> = new Set([400, 417])

/** Makes the property of what goes over the wire to a service that listens. */
export function wireProperty(service: WireService): Property {
  const reached = { 'let in': 0, refused: 0, 'refused by a code': 0 }
  return {
    name: 'a message whose bytes are changed is refused, or means the same',
    seconds: 14,
    reached,
    property: fc.asyncProperty(fc.oneof(textEdits, headEdits), async (edits) => {
      const [message, other] = [service.message(), service.message()]
      const changed = editText(message.bytes, edits, other.bytes)
      const { answers, handled } = await deliver(service, changed)
      if (answers.length === 0) expect([changed.trim(), handled]).toEqual(['', []])
      const whatOf = answers.map(whatAnswered)
      expect(whatOf).toEqual(whatOf.filter((what) => what !== 'nobody we know'))
      // Where Node refuses what follows a message, it hangs up on that one as well.
      const isHungUp = whatOf.includes('Node')
      const fromHandler = whatOf.filter((what) => what === 'the handler').length
      if (isHungUp) expect(fromHandler).toBeLessThanOrEqual(handled.length)
      else expect(fromHandler).toBe(handled.length)
      if (whatOf.includes('a refusal')) reached['refused by a code']++
      if (handled.length === 0) {
        reached.refused++
        return
      }
      reached['let in']++
      // Whatever else became of the message: the tokens are whole, for this target, and their owner's.
      for (const { id, path } of handled) {
        expect(id).toBe('wimse://example.com/caller')
        expect(decodeURIComponent(path)).toBe('/stock')
      }
      expect(handled.length).toBeLessThanOrEqual(2)
      const whole = [message, other].some(({ wit, wpt }) => changed.includes(wit) && changed.includes(wpt))
      expect(whole).toBe(true)
    }),
  }
}

const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/)
const segment = fc
  .array(
    fc.oneof(fc.stringMatching(/^[\w.~!$&'()*+,;=:@-]{1,8}$/), fc.constantFrom('%2F', '%20', '%C3%A9')),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((pieces) => pieces.join(''))
  .filter((text) => text !== '.' && text !== '..')

/** Makes the properties of reading what was written. */
export function printingProperties(): readonly Property[] {
  const [identifiers, tokens, json, fields] = [{ read: 0 }, { read: 0 }, { read: 0 }, { read: 0 }]
  const name = fc.string({ maxLength: 8 }).filter((text) => text !== '__proto__' && text.isWellFormed())
  const objects = fc.dictionary(
    name,
    fc.jsonValue({ maxDepth: 4 }).filter((value) => !/__proto__|\\ud[89a-f]/.test(JSON.stringify(value))),
  )
  return [
    {
      name: 'a workload identifier reads as the parts it was made of',
      seconds: 1,
      reached: identifiers,
      property: fc.property(
        fc.constantFrom('wimse', 'https', 'x-a.b+c'),
        fc
          .array(label, { minLength: 1, maxLength: 4 })
          .filter((labels) => !/^(?:\d+|0x[\da-f]*)$/.test(labels.at(-1)!)),
        fc.array(segment, { maxLength: 5 }),
        (scheme, labels, segments) => {
          const trustDomain = `${scheme}://${labels.join('.')}`
          const path = segments.map((one) => `/${one}`).join('')
          expect(parseWorkloadIdentifier(trustDomain + path)).toEqual({
            id: trustDomain + path,
            trustDomain,
            path,
          })
          identifiers.read++
        },
      ),
    },
    {
      name: 'a compact JWS reads as the parts it was made of, and its parts print as the JWS',
      seconds: 1,
      reached: tokens,
      property: fc.property(
        objects.map(({ kid: _kid, ...header }) => header),
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.uint8Array({ maxLength: 70 }),
        (header, payload, signature) => {
          const text = [Buffer.from(JSON.stringify(header)), payload, signature]
          const token = text.map(encodeBase64url).join('.')
          const read = splitCompactJws(token)
          expect(read.header).toEqual(JSON.parse(JSON.stringify(header)))
          expect([read.payload, read.signature]).toEqual([
            Uint8Array.from(payload),
            Uint8Array.from(signature),
          ])
          expect(`${read.signingInput}.${encodeBase64url(read.signature)}`).toBe(token)
          tokens.read++
        },
      ),
    },
    {
      name: 'strict JSON reads what was written, and writes what was read',
      seconds: 1,
      reached: json,
      property: fc.property(objects, (object) => {
        const text = JSON.stringify(object)
        const read = parseJsonObject(new TextEncoder().encode(text))
        expect(JSON.stringify(read)).toBe(text)
        json.read++
      }),
    },
    {
      name: 'an Authorization field reads as its scheme and credentials',
      seconds: 1,
      reached: fields,
      property: fc.property(
        fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,10}$/),
        fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e\t]{0,20}[\x21-\x7e])?$/),
        fc.constantFrom(' ', '\t', '  \t '),
        fc.constantFrom('', ' ', '\t\t'),
        (scheme, credentials, gap, end) => {
          const read = readAuthorization(end + scheme + gap + credentials + end)
          expect([read.scheme, read.credentials]).toEqual([scheme.toLowerCase(), credentials])
          expect(readAuthorization(`${read.scheme} ${read.credentials}`)).toEqual(read)
          fields.read++
        },
      ),
    },
  ]
}
