import { mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
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
 * Opens an audit log: a line of JSON for every identity token that was issued or refused, whatever the level of
 * the other log is.
 *
 * A line is written before the answer is sent, and a token whose line cannot be written is not given out.
 * Requests without a known secret that are too many for an address leave none, so that nobody can fill a disk.
 *
 * @param destination path of a file to append to, or something that takes lines and throws when it cannot
 */
export function openAuditLog(destination: AuditDestination): AuditLog {
  const stream = typeof destination === 'string' ? openFile(destination) : destination
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream)
  return (entry) => log.info({ audit: entry }, `identity token ${entry.event}`)
}

/** Pino's own takes a pipe that nobody reads any more for written to. */
function openFile(path: string): { write(line: string): void } {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'a', 0o600)
  return { write: (line) => void writeSync(file, line) }
}
