const UNITS: readonly (readonly [unit: string, seconds: number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
]

/** Where an instant lies from now, in its largest whole unit: `3 min ago`, `in 58 s`. */
export function fromNow(instant: number, now: number): string {
  const seconds = Math.round(instant - now)
  if (!Number.isFinite(seconds)) return 'never'
  if (seconds === 0) return 'now'
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size)!
  const length = `${Math.floor(Math.abs(seconds) / size)} ${unit}`
  return seconds < 0 ? `${length} ago` : `in ${length}`
}

/** The same with the date, as far as there is one. */
export function instantAndDistance(instant: number, now: number): string {
  const date = new Date(instant * 1000)
  const utc = Number.isNaN(date.getTime()) ? String(instant) : date.toISOString().replace('.000Z', 'Z')
  return `${utc}, ${fromNow(instant, now)}`
}
