import { parseWorkloadIdentifier, signRequest } from 'wimse'
import type { Services } from './services.js'
import { enrolVisitor } from './visitor.js'

/** A request to try the inspector with, and what it takes to check it. */
export interface Sample {
  /** A `curl` command. */
  readonly request: string
  /** Key set of the trust domain, as its identity server gives it. */
  readonly jwks: string
  /** Scheme and trust domain. */
  readonly trustDomain: string
}

/** Makes a request that the inventory would let in, once, within a minute. */
export async function sampleRequest(services: Services): Promise<Sample> {
  const { credential } = await enrolVisitor(services)
  const url = `${services.inventory}/stock/apple`
  const fields = Object.entries(signRequest(credential, { url }))
  const lines = [`curl '${url}'`, ...fields.map(([name, value]) => `  -H '${name}: ${value}'`)]
  const jwks = await fetch(`${services.identityServer}/jwks.json`, { signal: AbortSignal.timeout(5000) })
  if (!jwks.ok) throw new Error(`the identity server answered ${jwks.status}`)
  return {
    request: lines.join(' \\\n'),
    jwks: JSON.stringify(await jwks.json(), null, 2),
    trustDomain: parseWorkloadIdentifier(credential.subject).trustDomain,
  }
}
