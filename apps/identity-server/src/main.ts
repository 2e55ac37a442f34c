import { readFileSync } from 'node:fs'
import { createIdentityServer } from './index.js'

// Empty is not set: HOST= would be every interface.
const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''))
const { HOST = '127.0.0.1', PORT = '8080', LOG_LEVEL = 'info' } = env

const app = await createIdentityServer({
  trustDomain: required('TRUST_DOMAIN'),
  url: required('PUBLIC_URL'),
  registryFile: required('REGISTRY_FILE'),
  keysFolder: required('KEYS_FOLDER'),
  keyLifetime: optionalNumber('KEY_LIFETIME'),
  witLifetime: optionalNumber('WIT_LIFETIME'),
  perMinute: {
    address: optionalNumber('PER_MINUTE_ADDRESS'),
    workload: optionalNumber('PER_MINUTE_WORKLOAD'),
  },
  trustedProxies: env['TRUSTED_PROXIES']?.split(','),
  audit: env['AUDIT_LOG'],
  tls: readTls(),
  log: { level: LOG_LEVEL },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close())
await app.listen({ host: HOST, port: Number(PORT) })

function readTls(): { cert: Buffer; key: Buffer } | undefined {
  const { TLS_CERT_FILE, TLS_KEY_FILE } = env
  if (TLS_CERT_FILE === undefined && TLS_KEY_FILE === undefined) return undefined
  return { cert: readFileSync(required('TLS_CERT_FILE')), key: readFileSync(required('TLS_KEY_FILE')) }
}

function optionalNumber(name: string): number | undefined {
  const value = env[name]
  return value === undefined ? undefined : Number(value)
}

function required(name: string): string {
  const value = env[name]
  if (value === undefined) throw new TypeError(`${name} is not set`)
  return value
}
