import { staticCredentials } from 'fastify-wimse-client'
import { createCheckout, enrol } from './index.js'

const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info' } = process.env

const enrolment = await enrol({
  identityServer: required('IDENTITY_SERVER_URL'),
  secret: required('BOOTSTRAP_SECRET'),
})
const app = await createCheckout({
  credentials: staticCredentials(enrolment),
  inventory: required('INVENTORY_URL'),
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new TypeError(`${name} is not set`)
  return value
}
