import type { Given, OptionSpec } from './command.js'
import { usageFailure } from './failure.js'
import { readToken } from './input.js'
import type { Terminal } from './terminal.js'

/** Tokens of a request beside WIT and proof, which the proof covers. */
export const BOUND_TOKEN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'access-token-file': {
    value: 'FILE',
    about: 'access token in the same request (Authorization: Bearer), covered by ath',
    isFile: true,
  },
  'txn-token-file': { value: 'FILE', about: 'Txn-Token in the same request, covered by tth', isFile: true },
  'other-token': {
    value: 'NAME=FILE',
    multiple: true,
    about: 'a further field that carries a token, covered by oth',
  },
}

/** The fields that carry them. */
export interface BoundTokenFields {
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Names of the further fields. */
  readonly otherTokens: readonly string[]
}

/** The paths among the options, for {@link refuseSharedStdin}. */
export function boundTokenPaths(given: Given): readonly (string | undefined)[] {
  return [
    given.one('access-token-file'),
    given.one('txn-token-file'),
    ...given.all('other-token').map((text) => text.slice(text.indexOf('=') + 1)),
  ]
}

/** Reads the tokens from their files. */
export async function readBoundTokens(given: Given, terminal: Terminal): Promise<BoundTokenFields> {
  const headers: (readonly [string, string])[] = []
  const otherTokens: string[] = []
  const accessToken = given.one('access-token-file')
  if (accessToken !== undefined) {
    headers.push(['Authorization', `Bearer ${await readToken(accessToken, 'the access token', terminal)}`])
  }
  const txnToken = given.one('txn-token-file')
  if (txnToken !== undefined) {
    headers.push(['Txn-Token', await readToken(txnToken, 'the transaction token', terminal)])
  }
  for (const text of given.all('other-token')) {
    const [, name, path] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.+)$/.exec(text) ?? []
    if (name === undefined || path === undefined) {
      throw usageFailure(
        '--other-token is not a field name, = and a file',
        'For example --other-token Context-Token=context.jwt.',
      )
    }
    headers.push([name, await readToken(path, `the token of ${name}`, terminal)])
    otherTokens.push(name)
  }
  return { headers, otherTokens }
}
