import { readFileSync } from 'node:fs'
import { identityServerCredentials } from 'fastify-wimse-client'
import { createConsole } from './index.js'

// Empty is not set: HOST= would be every interface.
const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''))
const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info', REPLICA_AUDIENCE } = env

const identityServer = required('IDENTITY_SERVER_URL')
const app = await createConsole({
  origins: required('ORIGINS').split(','),
  services: {
    identityServer,
    inventory: required('INVENTORY_URL'),
    checkout: required('CHECKOUT_URL'),
    visitorSecret: secret('VISITOR_SECRET_FILE'),
    visitorToken: secret('VISITOR_TOKEN_FILE'),
    latecomerToken: secret('LATECOMER_TOKEN_FILE'),
  },
  credentials: identityServerCredentials({
    url: `${identityServer}/wit`,
    bootstrapFile: required('BOOTSTRAP_FILE'),
    subject: required('WORKLOAD_ID'),
  }),
  replicas: required('REPLICA_URLS')
    .split(',')
    .map((url) => ({ url, ...(REPLICA_AUDIENCE === undefined ? {} : { audience: REPLICA_AUDIENCE }) })),
  allowInsecure: env['ALLOW_INSECURE'] === 'true',
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

/** What is in a file, so that it is in no list of processes and in no image. */
function secret(name: string): string {
  return readFileSync(required(name), 'utf8').trim()
}

function required(name: string): string {
  const value = env[name]
  if (value === undefined) throw new TypeError(`${name} is not set`)
  return value
}
