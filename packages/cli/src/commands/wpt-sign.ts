import { signRequest } from 'wimse'
import { BOUND_TOKEN_OPTIONS, readBoundTokens } from '../bound-tokens.js'
import type { Command } from '../command.js'
import { CREDENTIAL_OPTIONS, readCredential, readTarget } from '../credential-files.js'
import { EXIT } from '../failure.js'
import { readRevision, readSeconds, required, REVISION_OPTION } from '../option-values.js'

/** `wimse wpt sign` */
export const wptSignCommand: Command = {
  name: 'wpt sign',
  summary: 'Print the header fields that show who sends a request: the WIT and a new proof.',
  options: {
    ...CREDENTIAL_OPTIONS,
    url: { value: 'URL', about: 'where the request goes; query and fragment are not signed' },
    audience: { value: 'AUD', about: 'aud in place of the URL, where the called side has agreed on another' },
    ...BOUND_TOKEN_OPTIONS,
    revision: REVISION_OPTION,
    lifetime: { value: 'SECONDS', about: 'default 60, at most 300; never past the WIT' },
  },
  notes: [
    'A proof is good once and for about a minute: make one for each attempt. Method, query and body are not covered. ' +
      'What is printed is as good as the request it is for: send it nowhere else.',
    'Tokens that travel in the same request are covered, and not printed.',
  ],
  positionals: [0, 0],
  examples: [
    'wimse wpt sign --wit checkout.wit --key checkout.jwk --url https://inventory.example.com/stock/42',
    'wimse wpt sign --wit checkout.wit --key checkout.jwk --url https://inventory.example.com/stock/42 \\\n' +
      '  | curl -H @- https://inventory.example.com/stock/42',
  ],
  async run({ given, terminal, json, now, warn }) {
    const url = readTarget(
      required('url', given.one('url'), 'For example --url https://inventory.example.com/stock/42.'),
    )
    const credential = await readCredential(given, terminal, warn)
    const { headers, otherTokens } = await readBoundTokens(given, terminal)
    const fields = signRequest(credential, {
      url,
      headers,
      otherTokens,
      audience: given.one('audience'),
      revision: readRevision(given.one('revision')),
      lifetime: readSeconds('lifetime', given.one('lifetime')),
      now,
    })
    terminal.stdout(
      json
        ? `${JSON.stringify({ command: 'wpt sign', subject: credential.subject, headers: fields }, null, 2)}\n`
        : Object.entries(fields)
            .map(([name, value]) => `${name}: ${value}\n`)
            .join(''),
    )
    return EXIT.done
  },
}
