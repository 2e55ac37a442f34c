/**
 * Takes the spaces and tabs off both ends of a field value. By index, because the obvious regular expression
 * takes quadratic time on a long run of spaces, and anyone can send one.
 */
export function trimmed(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value.charCodeAt(start))) start++
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--
  return value.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
