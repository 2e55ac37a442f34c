import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCheckout } from '@wimse-demo/checkout'
import { createIdentityServer } from '@wimse-demo/identity-server'
import { createInventory } from '@wimse-demo/inventory'
import { type CredentialSource, identityServerCredentials } from 'fastify-wimse-client'
import { freePort } from './free-port.js'
import type { Services } from './services.js'

/** The services, running in this process. */
export interface Embedded extends Services {
  /** The identity of the console: the one workload that may read how far the routes have come. */
  readonly consoleCredentials: CredentialSource
  /** Lets requests under way end, and closes the ports. */
  close(): Promise<void>
}

/** Options of {@link startEmbedded}. */
export interface EmbeddedOptions {
  /** Ports wanted; another one is taken where one is in use. Default any. */
  readonly ports?: { readonly identityServer: number; readonly inventory: number; readonly checkout: number }
  /** Pino's level, default `silent`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
}

const HOST = '127.0.0.1'
const TRUST_DOMAIN = 'wimse://example.com'
const CHECKOUT = `${TRUST_DOMAIN}/checkout`
const VISITOR = `${TRUST_DOMAIN}/visitor`
const CONSOLE = `${TRUST_DOMAIN}/console`
const LATECOMER = `${TRUST_DOMAIN}/latecomer`

/** Starts identity server, inventory and checkout on loopback; all they remember is in memory. */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<Embedded> {
  const { ports = { identityServer: 0, inventory: 0, checkout: 0 } } = options
  const log = { level: 'silent', ...options.log }
  const folder = await mkdtemp(join(tmpdir(), 'wimse-demo-'))
  const running: { close(): Promise<unknown> }[] = []
  const close = async (): Promise<void> => {
    for (const service of running.splice(0).toReversed()) await service.close()
    await rm(folder, { recursive: true, force: true })
  }
  const listen = async (
    service: Awaited<ReturnType<typeof createInventory>>,
    port: number,
  ): Promise<string> => {
    running.push(service)
    return service.listen({ host: HOST, port })
  }

  try {
    const [checkoutSecret, visitorSecret, consoleSecret] = [newSecret(), newSecret(), newSecret()]
    const identityPort = await freePort(ports.identityServer)
    const identityServer = await listen(
      await createIdentityServer({
        trustDomain: TRUST_DOMAIN,
        url: `http://${HOST}:${identityPort}`,
        secrets: { [CHECKOUT]: checkoutSecret, [VISITOR]: visitorSecret, [CONSOLE]: consoleSecret },
        // Beside what the services log, and not where they are to be quiet.
        ...(log.level === 'info' ? {} : { audit: { write: () => undefined } }),
        log,
      }),
      identityPort,
    )

    const latecomerToken = newSecret()
    const visitorToken = newSecret()
    const inventoryPort = await freePort(ports.inventory)
    const inventory = await listen(
      await createInventory({
        audience: `http://${HOST}:${inventoryPort}`,
        trustDomains: { [TRUST_DOMAIN]: { jwksUri: `${identityServer}/jwks.json` } },
        checkout: CHECKOUT,
        console: CONSOLE,
        legacyTokens: { [latecomerToken]: LATECOMER, [visitorToken]: VISITOR },
        log,
      }),
      inventoryPort,
    )

    const credentialsOf = async (subject: string, secret: string): Promise<CredentialSource> => {
      const bootstrapFile = join(folder, subject.slice(TRUST_DOMAIN.length + 1))
      await writeFile(bootstrapFile, secret, { mode: 0o600 })
      return identityServerCredentials({ url: `${identityServer}/wit`, bootstrapFile, subject })
    }
    const credentials = await credentialsOf(CHECKOUT, checkoutSecret)
    const checkout = await listen(
      await createCheckout({ credentials, inventory, log }),
      await freePort(ports.checkout),
    )
    return {
      identityServer,
      inventory,
      checkout,
      visitorSecret,
      consoleCredentials: await credentialsOf(CONSOLE, consoleSecret),
      latecomerToken,
      visitorToken,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function newSecret(): string {
  return randomBytes(24).toString('base64url')
}
