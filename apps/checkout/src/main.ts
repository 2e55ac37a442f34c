import { readFileSync } from 'node:fs'
import { identityServerCredentials } from 'fastify-wimse-client'
import { createCheckout } from './index.js'

// Empty is not set: HOST= would be every interface.
const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''))
const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info', CA_FILE } = env

const app = await createCheckout({
  credentials: identityServerCredentials({
    url: `${required('IDENTITY_SERVER_URL')}/wit`,
    bootstrapFile: required('BOOTSTRAP_FILE'),
    subject: required('WORKLOAD_ID'),
    ...(CA_FILE === undefined ? {} : { ca: readFileSync(CA_FILE, 'utf8') }),
    onEvent: (event) =>
      app.log[event.type === 'failed' ? 'warn' : 'info']({ credential: event }, 'credential'),
  }),
  inventory: required('INVENTORY_URL'),
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

function required(name: string): string {
  const value = env[name]
  if (value === undefined) throw new TypeError(`${name} is not set`)
  return value
}
