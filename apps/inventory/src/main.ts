import { createInventory } from './index.js'

const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info' } = process.env

const app = await createInventory({
  audience: required('AUDIENCE'),
  trustDomains: { [required('TRUST_DOMAIN')]: { jwks: await fetchJwks(required('JWKS_URL')) } },
  checkout: required('CHECKOUT_ID'),
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

/** The keys as they are now: the service keeps them until it is started again. */
async function fetchJwks(url: string): Promise<{ keys: object[] }> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(5000) })
  if (!response.ok) throw new Error(`the identity server answered ${response.status}`)
  return JSON.parse(await response.text())
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new TypeError(`${name} is not set`)
  return value
}
