// A process that trusts an authority of its own: NODE_EXTRA_CA_CERTS=... node caller.mjs '{"wit":…,"key":…,…}'
// Calls each URL as a workload, and tells what came of it.
import { createWorkloadFetch, staticCredentials } from 'fastify-wimse-client'

const { wit, key, urls, ...options } = JSON.parse(process.argv[2])
const workloadFetch = createWorkloadFetch({ credentials: staticCredentials({ wit, key }), ...options })
for (const url of urls) {
  const outcome = await workloadFetch(url).then(
    async (response) => `${await response.text().then(() => response.status)}`,
    (error) => error.cause?.code ?? error.code ?? String(error),
  )
  process.stdout.write(`${outcome}\n`)
}
