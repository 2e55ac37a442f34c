import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { provision } from '@wimse-demo/console'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { freePort, redisServerPath, startRedis } from '../redis/redis-server.js'
import { nginxPath, startNginxFrom } from '../transports/nginx.js'
import { endPrograms, type Program, startProgram } from './program.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface ComposeService {
  readonly image: string
  readonly build?: object
  readonly user?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: object
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

describe('docker-compose.yml', () => {
  const { services, volumes } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), {
    merge: true,
  }) as {
    services: Record<string, ComposeService>
    volumes: Record<string, unknown>
  }
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

  it('runs every service of the demo, two of them inventories', () => {
    expect(Object.keys(services).toSorted()).toEqual([
      'checkout',
      'console',
      'gateway',
      'identity',
      'inventory-1',
      'inventory-2',
      'provision',
      'valkey',
    ])
  })

  for (const [name, service] of Object.entries(services)) {
    it(`gives ${name} no more rights than it needs`, () => {
      expect(service.read_only).toBe(true)
      expect(service.cap_drop).toEqual(['ALL'])
      expect(service.security_opt).toEqual(['no-new-privileges:true'])
      expect(service.user ?? dockerfile).toMatch(/^\d{3}:\d{3}$|\nUSER 1000:1000\n/)
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
    })

    it(`pins the image of ${name}, and keeps secrets out of its environment`, () => {
      expect(service.image).toMatch(/:(?:local|\d[\w.-]+)$/)
      for (const [variable, value] of Object.entries(service.environment ?? {})) {
        if (/SECRET|TOKEN|BOOTSTRAP|_KEY|KEYS_/.test(variable)) expect(value).toMatch(/^\/srv\//)
      }
    })

    it(`${name}: says when it is well, and waits for what it needs`, () => {
      if (name !== 'provision') expect(service.healthcheck).toBeDefined()
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(services).toHaveProperty([needed])
        expect(condition).toMatch(/^service_(?:healthy|completed_successfully|started)$/)
      }
    })

    it(`${name}: has volumes that are declared, and secrets that it cannot change`, () => {
      for (const volume of service.volumes ?? []) {
        const [source, target, mode] = volume.split(':')
        if (!source!.startsWith('.')) expect(volumes).toHaveProperty([source!])
        if (name !== 'provision' && target !== '/srv/keys') expect([volume, mode]).toEqual([volume, 'ro'])
      }
    })
  }

  it('is built on images with a version', () => {
    for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) expect(image).toMatch(/:\d+-\w+/)
  })
})

describe('provision()', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'provision-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8')

  it('makes secrets once, and anew before certificates run out', async () => {
    const now = new Date('2026-11-22T00:00:00Z')
    expect(await provision(folder, now)).toBe(true)
    const [secret, certificate] = [read('checkout/bootstrap'), read('gateway/tls.crt')]
    expect(read('identity/secrets/checkout')).toBe(secret)
    expect(await provision(folder, new Date('2027-02-01T00:00:00Z'))).toBe(false)
    expect(read('checkout/bootstrap')).toBe(secret)
    expect(await provision(folder, new Date('2027-02-16T00:00:00Z'))).toBe(true)
    expect(read('gateway/tls.crt')).not.toBe(certificate)
    expect(read('identity/secrets/checkout')).toBe(read('checkout/bootstrap'))
  })

  it('gives each service what is its own', () => {
    for (const other of ['console', 'gateway', 'inventory']) {
      expect(() => statSync(join(folder, other, 'registry.json'))).toThrow(/ENOENT/)
    }
    expect(read('console/bootstrap')).not.toBe(read('checkout/bootstrap'))
    expect(JSON.parse(read('inventory/legacy-tokens.json'))).toEqual({
      [read('console/visitor-token')]: 'wimse://example.com/visitor',
      [read('console/latecomer-token')]: 'wimse://example.com/latecomer',
    })
  })
})

describe.skipIf(nginxPath === null || redisServerPath === null)(
  'the demo as it is deployed, without containers',
  () => {
    let folder: string
    let gateway: string
    let redis: Awaited<ReturnType<typeof startRedis>>
    let nginx: Awaited<ReturnType<typeof startNginxFrom>>
    const programs: Program[] = []

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'stack-'))
      await provision(folder)
      redis = await startRedis()
      const port = { gateway: 0, identity: 0, first: 0, second: 0, checkout: 0 }
      for (const name of Object.keys(port) as (keyof typeof port)[]) port[name] = await freePort()
      gateway = `https://localhost:${port.gateway}`
      const identity = `https://localhost:${port.identity}`
      const common = {
        TRUST_DOMAIN: 'wimse://example.com',
        IDENTITY_SERVER_URL: identity,
        NODE_EXTRA_CA_CERTS: join(folder, 'gateway', 'ca.pem'),
      }
      const run = async (path: string, env: Record<string, string>): Promise<void> => {
        const program = startProgram(path, [], { ...common, ...env })
        programs.push(program)
        await program.says(/Server listening/)
      }
      await run('identity-server/dist/main.js', {
        PORT: String(port.identity),
        PUBLIC_URL: identity,
        REGISTRY_FILE: join(folder, 'identity', 'registry.json'),
        KEYS_FOLDER: join(folder, 'keys'),
        TLS_CERT_FILE: join(folder, 'identity', 'tls.crt'),
        TLS_KEY_FILE: join(folder, 'identity', 'tls.key'),
        TRUSTED_PROXIES: 'loopback',
      })
      for (const replica of [port.first, port.second]) {
        await run('inventory/dist/main.js', {
          PORT: String(replica),
          AUDIENCE: gateway,
          AUDIENCE_PREFIX: '/inventory',
          JWKS_URL: `${identity}/jwks.json`,
          CHECKOUT_ID: 'wimse://example.com/checkout',
          LEGACY_TOKENS_FILE: join(folder, 'inventory', 'legacy-tokens.json'),
          VALKEY_URL: `redis://127.0.0.1:${redis.port}`,
        })
      }
      const configuration = readFileSync(join(root, 'apps/console/gateway/nginx.conf'), 'utf8')
        .replace('inventory-1:8080', `127.0.0.1:${port.first}`)
        .replace('inventory-2:8080', `127.0.0.1:${port.second}`)
        .replace('server checkout:8080', `server 127.0.0.1:${port.checkout}`)
        .replace('server identity:8443', `server 127.0.0.1:${port.identity}`)
        .replace('listen 8443', `listen 127.0.0.1:${port.gateway}`)
        .replaceAll('/tmp/', `${folder}/nginx-`)
        .replaceAll('/srv/demo', join(folder, 'gateway'))
      nginx = await startNginxFrom(configuration, [port.gateway])
      await run('checkout/dist/main.js', {
        PORT: String(port.checkout),
        BOOTSTRAP_FILE: join(folder, 'checkout', 'bootstrap'),
        WORKLOAD_ID: 'wimse://example.com/checkout',
        INVENTORY_URL: `${gateway}/inventory`,
      })
    })
    afterAll(async () => {
      await endPrograms()
      await nginx?.close()
      await redis?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const takeTour = async (): Promise<{ code: number | null; said: string }> => {
      const tour = startProgram(
        'console/dist/take-tour.js',
        ['--against', gateway, '--material', join(folder, 'console')],
        { NODE_EXTRA_CA_CERTS: join(folder, 'gateway', 'ca.pem') },
      )
      return { code: await tour.exitCode, said: tour.stdout() + tour.stderr() }
    }

    it('takes the whole tour behind the gateway, and a replay at the other replica is refused', async () => {
      const { code, said } = await takeTour()
      expect(said).toMatch(/the same proof again, at the other replica +400 +WIMSE_WPT_REPLAYED +yes/)
      expect(said).toMatch(/an order through checkout, end to end +201/)
      expect([code, said.includes('NO')]).toEqual([0, false])
    })

    it('answers 503 while the store is away, and goes on once it is back', async () => {
      await redis.kill()
      const { code, said } = await takeTour()
      expect(code).toBe(1)
      expect(said).toMatch(/a signed call +503 +WIMSE_REPLAY_STORE_UNAVAILABLE +NO/)
      await redis.restart()
      for (let tries = 0; tries < 20; tries++) {
        if ((await takeTour()).code === 0) return
      }
      throw new Error('it did not come back')
    })

    it('refuses what is not under a prefix as the client sent it', async () => {
      writeFileSync(
        join(folder, 'probe.mjs'),
        `
      for (const path of ['/', '/inventory', '/%69nventory/healthz', '/stock/apple', '/inventory/healthz']) {
        console.log((await fetch('${gateway}' + path)).status)
      }`,
      )
      const probe = startProgram(join(folder, 'probe.mjs'), [], {
        NODE_EXTRA_CA_CERTS: join(folder, 'gateway', 'ca.pem'),
      })
      await probe.exitCode
      expect(probe.stdout().trim().split('\n')).toEqual(['404', '400', '400', '404', '200'])
    })
  },
)
