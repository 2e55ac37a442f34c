import { randomFillSync } from 'node:crypto'
import { FINGERPRINT_WORDS } from './fingerprint-words.js'

/** The place of an entry. Places of entries that are gone are used again. */
export type Place = number

/** No place: what is looked for is not there. */
export const NOWHERE: Place = -1

/**
 * A hash table of fingerprints that never stops to grow: room is taken in blocks and buckets are split one
 * at a time, so that the millionth entry costs what the first did. 36 bytes an entry.
 */
export interface FingerprintTable {
  find(words: Uint32Array): Place
  /** @returns the place of the new entry; it must not be in the table already */
  add(words: Uint32Array, end: number, owner: number): Place
  /** The second in which an entry ends. */
  endOf(place: Place): number
  ownerOf(place: Place): number
  /** Another place, kept with this one for the caller: a link of a list that runs through entries. */
  linkOf(place: Place): Place
  link(place: Place, to: Place): void
  /** Takes an entry out, so that it is no longer found. Its place keeps its link until it is given back. */
  remove(place: Place): void
  /** Tells whether the entry of a place has been taken out. */
  isRemoved(place: Place): boolean
  /** Gives the place of an entry that was taken out to later ones. */
  giveBack(place: Place): void
  /** Takes all entries out and all places back, in one step. Room for entries that was taken stays. */
  clear(): void
}

/** An entry, word by word: the fingerprint, then these. */
const END = FINGERPRINT_WORDS
const OWNER = END + 1
const NEXT = END + 2
const LINK = END + 3
const ENTRY_BITS = 3

/** In place of the owner of an entry that was taken out. */
const NOBODY = 0xffffffff

/** Entries or buckets in a block. A block of entries is 128 KiB, which the system hands out page by page. */
const BLOCK_BITS = 12
const IN_BLOCK = (1 << BLOCK_BITS) - 1

/** A power of two. */
const FEWEST_BUCKETS = 16

/** Makes an empty table. It grows as far as it is filled: the limit is its owner's business. */
export function createFingerprintTable(): FingerprintTable {
  // Words hold places + 1, so that a new block, all zero, is full of NOWHERE.
  const entries: Uint32Array[] = []
  const buckets: Uint32Array[] = [new Uint32Array(1 << BLOCK_BITS)]
  let bucketCount = FEWEST_BUCKETS
  /** The largest power of two that is not above `bucketCount`. */
  let lowerCount = FEWEST_BUCKETS
  let used = 0
  let size = 0
  let free: Place = NOWHERE
  // Whoever chooses jti chooses the fingerprint, and must not be able to choose the bucket with it.
  const [m0, m1, m2, m3, m4] = randomFillSync(new Uint32Array(5))

  const blockOf = (place: Place): Uint32Array => entries[place >>> BLOCK_BITS]!
  const startOf = (place: Place): number => (place & IN_BLOCK) << ENTRY_BITS
  const read = (place: Place, word: number): number => blockOf(place)[startOf(place) + word]!
  const write = (place: Place, word: number, value: number): void => {
    blockOf(place)[startOf(place) + word] = value
  }
  const headOf = (bucket: number): Place => buckets[bucket >>> BLOCK_BITS]![bucket & IN_BLOCK]! - 1
  const setHead = (bucket: number, place: Place): void => {
    buckets[bucket >>> BLOCK_BITS]![bucket & IN_BLOCK] = place + 1
  }

  function mix(w0: number, w1: number, w2: number, w3: number): number {
    let mixed =
      Math.imul(w0 ^ m4!, m0! | 1) + Math.imul(w1, m1! | 1) + Math.imul(w2, m2! | 1) + Math.imul(w3, m3! | 1)
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return mixed ^ (mixed >>> 16)
  }

  function bucketOf(mixed: number): number {
    const bucket = mixed & (2 * lowerCount - 1)
    return bucket < bucketCount ? bucket : bucket - lowerCount
  }

  function bucketAt(place: Place): number {
    const block = blockOf(place)
    const start = startOf(place)
    return bucketOf(mix(block[start]!, block[start + 1]!, block[start + 2]!, block[start + 3]!))
  }

  /** One more bucket, with its part of the entries of the bucket it comes from. */
  function split(): void {
    const from = bucketCount - lowerCount
    const to = bucketCount++
    if (to >>> BLOCK_BITS === buckets.length) buckets.push(new Uint32Array(1 << BLOCK_BITS))
    if (bucketCount === 2 * lowerCount) lowerCount = bucketCount
    let place = headOf(from)
    setHead(from, NOWHERE)
    while (place !== NOWHERE) {
      const next = read(place, NEXT) - 1
      const bucket = bucketAt(place)
      write(place, NEXT, headOf(bucket) + 1)
      setHead(bucket, place)
      place = next
    }
  }

  function takePlace(): Place {
    if (free !== NOWHERE) {
      const place = free
      free = read(place, LINK) - 1
      return place
    }
    if (used >>> BLOCK_BITS === entries.length) entries.push(new Uint32Array(1 << (BLOCK_BITS + ENTRY_BITS)))
    return used++
  }

  return {
    find(words) {
      const [w0, w1, w2, w3] = [words[0]!, words[1]!, words[2]!, words[3]!]
      let place = headOf(bucketOf(mix(w0, w1, w2, w3)))
      while (place !== NOWHERE) {
        const block = blockOf(place)
        const start = startOf(place)
        if (
          block[start] === w0 &&
          block[start + 1] === w1 &&
          block[start + 2] === w2 &&
          block[start + 3] === w3
        ) {
          return place
        }
        place = block[start + NEXT]! - 1
      }
      return NOWHERE
    },
    add(words, end, owner) {
      if (size++ >= bucketCount) split()
      const place = takePlace()
      const block = blockOf(place)
      const start = startOf(place)
      for (let word = 0; word < FINGERPRINT_WORDS; word++) block[start + word] = words[word]!
      const bucket = bucketAt(place)
      block[start + END] = end
      block[start + OWNER] = owner
      block[start + NEXT] = headOf(bucket) + 1
      block[start + LINK] = 0
      setHead(bucket, place)
      return place
    },
    endOf: (place) => read(place, END),
    ownerOf: (place) => read(place, OWNER),
    linkOf: (place) => read(place, LINK) - 1,
    link: (place, to) => write(place, LINK, to + 1),
    remove(place) {
      const bucket = bucketAt(place)
      const next = read(place, NEXT) - 1
      let before = headOf(bucket)
      if (before === place) {
        setHead(bucket, next)
      } else {
        while (read(before, NEXT) - 1 !== place) before = read(before, NEXT) - 1
        write(before, NEXT, next + 1)
      }
      write(place, OWNER, NOBODY)
      size--
    },
    isRemoved: (place) => read(place, OWNER) === NOBODY,
    giveBack(place) {
      write(place, LINK, free + 1)
      free = place
    },
    clear() {
      buckets.length = 1
      buckets[0]!.fill(0)
      bucketCount = FEWEST_BUCKETS
      lowerCount = FEWEST_BUCKETS
      used = 0
      size = 0
      free = NOWHERE
    },
  }
}
