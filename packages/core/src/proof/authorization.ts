import { trimmed } from '../field-value.js'

/** An `Authorization` field taken apart. */
export interface Authorization {
  /** Lower case. */
  readonly scheme: string
  /** What follows the scheme, without the spaces around it; empty when nothing does. */
  readonly credentials: string
  /** The credentials of `Bearer` and `DPoP`: what `ath` has to cover. */
  readonly accessToken: string | undefined
}

/**
 * Takes the value of an `Authorization` field apart. The same on both sides, so that what the proof covers
 * is what the called side finds.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-11.4}
 */
export function readAuthorization(value: string): Authorization {
  const text = trimmed(value)
  const end = text.search(/[ \t]/)
  const scheme = (end === -1 ? text : text.slice(0, end)).toLowerCase()
  const credentials = end === -1 ? '' : trimmed(text.slice(end))
  return {
    scheme,
    credentials,
    accessToken: scheme === 'bearer' || scheme === 'dpop' ? credentials : undefined,
  }
}
