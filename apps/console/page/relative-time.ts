const UNITS: readonly (readonly [unit: string, seconds: number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
]

/** A length of time in its largest whole unit: `3 min`. */
export function lengthOf(seconds: number): string {
  const rounded = Math.round(Math.abs(seconds))
  const [unit, size] = UNITS.find(([, size]) => rounded >= size) ?? ['s', 1]
  return `${Math.floor(rounded / size)} ${unit}`
}

/** Where an instant lies from now: `3 min ago`, `in 58 s`. */
export function fromNow(instant: number, now: number): string {
  const rounded = Math.round(instant - now)
  if (rounded === 0) return 'now'
  return rounded < 0 ? `${lengthOf(rounded)} ago` : `in ${lengthOf(rounded)}`
}

/** The instant itself, for a tooltip or where exactness matters. */
export function asUtc(instant: number): string {
  const date = new Date(instant * 1000)
  return Number.isNaN(date.getTime()) ? String(instant) : date.toISOString().replace('.000Z', 'Z')
}
