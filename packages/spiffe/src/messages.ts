import protobuf from 'protobufjs/minimal.js'

/** One identity of a `WITSVIDResponse`, as it came: nobody has looked at the token or the key yet. */
export interface WitSvid {
  readonly spiffeId: string
  readonly wit: string
  /** A private JWK, as text. */
  readonly key: string
  /** Empty when there is none. */
  readonly hint: string
}

/** A message that cannot be used. It says why, and quotes nothing. */
export class MessageRefused extends Error {
  override readonly name = 'MessageRefused'
}

/** Writes a `WITSVIDRequest`. @param spiffeId empty for all identities */
export function writeWitSvidRequest(spiffeId: string): Buffer {
  const writer = protobuf.Writer.create()
  if (spiffeId !== '') writer.uint32(SPIFFE_ID_TAG).string(spiffeId)
  return Buffer.from(writer.finish())
}

/** Field 1, length-delimited. */
const SPIFFE_ID_TAG = (1 << 3) | 2

/** A `WITBundlesRequest`, which has no fields. */
export const WIT_BUNDLES_REQUEST: Buffer = Buffer.alloc(0)

/**
 * Reads a `WITSVIDResponse`. Fields that are not known are passed over.
 *
 * @throws MessageRefused when it is no such message, or an identity lacks a mandatory field
 */
export function readWitSvids(bytes: Uint8Array): readonly WitSvid[] {
  return fieldsOf(bytes)
    .filter(({ number }) => number === 1)
    .map(({ value }) => {
      const svid = textsOf(value, 4)
      const [spiffeId = '', wit = '', key = '', hint = ''] = [1, 2, 3, 4].map((number) => svid.get(number))
      if (spiffeId === '') throw new MessageRefused('an identity has no spiffe_id')
      if (wit === '') throw new MessageRefused('an identity has no wit_svid')
      if (key === '') throw new MessageRefused('an identity has no wit_svid_key')
      return { spiffeId, wit, key, hint }
    })
}

/**
 * Reads a `WITBundlesResponse`: JWK sets, as text, by trust domain. Fields that are not known are passed over.
 *
 * @throws MessageRefused when it is no such message
 */
export function readWitBundles(bytes: Uint8Array): ReadonlyMap<string, string> {
  const entries = fieldsOf(bytes).filter(({ number }) => number === 1)
  return new Map(
    entries.map(({ value }) => {
      const entry = textsOf(value, 2)
      return [entry.get(1) ?? '', entry.get(2) ?? '']
    }),
  )
}

interface Field {
  readonly number: number
  readonly value: Uint8Array
}

const LENGTH_DELIMITED = 2

/** The fields of a message that have a length: texts and messages, which is all that this API is made of. */
function fieldsOf(bytes: Uint8Array): readonly Field[] {
  const fields: Field[] = []
  try {
    const reader = protobuf.Reader.create(bytes)
    while (reader.pos < reader.len) {
      const tag = reader.uint32()
      const number = tag >>> 3
      if (number === 0) throw new RangeError('no field has the number 0')
      if ((tag & 7) === LENGTH_DELIMITED) fields.push({ number, value: reader.bytes() })
      else reader.skipType(tag & 7)
    }
  } catch {
    throw new MessageRefused('it is not a message in protobuf')
  }
  return fields
}

/** Texts by the number of their field, up to `highest`; of a field that is there twice the last counts. */
function textsOf(bytes: Uint8Array, highest: number): ReadonlyMap<number, string> {
  const known = fieldsOf(bytes).filter(({ number }) => number <= highest)
  return new Map(known.map(({ number, value }) => [number, readText(value)]))
}

// Not the reader's own: it takes bytes that are no UTF-8 for other characters.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new MessageRefused('a text in it is not UTF-8')
  }
}
