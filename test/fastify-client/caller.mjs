// A process that trusts an authority of its own: NODE_EXTRA_CA_CERTS=... node caller.mjs wit key url...
// Calls each URL as a workload, and tells what came of it.
import { createWorkloadFetch, staticCredentials } from 'fastify-wimse-client'

const [wit, key, ...urls] = process.argv.slice(2)
const workloadFetch = createWorkloadFetch({
  credentials: staticCredentials({ wit, key: JSON.parse(key) }),
  targets: urls.map((url) => new URL(url).origin),
})
for (const url of urls) {
  const outcome = await workloadFetch(url).then(
    ({ status }) => String(status),
    (error) => error.cause?.code ?? error.code ?? String(error),
  )
  process.stdout.write(`${outcome}\n`)
}
