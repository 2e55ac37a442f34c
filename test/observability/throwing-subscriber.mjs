// A process whose subscribers throw. Prints what came of two requests, and what Node reported.
import { subscribe } from 'node:diagnostics_channel'
import { createAuthenticator, signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'

const uncaught = new Set()
process.on('uncaughtException', (error) => uncaught.add(error.message))
for (const name of ['wimse.verify', 'wimse.replay']) {
  subscribe(name, () => {
    throw new Error(name)
  })
}

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const audience = 'https://inventory.example.com'
const authenticator = createAuthenticator({ audience, trustDomains: identityServer.trustDomains })
const credential = await identityServer.issue({ subject: '/checkout' })
const fields = signRequest(credential, { url: `${audience}/stock` })
const tokens = {
  wit: fields['Workload-Identity-Token'],
  wpt: fields['Workload-Proof-Token'],
  path: '/stock',
}
const good = await authenticator.authenticate(tokens).then(({ id }) => id)
const replayed = await authenticator.authenticate(tokens).catch(({ code }) => code)
await new Promise((resolve) => setImmediate(resolve))
process.stdout.write(JSON.stringify({ good, replayed, uncaught: [...uncaught] }))
