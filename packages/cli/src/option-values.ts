import type { Revision } from 'wimse'
import { REVISIONS } from 'wimse'
import { usageFailure } from './failure.js'
import type { OptionSpec } from './command.js'

/** Reads epoch seconds. */
export function readEpoch(name: string, text: string): number {
  const seconds = /^\d{1,11}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN
  if (Number.isFinite(seconds)) return seconds
  throw usageFailure(`--${name} is not a number of seconds since 1970`, `For example --${name} 1760000000.`)
}

/** Reads a length of time; left out it is undefined, for the default of whoever asks. */
export function readSeconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw usageFailure(`--${name} is not a whole number of seconds`, `For example --${name} 60.`)
}

/** `--revision` of the commands that sign or check a proof. */
export const REVISION_OPTION: OptionSpec = {
  value: 'REVISION',
  about: 'wpt-01 has the proof in a field of its own, wpt-02 in Authorization; default wpt-01',
  choices: Object.keys(REVISIONS),
}

/** Reads the name of a revision. */
export function readRevision(text: string | undefined): Revision | undefined {
  if (text === undefined || Object.hasOwn(REVISIONS, text)) return text as Revision | undefined
  throw usageFailure('--revision is not one we know', `It is one of ${Object.keys(REVISIONS).join(', ')}.`)
}

/** An option that has to be there. */
export function required(name: string, value: string | undefined, cure: string): string {
  if (value !== undefined) return value
  throw usageFailure(`--${name} is missing`, cure)
}

const OPTIONS_OF_PACKAGES: Readonly<Record<string, string>> = {
  audience: '--audience',
  claims: '--claim',
  clockTolerance: '--clock-tolerance',
  confirmationKey: '--confirmation-key',
  issuer: '--issuer',
  issuerKey: '--issuer-key',
  lifetime: '--lifetime',
  maxProofLifetime: '--max-proof-lifetime',
  maxTokenLifetime: '--max-token-lifetime',
  otherTokens: '--other-token',
}

/** What a package says of one of its options, of the option that its value came from. */
export function inOptionsOfCommands(message: string): string {
  return message.replace(
    /^(?:option )?(?:trustDomains\["[^"]*"\]\.)?(\w+)(?= must |: )/,
    (text, name: string) => OPTIONS_OF_PACKAGES[name] ?? text,
  )
}
