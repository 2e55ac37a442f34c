import { AuthenticationError, createAuthenticator, readAuthorization, type Workload } from 'wimse'
import { explain } from 'wimse/explain'
import { BOUND_TOKEN_OPTIONS, boundTokenPaths, readBoundTokens } from '../bound-tokens.js'
import { checkLines, exitCodeOf, tokenLines, verdictLine } from '../check-report.js'
import type { Command } from '../command.js'
import { cureOf } from '../cures.js'
import { usageFailure } from '../failure.js'
import { readTokenArgument, refuseSharedStdin } from '../input.js'
import { readRevision, readSeconds, required, REVISION_OPTION } from '../option-values.js'
import { serverCrypto } from '../server-crypto.js'
import { readKeySet, readTrustDomain, TRUST_OPTIONS, trustDomainOf } from '../trust.js'

/** `wimse wpt verify` */
export const wptVerifyCommand: Command = {
  name: 'wpt verify',
  summary: 'Check an identity token and a proof as the called service would.',
  operands: '[FILE|-]',
  options: {
    wit: { value: 'FILE', about: 'the identity token that came with the proof', isFile: true },
    url: { value: 'URL', about: 'the URL that was called, as the service sees it' },
    audience: {
      value: 'ORIGIN',
      multiple: true,
      about: 'an origin the service is reached at; default that of the URL',
    },
    ...TRUST_OPTIONS,
    ...BOUND_TOKEN_OPTIONS,
    revision: REVISION_OPTION,
    'max-proof-lifetime': { value: 'SECONDS', about: 'how far ahead exp of the proof may lie; default 300' },
    'max-token-lifetime': { value: 'SECONDS', about: 'how far ahead exp of the WIT may lie; default 86400' },
    'clock-tolerance': { value: 'SECONDS', about: 'how far clocks may differ; default 5, at most 60' },
  },
  notes: [
    'Without FILE the proof comes from standard input. The same code decides as in services; what only a service can ' +
      'know is not asked: whether the proof was used before, and whether the workload was revoked.',
  ],
  positionals: [0, 1],
  takesFiles: true,
  examples: [
    'wimse wpt verify proof.jwt --wit checkout.wit --url https://inventory.example.com/stock/42 \\\n' +
      '  --jwks jwks.json --trust-domain wimse://example.com',
    'wimse wpt verify proof.jwt --wit checkout.wit --url https://inventory.example.com/stock/42 \\\n' +
      '  --jwks jwks.json --trust-domain wimse://example.com --access-token-file access.jwt --now 1760000000',
  ],
  async run({ given, terminal, json, now, warn }) {
    const [where = '-'] = given.positionals
    const witFile = required('wit', given.one('wit'), 'A file with the identity token.')
    const url = required('url', given.one('url'), 'For example --url https://inventory.example.com/stock/42.')
    const keys = required('jwks', given.one('jwks'), 'A file or URL with the keys of the trust domain.')
    const trustDomain = readTrustDomain(
      required('trust-domain', given.one('trust-domain'), 'For example wimse://example.com.'),
    )
    refuseSharedStdin([where, witFile, keys, given.one('cacert'), ...boundTokenPaths(given)])
    const wpt = await readTokenArgument(where, 'the proof', terminal, warn)
    const wit = await readTokenArgument(witFile, 'the WIT', terminal, warn)
    const { headers, otherTokens } = await readBoundTokens(given, terminal)
    const jwks = await readKeySet(keys, given, terminal, warn)
    const { origin, target } = readUrl(url)
    const audience = given.has('audience') ? given.all('audience') : origin
    const revision = readRevision(given.one('revision')) ?? 'wpt-01'
    const limits = limitsOf({
      maxProofLifetime: readSeconds('max-proof-lifetime', given.one('max-proof-lifetime')),
      maxTokenLifetime: readSeconds('max-token-lifetime', given.one('max-token-lifetime')),
      clockTolerance: readSeconds('clock-tolerance', given.one('clock-tolerance')),
    })
    const policy = { audience, otherTokens, revisions: [revision], ...limits }
    const trusted = trustDomainOf(given, jwks)

    const explanation = await explain(
      { target, headers, wit, wpt },
      { ...policy, now, trustDomains: { [trustDomain]: trusted } },
      serverCrypto,
    )
    // Of fields that cannot come twice here only the access token beside wpt-02 is left to explain() alone.
    const decided =
      revision === 'wpt-02' && given.has('access-token-file') ? explanation.code : await decide()
    if ((typeof decided === 'object' ? null : decided) !== explanation.code) {
      throw new Error('the verifier and its explanation disagree')
    }
    const workload = typeof decided === 'object' ? decided : null
    if (json) {
      const { code, status, title, verdict, unless, checks } = explanation
      const cure = code === null ? null : cureOf(code)
      const about = workload === null ? null : summaryOf(workload)
      const document = { command: 'wpt verify', verdict, code, status, title, cure, unless, now, revision }
      terminal.stdout(
        `${JSON.stringify({ ...document, workload: about, checks, wit: explanation.wit, wpt: explanation.wpt }, null, 2)}\n`,
      )
    } else {
      terminal.stdout(
        tokenLines(explanation.wit, explanation.wpt, now) +
          `${checkLines(explanation.checks, now)}\n${verdictLine(explanation, explanation.status)}`,
      )
    }
    return exitCodeOf(explanation)

    async function decide(): Promise<Workload | string> {
      const valuesOf = (name: string): readonly string[] =>
        headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value)
      const [authorization] = valuesOf('authorization')
      const authenticator = createAuthenticator({
        ...policy,
        trustDomains: { [trustDomain]: { ...trusted, jwks } },
        replay: false,
        now: () => now,
      })
      try {
        return await authenticator.authenticate({
          wit,
          wpt,
          path: target,
          revision,
          accessToken: authorization === undefined ? undefined : readAuthorization(authorization).accessToken,
          txnToken: valuesOf('txn-token')[0],
          header: valuesOf,
        })
      } catch (error) {
        if (error instanceof AuthenticationError) return error.code
        throw error
      } finally {
        await authenticator.close()
      }
    }
  },
}

/**
 * By hand, because the URL Standard would take dot segments out of a path that the service sees as it came. What no
 * client sends as it is written is escaped as the URL Standard has it.
 */
function readUrl(text: string): { readonly origin: string; readonly target: string } {
  // Breaks and tabs are none to the URL Standard, and a backslash is a slash up to the query.
  const plain = text.trim().replaceAll(/[\t\r\n]/g, '')
  const read = plain.replace(/^[^?#]*/, (path) => path.replaceAll('\\', '/'))
  const [, origin, rest] = /^(https?:\/\/[^/?#@]+)([^#]*)/i.exec(read) ?? []
  if (origin === undefined || !URL.canParse(origin)) {
    throw usageFailure(
      '--url is not an absolute http or https URL without user information',
      'For example --url https://inventory.example.com/stock/42.',
    )
  }
  const target = rest!.replace(/^(?!\/)/, '/').replaceAll(/[^\x21-\x7e]+|["<>`{}]/g, encodeURIComponent)
  return { origin: new URL(origin).origin, target }
}

function limitsOf<T extends object>(limits: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], undefined>
  }
}

function summaryOf({ id, trustDomain, expiresAt, keyThumbprint, boundTokens }: Workload): object {
  return { id, trustDomain, expiresAt, keyThumbprint, boundTokens }
}
