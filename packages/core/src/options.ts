/**
 * Refuses option names nobody reads: a misspelt limit would silently be no limit.
 *
 * @throws TypeError naming the option
 */
export function refuseUnknownOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${where}: options must be an object`)
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`${where}: unknown option ${unknown}`)
}

/** What a number may be. */
export interface NumberRange {
  readonly default: number
  readonly min: number
  readonly max?: number
  readonly integer?: boolean
}

/**
 * Reads a number, or takes its default. A wrong value is never replaced by the default.
 *
 * @throws TypeError naming the option
 */
export function readNumber(name: string, value: unknown, range: NumberRange): number {
  const { min, max = Number.MAX_SAFE_INTEGER, integer = false } = range
  if (value === undefined) return range.default
  if (typeof value === 'number' && value >= min && value <= max && (!integer || Number.isInteger(value))) {
    return value
  }
  throw new TypeError(
    `option ${name} must be ${integer ? 'a whole number' : 'a number'} from ${min} to ${max}`,
  )
}

/** Reads a list of strings. @throws TypeError naming the option */
export function readStrings(name: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')) return value
  throw new TypeError(`option ${name} must be a list of strings`)
}

/**
 * Reads names of algorithms, or takes all of those it may be.
 *
 * @throws TypeError naming the option
 */
export function readAlgorithms(name: string, value: unknown, known: readonly string[]): ReadonlySet<string> {
  const names = readStrings(name, value === undefined ? known : value)
  const unknown = names.find((algorithm) => !known.includes(algorithm))
  if (unknown !== undefined)
    throw new TypeError(`option ${name}: ${unknown} is not one of ${known.join(', ')}`)
  if (names.length === 0) throw new TypeError(`option ${name} must not be empty`)
  return new Set(names)
}

/** Reads a function, or takes its default. @throws TypeError naming the option */
export function readFunction<F>(name: string, value: F | undefined, fallback: F): F {
  if (value === undefined) return fallback
  if (typeof value === 'function') return value
  throw new TypeError(`option ${name} must be a function`)
}

/** Fields that have a place of their own in a request. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'txn-token',
  'workload-identity-token',
  'workload-proof-token',
])

/**
 * Reads header field names into lower case. @throws TypeError naming the option
 */
export function readFieldNames(name: string, value: unknown): readonly string[] {
  if (value === undefined) return []
  const names = readStrings(name, value).map((field) => field.toLowerCase())
  const odd = names.find((field) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(field) || OWN_FIELDS.has(field))
  if (odd !== undefined)
    throw new TypeError(`option ${name}: ${odd} is not the name of a field for other tokens`)
  return names
}
