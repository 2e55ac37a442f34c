import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDemoAuthority } from './demo-authority.js'

const TRUST_DOMAIN = 'wimse://example.com'

/** Days before its end on which certificates are made anew. */
const RENEWED_DAYS_BEFORE = 7

/**
 * Makes the secrets of the demo, each into the folder of whoever needs it, unless they are there already: no
 * secret is in an image, in the environment, or in the repository.
 *
 * @param folder has the folders `identity`, `gateway`, `inventory`, `checkout` and `console`
 * @param now the day by which certificates are valid
 * @returns whether there was anything to do
 */
export async function provision(folder: string, now: Date = new Date()): Promise<boolean> {
  const marker = join(folder, 'identity', 'provisioned')
  if (existsSync(marker) && new Date(readFileSync(marker, 'utf8')) > now) return false
  const authority = await createDemoAuthority(now)
  const write = (service: string, name: string, text: string): void => {
    const path = join(folder, service, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text, { mode: 0o444 })
  }
  const newSecret = (): string => randomBytes(24).toString('base64url')
  const [checkout, console, visitor] = [newSecret(), newSecret(), newSecret()]
  const [visitorToken, latecomerToken] = [newSecret(), newSecret()]

  for (const service of ['gateway', 'inventory', 'checkout', 'console'])
    write(service, 'ca.pem', authority.ca)
  for (const [service, names] of [
    ['identity', ['identity', 'localhost']],
    ['gateway', ['gateway', 'localhost']],
  ] as const) {
    const { cert, key } = await authority.certificateFor(names)
    write(service, 'tls.crt', cert)
    write(service, 'tls.key', key)
  }
  const secrets = { checkout, console, visitor }
  for (const [name, secret] of Object.entries(secrets)) write('identity', `secrets/${name}`, secret)
  const workloads = Object.keys(secrets).map((name) => ({
    id: `${TRUST_DOMAIN}/${name}`,
    bootstrapFile: `secrets/${name}`,
  }))
  write('identity', 'registry.json', JSON.stringify({ workloads }, null, 2))
  write('checkout', 'bootstrap', checkout)
  write('console', 'bootstrap', console)
  write('console', 'visitor', visitor)
  write('console', 'visitor-token', visitorToken)
  write('console', 'latecomer-token', latecomerToken)
  const legacy = { [visitorToken]: `${TRUST_DOMAIN}/visitor`, [latecomerToken]: `${TRUST_DOMAIN}/latecomer` }
  write('inventory', 'legacy-tokens.json', JSON.stringify(legacy))
  // Last, so that what was left half done is done again.
  writeFileSync(marker, new Date(authority.until.getTime() - RENEWED_DAYS_BEFORE * 86_400_000).toISOString())
  return true
}
