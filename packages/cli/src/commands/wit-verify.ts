import { explain } from 'wimse/explain'
import { checkLines, checksOfWit, exitCodeOf, tokenLines, verdictLine, verdictOf } from '../check-report.js'
import type { Command } from '../command.js'
import { cureOf } from '../cures.js'
import { readTokenArgument, refuseSharedStdin } from '../input.js'
import { readSeconds, required } from '../option-values.js'
import { serverCrypto } from '../server-crypto.js'
import { readKeySet, readTrustDomain, TRUST_OPTIONS, trustDomainOf } from '../trust.js'

/** `wimse wit verify` */
export const witVerifyCommand: Command = {
  name: 'wit verify',
  summary: 'Check an identity token against the keys of its trust domain.',
  operands: '[FILE|-]',
  options: {
    ...TRUST_OPTIONS,
    'max-token-lifetime': { value: 'SECONDS', about: 'how far ahead exp may lie; default 86400' },
    'clock-tolerance': { value: 'SECONDS', about: 'how far clocks may differ; default 5, at most 60' },
  },
  notes: [
    'Without FILE the token comes from standard input. It may stand on the command line as well, where every process ' +
      'can read it.',
    'A token that holds shows nothing of who sends it: whoever has seen it can. `wimse wpt verify` checks the proof.',
  ],
  positionals: [0, 1],
  takesFiles: true,
  examples: [
    'wimse wit verify checkout.wit --jwks jwks.json --trust-domain wimse://example.com',
    'wimse wit verify - --jwks https://identity.example.com/jwks.json --trust-domain wimse://example.com < checkout.wit',
  ],
  async run({ given, terminal, json, now, warn }) {
    const [where = '-'] = given.positionals
    const keys = required('jwks', given.one('jwks'), 'A file or URL with the keys of the trust domain.')
    const trustDomain = readTrustDomain(
      required('trust-domain', given.one('trust-domain'), 'For example wimse://example.com.'),
    )
    refuseSharedStdin([where, keys, given.one('cacert')])
    const wit = await readTokenArgument(where, 'the WIT', terminal, warn)
    const jwks = await readKeySet(keys, given, terminal, warn)
    const maxTokenLifetime = readSeconds('max-token-lifetime', given.one('max-token-lifetime'))
    const clockTolerance = readSeconds('clock-tolerance', given.one('clock-tolerance'))
    const explanation = await explain(
      { wit, target: '/' },
      {
        now,
        // Of no meaning for the checks that are looked at.
        audience: 'https://service.invalid',
        trustDomains: { [trustDomain]: trustDomainOf(given, jwks) },
        ...(maxTokenLifetime === undefined ? {} : { maxTokenLifetime }),
        ...(clockTolerance === undefined ? {} : { clockTolerance }),
      },
      serverCrypto,
    )
    const checks = checksOfWit(explanation.checks)
    const verdict = verdictOf(checks)
    if (json) {
      const cure = verdict.code === null ? null : cureOf(verdict.code)
      const document = { command: 'wit verify', ...verdict, cure, now, checks, wit: explanation.wit }
      terminal.stdout(`${JSON.stringify(document, null, 2)}\n`)
    } else {
      terminal.stdout(
        `${tokenLines(explanation.wit, null, now)}${checkLines(checks, now)}\n${verdictLine(verdict)}`,
      )
    }
    return exitCodeOf(verdict)
  },
}
