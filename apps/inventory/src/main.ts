import { createInventory } from './index.js'

const {
  HOST = '127.0.0.1',
  PORT = '8080',
  LOG_LEVEL = 'info',
  LEGACY_TOKENS = '',
  CONSOLE_ID = '',
} = process.env

const app = await createInventory({
  audience: required('AUDIENCE'),
  trustDomains: { [required('TRUST_DOMAIN')]: { jwksUri: required('JWKS_URL') } },
  checkout: required('CHECKOUT_ID'),
  ...(CONSOLE_ID === '' ? {} : { console: CONSOLE_ID }),
  legacyTokens: LEGACY_TOKENS === '' ? {} : JSON.parse(LEGACY_TOKENS),
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new TypeError(`${name} is not set`)
  return value
}
