import type { IncomingMessage } from 'node:http'

/**
 * Finds out whether a request comes from a page of our own: under one of our names, and, where it may change
 * something, from one of our origins. A page elsewhere whose name was pointed at this machine has another
 * `Host`, and a form elsewhere another `Origin`.
 *
 * @param origins where this server is reached
 * @returns what is wrong, in words fit for the caller; null when nothing is
 */
export function createOriginGuard(
  origins: readonly string[],
): (request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders'>) => string | null {
  const byHost = new Map(origins.map((origin) => [new URL(origin).host, new URL(origin).origin]))
  return ({ method = '', url = '', rawHeaders }) => {
    const valuesOf = (name: string): readonly string[] =>
      rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name)
    const hosts = valuesOf('host')
    const own = hosts.length === 1 ? byHost.get(hosts[0]!.toLowerCase()) : undefined
    if (own === undefined || !url.startsWith('/')) return 'This is not a name of this console.'
    const [site, ...furtherSites] = valuesOf('sec-fetch-site')
    if (furtherSites.length > 0) return 'The request says twice where it comes from.'
    if (method === 'GET' || method === 'HEAD') {
      // A link from elsewhere may open the page, and reads nothing of the interface behind it.
      const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none'
      return isForeign && url.startsWith('/api/') ? 'The request comes from another site.' : null
    }
    const claimed = valuesOf('origin')
    if (claimed.length !== 1 || claimed[0] !== own) return 'The request does not come from this console.'
    return site === undefined || site === 'same-origin' ? null : 'The request comes from another site.'
  }
}
