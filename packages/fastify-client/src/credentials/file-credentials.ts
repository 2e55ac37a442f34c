import {
  type Clock,
  type Credential,
  type CredentialEvent,
  type CredentialSource,
  importCredential,
  readFileWithin,
  readFunction,
  refuseUnknownOptions,
  SigningError,
  systemClock,
  tell,
  watchFile,
} from 'wimse'

/** Options of {@link fileCredentials}. */
export interface FileCredentialsOptions {
  /** Path of the identity token. */
  readonly wit: string
  /** Path of its private key: a JWK, or PEM. */
  readonly key: string
  /** Told when a new pair is in use, and when files cannot be used. Default nobody. */
  readonly onEvent?: (event: CredentialEvent) => void
  /** Epoch seconds. Default the system clock. */
  readonly now?: Clock
}

/** A change is noticed by watching; this is for file systems that do not tell. */
const READ_EVERY_MS = 10_000
const WATCH_SETTLES_MS = 50
const LONGEST_FILE = 65_536

/**
 * A credential in two files that something else keeps up to date, such as a sidecar. They need not be
 * replaced at once: a pair is used only when the key is the one the token names, and the old pair serves
 * until then, as long as its token has not expired.
 *
 * @returns a source whose `current()` rejects with `SigningError` `WIMSE_CREDENTIAL_MISSING` while there has
 *   been no pair yet
 * @throws TypeError naming the option that is wrong
 */
export function fileCredentials(options: FileCredentialsOptions): CredentialSource {
  refuseUnknownOptions('fileCredentials', options, ['wit', 'key', 'onEvent', 'now'])
  const { wit, key } = options
  const onEvent = readFunction('onEvent', options.onEvent, () => undefined)
  const now = readFunction('now', options.now, systemClock)
  for (const [name, value] of Object.entries({ wit, key })) {
    if (typeof value !== 'string' || value === '')
      throw new TypeError(`fileCredentials: ${name} must be a path`)
  }

  let credential: Credential | null = null
  let seen = ''
  let lastFailure: unknown = null
  let loading: Promise<void> | null = null
  let stop: (() => void) | null = null
  let closed = false

  const isGood = (held: Credential | null): held is Credential => held !== null && now() < held.expiresAt

  async function load(): Promise<void> {
    loading ??= read().finally(() => {
      loading = null
    })
    return loading
  }

  async function read(): Promise<void> {
    try {
      const [witText, keyText] = await Promise.all([readText(wit), readText(key)])
      const pair = `${witText}\n${keyText}`
      if (pair === seen) return
      const found = await importCredential({ wit: witText.trim(), key: readKey(keyText) })
      if (!isGood(found) && isGood(credential)) throw expired(found, null)
      credential = found
      seen = pair
      tell(onEvent, { type: 'refreshed', subject: credential.subject, expiresAt: credential.expiresAt })
    } catch (error) {
      lastFailure = error
      tell(onEvent, { type: 'failed', reason: reasonOf(error) })
    }
  }

  function start(): void {
    if (stop !== null || closed) return
    let settling: NodeJS.Timeout | undefined
    const changed = (): void => {
      clearTimeout(settling)
      settling = setTimeout(() => void load(), WATCH_SETTLES_MS).unref()
    }
    const unwatch = [watchFile(wit, changed), watchFile(key, changed)]
    const timer = setInterval(() => void load(), READ_EVERY_MS).unref()
    stop = () => {
      clearTimeout(settling)
      clearInterval(timer)
      for (const one of unwatch) one()
    }
  }

  return {
    async current() {
      if (closed) throw missing('the source is closed', null)
      start()
      // Past its expiry there may be another that nobody has told us of.
      if (!isGood(credential)) await load()
      if (credential === null) throw missing('there is no pair of identity token and key yet', lastFailure)
      if (!isGood(credential)) throw expired(credential, lastFailure)
      return credential
    },
    async renewed(refused) {
      if (closed) throw missing('the source is closed', null)
      await load()
      return credential ?? refused
    },
    close() {
      closed = true
      stop?.()
    },
  }
}

async function readText(path: string): Promise<string> {
  const bytes = await readFileWithin(path, LONGEST_FILE, AbortSignal.timeout(READ_EVERY_MS))
  return bytes.toString('utf8')
}

function readKey(text: string): string | object {
  const trimmed = text.trim()
  if (trimmed.startsWith('-----BEGIN')) return trimmed
  try {
    const jwk: unknown = JSON.parse(trimmed)
    if (typeof jwk === 'object' && jwk !== null) return jwk
  } catch {
    // What JSON.parse says of it quotes it.
  }
  return 'neither a JWK nor PEM'
}

function reasonOf(error: unknown): string {
  if (error instanceof SigningError) return error.diagnostics.reason
  return error instanceof Error && 'code' in error
    ? `a file cannot be read: ${String(error.code)}`
    : 'a file cannot be read'
}

function expired({ expiresAt }: Credential, cause: unknown): SigningError {
  const reason = 'the identity token in the file has expired'
  return new SigningError('WIMSE_CREDENTIAL_EXPIRED', {
    reason,
    received: expiresAt,
    ...(cause === null ? {} : { cause }),
  })
}

function missing(reason: string, cause: unknown): SigningError {
  return new SigningError('WIMSE_CREDENTIAL_MISSING', { reason, ...(cause === null ? {} : { cause }) })
}
