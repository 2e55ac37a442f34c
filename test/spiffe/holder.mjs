// A process that has a credential and keys from a Workload API and then nothing more to do: node holder.mjs endpoint
import { spiffeBundles, spiffeCredentials } from 'wimse-spiffe'

const [endpoint, close] = process.argv.slice(2)
const sources = [spiffeCredentials({ endpoint }), spiffeBundles({ endpoint })]
const [credentials, bundles] = sources
const { subject } = await credentials.current()
const { keys } = await bundles.bundleFor('spiffe://example.org')
process.stdout.write(`${subject} ${keys.length}\n`)
if (close === 'close') for (const source of sources) await source.close()
