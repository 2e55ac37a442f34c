import { issueWit, type IssueWitOptions, parseJsonObject, parseWorkloadIdentifier } from 'wimse'
import type { Command } from '../command.js'
import { EXIT, Failure, inputFailure, usageFailure } from '../failure.js'
import { refuseSharedStdin } from '../input.js'
import { readOut, readPrivateKey, readPublicKey, writeSecret } from '../key-files.js'
import { readSeconds, required } from '../option-values.js'

/** `wimse wit issue` */
export const witIssueCommand: Command = {
  name: 'wit issue',
  summary: 'Sign an identity token that binds a workload identifier to a public key.',
  options: {
    'issuer-key': { value: 'FILE', about: 'private JWK of the identity server, with its alg', isFile: true },
    subject: { value: 'ID', about: 'workload identifier, such as wimse://example.com/checkout' },
    'confirmation-key': {
      value: 'FILE',
      about: 'JWK of the workload; of a private one only the public half is read into the token',
      isFile: true,
    },
    lifetime: { value: 'SECONDS', about: 'default 3600' },
    issuer: { value: 'URI', about: 'iss, for audit' },
    claim: {
      value: 'NAME=VALUE',
      multiple: true,
      about: 'a further claim; a value that is JSON is taken as such, others as text',
    },
    out: { value: 'FILE', about: 'write the token there, readable by you alone', isFile: true },
    force: { about: 'replace FILE when it is there' },
  },
  notes: [
    'This is for development and tests: it does not ask whether the workload is who you say. An identity server does.',
  ],
  positionals: [0, 0],
  examples: [
    'wimse wit issue --issuer-key issuer.jwk --subject wimse://example.com/checkout \\\n' +
      '  --confirmation-key checkout.jwk --out checkout.wit',
    'wimse wit issue --issuer-key issuer.jwk --subject wimse://example.com/checkout \\\n' +
      '  --confirmation-key checkout.jwk --lifetime 300 --claim region=eu --claim replicas=3',
  ],
  async run({ given, terminal, json, now, warn }) {
    const issuerFile = required(
      'issuer-key',
      given.one('issuer-key'),
      '`wimse key --out issuer.jwk` makes one.',
    )
    const subject = readSubject(given.one('subject'))
    const confirmationFile = required(
      'confirmation-key',
      given.one('confirmation-key'),
      '`wimse key --out checkout.jwk` makes one.',
    )
    refuseSharedStdin([issuerFile, confirmationFile])
    const file = readOut(given)
    const issuerKey = await readPrivateKey(issuerFile, 'the issuer key', terminal, warn)
    if (typeof issuerKey === 'string') {
      throw inputFailure(
        'the issuer key is PEM, which does not say its algorithm',
        'Give a private JWK with alg and kid.',
      )
    }
    const wit = await issue({
      issuerKey,
      subject,
      confirmationKey: await readPublicKey(confirmationFile, 'the confirmation key', terminal),
      issuer: given.one('issuer'),
      lifetime: readSeconds('lifetime', given.one('lifetime')),
      claims: readClaims(given.all('claim')),
      now,
    })
    if (file !== undefined) await writeSecret(file, `${wit}\n`, given.has('force'))
    if (json) {
      const document = { command: 'wit issue', file: file ?? null, ...(file === undefined ? { wit } : {}) }
      terminal.stdout(`${JSON.stringify(document, null, 2)}\n`)
    } else if (file === undefined) terminal.stdout(`${wit}\n`)
    return EXIT.done
  },
}

function readSubject(text: string | undefined): string {
  const example = 'For example wimse://example.com/checkout.'
  try {
    return parseWorkloadIdentifier(required('subject', text, example)).id
  } catch (error) {
    if (error instanceof Failure) throw error
    throw usageFailure('--subject is not a workload identifier', example)
  }
}

/** Keys that cannot sign as their `alg` says are found when they are used, by whoever reads keys. */
async function issue(options: IssueWitOptions): Promise<string> {
  try {
    return await issueWit(options)
  } catch (error) {
    if (error instanceof TypeError && !('code' in error)) throw error
    throw inputFailure(
      'the issuer key cannot sign as its alg says',
      'Its members and its alg have to be of one key: `wimse key --out FILE` makes one.',
    )
  }
}

function readClaims(texts: readonly string[]): Record<string, unknown> {
  const claims = texts.map((text) => {
    const equals = text.indexOf('=')
    if (equals < 1)
      throw usageFailure('--claim is not a name, = and a value', 'For example --claim region=eu.')
    const name = text.slice(0, equals)
    return [name, valueOf(name, text.slice(equals + 1))] as const
  })
  const names = claims.map(([name]) => name)
  const repeated = names.some((name, index) => names.indexOf(name) !== index)
  if (repeated)
    throw usageFailure('--claim names one claim twice', 'Give a list as JSON: --claim \'roles=["a","b"]\'.')
  return Object.fromEntries(claims)
}

function valueOf(name: string, text: string): unknown {
  const json = isJson(text) ? text : JSON.stringify(text)
  // As services read it: not with a member twice, which JSON.parse would drop.
  const claim = parseJsonObject(Buffer.from(`{${JSON.stringify(name)}:${json}}`))
  if (claim === null) {
    throw usageFailure(
      `--claim ${name} is nothing that a service reads`,
      'A member is there twice or named __proto__, it goes too deep, or a character is half of one.',
    )
  }
  if (numbersIn(json).every(staysAsItIs)) return claim[name]
  throw usageFailure(
    `--claim ${name} would not stay as it is`,
    'A number has too many digits. Text goes in quotes: --claim \'id="12"\'.',
  )
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function numbersIn(json: string): readonly string[] {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').match(/-?\d[\d.eE+-]*/g) ?? []
}

/** Whether a number is written the same once it has been read, but for zeros and its exponent. */
function staysAsItIs(number: string): boolean {
  return digitsOf(number) === digitsOf(String(Number(number)))
}

function digitsOf(number: string): string | null {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(number) ?? []
  if (whole === undefined) return null
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const shortest = digits.replace(/0+$/, '')
  if (shortest === '') return '0'
  return `${sign}${shortest}e${Number(exponent) - fraction.length + digits.length - shortest.length}`
}
