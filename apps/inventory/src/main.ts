import { readFileSync } from 'node:fs'
import { Redis } from 'iovalkey'
import { createInventory } from './index.js'

// Empty is not set: HOST= would be every interface.
const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''))
const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info', CONSOLE_ID, VALKEY_URL } = env
const { LEGACY_TOKENS_FILE, AUDIENCE_PREFIX } = env

// Fails at once while it is not there: a request that waits for it would be answered with 503 all the same.
const valkey =
  VALKEY_URL === undefined
    ? null
    : new Redis(VALKEY_URL, { enableOfflineQueue: false, maxRetriesPerRequest: 1 })
const app = await createInventory({
  audience: {
    origins: required('AUDIENCE').split(','),
    ...(AUDIENCE_PREFIX === undefined ? {} : { pathPrefix: { add: AUDIENCE_PREFIX } }),
  },
  trustDomains: { [required('TRUST_DOMAIN')]: { jwksUri: required('JWKS_URL') } },
  checkout: required('CHECKOUT_ID'),
  ...(CONSOLE_ID === undefined ? {} : { console: CONSOLE_ID }),
  ...(valkey === null ? {} : { valkey }),
  legacyTokens: LEGACY_TOKENS_FILE === undefined ? {} : readTokens(LEGACY_TOKENS_FILE),
  log: { level: LOG_LEVEL },
})
valkey?.on('error', (error) => app.log.warn({ err: error }, 'valkey'))
app.addHook('onClose', async () => valkey?.disconnect())
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

/** `{ "token": "wimse://example.com/visitor" }` */
function readTokens(path: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
  } catch {
    // Not the cause: its message quotes the text.
    throw new TypeError(`${path} is not JSON: { "token": "workload identifier" }`)
  }
}

function required(name: string): string {
  const value = env[name]
  if (value === undefined) throw new TypeError(`${name} is not set`)
  return value
}
