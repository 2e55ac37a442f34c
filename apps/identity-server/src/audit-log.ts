import { pino } from 'pino'

/** What happened to a request for an identity token. */
export interface AuditEntry {
  readonly event: 'issued' | 'refused'
  /** Workload identifier; null while nobody knows who asks. */
  readonly subject: string | null
  /** Where it came from, as the server sees it. */
  readonly address: string
  /** Number of the request in the other log. */
  readonly request: string
  /** RFC 7638 thumbprint of the key that was bound. */
  readonly keyThumbprint?: string
  /** `jti`, expiry (epoch seconds) and signing key of the token that was issued. */
  readonly jti?: string | undefined
  readonly expiresAt?: number | undefined
  readonly kid?: string | undefined
  /** Why it was refused. */
  readonly reason?: string
}

/** Writes one line an event. Never a token, never a secret. */
export type AuditLog = (entry: AuditEntry) => void

/** Where audit lines go: a file, or something that takes lines. */
export type AuditDestination = string | { write(line: string): void }

/**
 * Opens an audit log: a line of JSON for every identity token that was issued or refused.
 *
 * A line is written before the answer is sent, and a token whose line cannot be written is not given out.
 *
 * @param destination path of a file to append to, or something that takes lines
 */
export function openAuditLog(destination: AuditDestination): AuditLog {
  const stream =
    typeof destination === 'string'
      ? pino.destination({ dest: destination, append: true, mkdir: true, sync: true })
      : destination
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream)
  return (entry) => log.info(entry)
}
