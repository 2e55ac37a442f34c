// A process that claims proofs as soon as it is told to: node claimant.mjs port fingerprint...
import { Redis } from 'ioredis'
import { redisReplayStore } from 'wimse-redis'

const [port, ...fingerprints] = process.argv.slice(2)
const client = new Redis(Number(port), '127.0.0.1')
const store = redisReplayStore({ client })
await client.ping()
process.send('ready')
process.once('message', () => void claimAll())

async function claimAll() {
  const claims = fingerprints.map(async (proof) => store.claim(proof, 60, 'wimse://example.com/checkout'))
  process.send(await Promise.all(claims))
  client.disconnect()
  process.disconnect()
}
