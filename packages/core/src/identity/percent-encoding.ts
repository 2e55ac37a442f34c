const UNRESERVED = /[A-Za-z0-9._~-]/

/**
 * Spells the escapes of a URI path in the one way RFC 3986 prefers: hex digits in upper case, and no
 * escape of a character that needs none. What is escaped for a reason (`%2F`) stays escaped.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2}
 */
export function normalizeEscapes(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return UNRESERVED.test(character) ? character : escape.toUpperCase()
  })
}
