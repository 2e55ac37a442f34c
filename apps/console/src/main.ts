import { enrol } from '@wimse-demo/checkout'
import { staticCredentials } from 'fastify-wimse-client'
import { createConsole } from './index.js'

const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info', REPLICA_AUDIENCE } = process.env

const identityServer = required('IDENTITY_SERVER_URL')
const consoleSecret = required('BOOTSTRAP_SECRET')
const enrolment = await enrol({ identityServer, secret: consoleSecret })
const app = await createConsole({
  origins: required('ORIGINS').split(','),
  services: {
    identityServer,
    consoleSecret,
    inventory: required('INVENTORY_URL'),
    checkout: required('CHECKOUT_URL'),
    visitorSecret: required('VISITOR_SECRET'),
    visitorToken: required('VISITOR_TOKEN'),
    latecomerToken: required('LATECOMER_TOKEN'),
  },
  credentials: staticCredentials(enrolment),
  replicas: required('REPLICA_URLS')
    .split(',')
    .map((url) => ({ url, ...(REPLICA_AUDIENCE === undefined ? {} : { audience: REPLICA_AUDIENCE }) })),
  allowInsecure: process.env['ALLOW_INSECURE'] === 'true',
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new TypeError(`${name} is not set`)
  return value
}
