import type { JsonWebKey, KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { type DecryptionKey, readDecryptionKey } from '../crypto/compact-jwe.js'
import { readNumber, readStrings, refuseUnknownOptions } from '../options.js'
import { readCertificates } from './certificates.js'
import { POSSESSION_ALGORITHMS, type PossessionAlgorithm } from './confirmed-key.js'
import type { FetchOptions } from './fetch-document.js'

/** Finds the key of an id; null (or undefined) when there is none. */
export type KeyDirectory = (
  kid: string,
) => JWK | JsonWebKey | null | undefined | Promise<JWK | JsonWebKey | null | undefined>

/** Options of `resolveConfirmation`: what each method of naming a key needs. A method without it is refused. */
export interface ConfirmationOptions {
  /**
   * For `cnf.jwe`: the private key of this service that issuers encrypt to. RSA of at least 2048 bits for
   * `RSA-OAEP-256`; P-256, P-384, P-521 or X25519 for `ECDH-ES`.
   */
  readonly decryptionKey?: JWK | JsonWebKey | KeyObject
  /**
   * For `cnf.kid` alone: keys known out of band, public or symmetric. Asked with the id exactly as it
   * stands in the token: compare it, and build neither a path nor a query of it. Rejecting, or an answer
   * that is no JWK, is 503.
   */
  readonly directory?: KeyDirectory
  /**
   * For `cnf.jku`: the whole https URLs key sets may be fetched from. No other is ever asked: redirects are
   * not followed.
   */
  readonly allowedJku?: readonly string[]
  /** Algorithms of confirmation keys accepted. Default all, signatures and MACs. */
  readonly algorithms?: readonly PossessionAlgorithm[]
  /** PEM certificates to trust for `allowedJku` instead of the system's. Host names are checked all the same. */
  readonly ca?: string | readonly string[]
  /** Milliseconds that fetching a key set or asking the directory may take. Default 5000. */
  readonly timeoutMs?: number
  /** Bytes a fetched key set may have. Default 1 MiB. */
  readonly maxBytes?: number
}

const NAMES: readonly (keyof ConfirmationOptions)[] = [
  'decryptionKey',
  'directory',
  'allowedJku',
  'algorithms',
  'ca',
  'timeoutMs',
  'maxBytes',
]

/** Options that have been checked; null for what was not given. */
export interface ConfirmationSettings {
  readonly decryptionKey: DecryptionKey | null
  readonly directory: KeyDirectory | null
  /** By `href`. */
  readonly allowedJku: ReadonlyMap<string, URL> | null
  readonly algorithms: ReadonlySet<string>
  readonly timeoutMs: number
  readonly fetching: FetchOptions
}

/** Checks every option, needed or not. @throws TypeError naming the one that is wrong */
export function readConfirmationOptions(options: ConfirmationOptions): ConfirmationSettings {
  refuseUnknownOptions('resolveConfirmation', options, NAMES)
  const { decryptionKey, directory, allowedJku, algorithms } = options
  if (directory !== undefined && typeof directory !== 'function') {
    throw new TypeError('option directory must be a function')
  }
  return {
    decryptionKey: decryptionKey === undefined ? null : readOurKey(decryptionKey),
    directory: directory ?? null,
    allowedJku: allowedJku === undefined ? null : readAllowedUrls(allowedJku),
    algorithms: algorithms === undefined ? new Set(POSSESSION_ALGORITHMS) : readAlgorithms(algorithms),
    timeoutMs: readNumber('timeoutMs', options.timeoutMs, { default: 5000, min: 1, max: 60_000 }),
    fetching: {
      maxBytes: readNumber('maxBytes', options.maxBytes, { default: 1_048_576, min: 64, integer: true }),
      ca: readCertificates('ca', options.ca),
      mostRedirects: 0,
    },
  }
}

function readOurKey(value: unknown): DecryptionKey {
  const key = readDecryptionKey(value)
  if (typeof key === 'string') throw new TypeError(`option decryptionKey: ${key}`)
  return key
}

function readAllowedUrls(value: unknown): ReadonlyMap<string, URL> {
  return new Map(
    readStrings('allowedJku', value).map((text) => {
      const url = URL.canParse(text) ? new URL(text) : null
      if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '' || text.includes('#')) {
        throw new TypeError('option allowedJku must be a list of https URLs without credentials and fragment')
      }
      return [url.href, url]
    }),
  )
}

function readAlgorithms(value: unknown): ReadonlySet<string> {
  const names = readStrings('algorithms', value)
  const unknown = names.find((name) => !(POSSESSION_ALGORITHMS as readonly string[]).includes(name))
  if (unknown !== undefined || names.length === 0) {
    throw new TypeError(`option algorithms must be a list of ${POSSESSION_ALGORITHMS.join(', ')}`)
  }
  return new Set(names)
}
