// A process that wants a credential and keys from a Workload API and then has nothing more to do:
// node holder.mjs endpoint [close]
import { spiffeBundles, spiffeCredentials } from 'wimse-spiffe'

const [endpoint, close] = process.argv.slice(2)
const credentials = spiffeCredentials({ endpoint, timeoutMs: 1000 })
const bundles = spiffeBundles({ endpoint, timeoutMs: 1000 })
try {
  const { subject } = await credentials.current()
  const { keys } = await bundles.bundleFor('spiffe://example.org')
  process.stdout.write(`${subject} ${keys.length}\n`)
} catch (error) {
  process.stdout.write(`${error.code}\n`)
}
if (close === 'close') {
  await credentials.close()
  await bundles.close()
}
