import { createIdentityServer } from './index.js'

const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info' } = process.env

const app = await createIdentityServer({
  trustDomain: required('TRUST_DOMAIN'),
  secrets: readSecrets(required('BOOTSTRAP_SECRETS')),
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

/** `{ "wimse://example.com/checkout": "a long secret" }` */
function readSecrets(text: string): Record<string, string> {
  try {
    return JSON.parse(text)
  } catch {
    // Not the cause: its message quotes the text.
    throw new TypeError('BOOTSTRAP_SECRETS is not JSON: { "workload identifier": "secret" }')
  }
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new TypeError(`${name} is not set`)
  return value
}
