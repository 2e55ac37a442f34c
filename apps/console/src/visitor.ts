import { enrol } from '@wimse-demo/checkout'
import type { JWK } from 'jose'
import { type Credential, importCredential } from 'wimse'
import type { Services } from './services.js'

/** Who takes the tour: a workload with an identity of its own, and an eye for what others would try. */
export interface Visitor {
  readonly credential: Credential
  /** Private JWK of the credential. */
  readonly key: JWK
}

/** Gets the visitor an identity, as every workload gets one. */
export async function enrolVisitor(services: Services): Promise<Visitor> {
  const { identityServer, visitorSecret: secret } = services
  const { wit, key } = await enrol({ identityServer, secret })
  return { credential: await importCredential({ wit, key }), key }
}
