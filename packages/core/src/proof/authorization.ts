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
  const [, scheme = '', credentials = ''] = /^[ \t]*([^ \t]*)[ \t]*(.*?)[ \t]*$/s.exec(value) ?? []
  const name = scheme.toLowerCase()
  return {
    scheme: name,
    credentials,
    accessToken: name === 'bearer' || name === 'dpop' ? credentials : undefined,
  }
}
