import { hash } from 'node:crypto'

/**
 * Hashes a token the way `wth`, `ath`, `tth` and `oth` do: base64url of the SHA-256 of its ASCII bytes.
 *
 * Header fields reach us decoded as ISO 8859-1, so that is how they are turned back into bytes.
 *
 * @see {@link https://www.ietf.org/archive/id/draft-ietf-wimse-wpt-01.html#section-2}
 */
export function tokenHash(token: string): string {
  return hash('sha256', Buffer.from(token, 'latin1'), 'base64url')
}
