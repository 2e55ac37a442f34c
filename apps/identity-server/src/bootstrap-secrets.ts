import { createHash, timingSafeEqual } from 'node:crypto'
import { parseWorkloadIdentifier } from 'wimse'

/** Knows which workload a bootstrap secret was given to. */
export interface BootstrapSecrets {
  /** Gives the workload identifier, or null when nobody was given this secret. Takes as long for either. */
  subjectOf(secret: string): string | null
}

const SHORTEST_SECRET = 16

/**
 * Reads which workload was given which secret. Only hashes are kept.
 *
 * @param secrets secret by workload identifier
 * @throws TypeError for an identifier of another trust domain, and for a secret that is short or shared
 */
export function readBootstrapSecrets(
  trustDomain: string,
  secrets: Readonly<Record<string, string>>,
): BootstrapSecrets {
  const entries = Object.entries(secrets).map(([subject, secret]) => {
    const { id, trustDomain: domain } = parseWorkloadIdentifier(subject)
    if (domain !== trustDomain) throw new TypeError(`${id} is not a workload of ${trustDomain}`)
    if (typeof secret !== 'string' || secret.length < SHORTEST_SECRET) {
      throw new TypeError(`the secret of ${id} must have at least ${SHORTEST_SECRET} characters`)
    }
    return { subject: id, hash: hashOf(secret) }
  })
  if (new Set(entries.map(({ hash }) => hash.toString('hex'))).size < entries.length) {
    throw new TypeError('two workloads share a secret')
  }
  return {
    subjectOf(secret) {
      const presented = hashOf(secret)
      let found: string | null = null
      // Every entry, and hashes instead of secrets, so that the time taken tells nothing.
      for (const { subject, hash } of entries) if (timingSafeEqual(hash, presented)) found = subject
      return found
    },
  }
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
