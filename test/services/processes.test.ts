import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@wimse-demo/console'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endPrograms, startProgram } from './program.js'

const start = startProgram
afterEach(endPrograms)

describe('npm start', () => {
  it('takes the tour once, prints the table, and ends with 0', async () => {
    const { exitCode, stdout, stderr } = start('console/dist/start.js', ['--once'])
    expect(await exitCode).toBe(0)
    expect(stdout()).toMatch(/^what was tried +status +code +as expected$/m)
    expect(stdout()).toMatch(/^an order through checkout, end to end +201 +- +yes$/m)
    expect(stdout()).toMatch(/^the same proof again +400 +WIMSE_WPT_REPLAYED +yes$/m)
    expect(stdout()).not.toContain('NO')
    expect(stdout() + stderr()).not.toMatch(/eyJ[\w-]+\./)
    expect(stderr()).toBe('')
  })

  it('refuses a flag it does not know', async () => {
    const { exitCode, stdout, stderr } = start('console/dist/start.js', ['--one'])
    expect(await exitCode).toBe(2)
    expect(stderr()).toMatch(/^Usage: npm start/)
    expect(stdout()).toBe('')
  })

  let scratch: string
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'demo-'))
  })
  afterEach(() => rmSync(scratch, { recursive: true, force: true }))

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`goes on serving what it says it serves, until ${signal}, and leaves no secret behind`, async () => {
      const program = start('console/dist/start.js', [], { TMPDIR: scratch })
      await program.says(/Ask the inventory without a proof:\n\n.*\n/)
      const ordering = program.says(/http:\S+\/orders/)
      const response = await fetch(await ordering, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"sku":"pear","quantity":1}',
      })
      expect(response.status).toBe(201)
      const refused = await fetch(await program.says(/http:\S+\/stock\/pear/))
      expect(await refused.json()).toMatchObject({ code: 'WIMSE_WIT_MISSING' })
      const page = await fetch(/http:\S+/.exec(await program.says(/^ +console +http:\S+\/$/m))![0])
      expect({ status: page.status, text: await page.text() }).toEqual({
        status: 200,
        text: expect.stringContaining('<title>Inspector'),
      })
      const folders = readdirSync(scratch)
      expect(folders.flatMap((folder) => readdirSync(join(scratch, folder)))).toContain('checkout')
      program.process.kill(signal)
      expect(await program.exitCode).toBe(0)
      expect(readdirSync(scratch)).toEqual([])
      expect(program.stdout() + program.stderr()).not.toMatch(/eyJ[\w-]+\./)
    })
  }

  it('leaves no secret behind when it is interrupted early', async () => {
    const program = start('console/dist/start.js', [], { TMPDIR: scratch })
    while (readdirSync(scratch).length === 0) await sleep(1)
    program.process.kill('SIGINT')
    expect(await program.exitCode).toBe(0)
    expect(readdirSync(scratch)).toEqual([])
  })
})

describe('npm run tour', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'demo-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** What it says in one sentence where it cannot go on. */
  async function obstacle(args: readonly string[]): Promise<string> {
    const env = { PATH: folder, TMPDIR: folder }
    const { exitCode, stdout, stderr } = start('console/dist/take-tour.js', args, env)
    expect({ code: await exitCode, stdout: stdout() }).toEqual({ code: 1, stdout: '' })
    expect(stderr()).toMatch(/^The tour cannot be taken: .*\n$/)
    return stderr()
  }

  it('says in a sentence that it cannot be taken, and why', async () => {
    const against = ['--against', `http://127.0.0.1:${await freePort(0)}`]
    expect(await obstacle(against)).toContain('docker compose')
    expect(readdirSync(folder)).toEqual([])
    expect(await obstacle([...against, '--material', folder])).toContain(join(folder, 'visitor'))
    for (const name of ['visitor', 'visitor-token', 'latecomer-token']) {
      writeFileSync(join(folder, name), 'the-secret-of-a-visitor')
    }
    const said = await obstacle([...against, '--material', folder])
    expect(said).toContain('ECONNREFUSED')
    expect(said).not.toContain('the-secret')
  })

  it('refuses a flag it does not know', async () => {
    const { exitCode, stderr } = start('console/dist/take-tour.js', ['--agains', 'http://127.0.0.1:1'])
    expect(await exitCode).toBe(2)
    expect(stderr()).toMatch(/^Usage: npm run tour/)
  })
})

describe('the services in processes of their own', () => {
  const secret = 'the-secret-of-checkout'
  const consoleSecret = 'the-secret-of-the-console'
  let folder: string
  let registryFile: string
  let bootstrapFile: string
  let consoleFile: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'demo-'))
    registryFile = join(folder, 'registry.json')
    bootstrapFile = join(folder, 'secret')
    writeFileSync(bootstrapFile, secret)
    consoleFile = join(folder, 'console')
    writeFileSync(consoleFile, consoleSecret)
    const workloads = [
      { id: 'wimse://example.com/checkout', bootstrapFile: 'secret' },
      { id: 'wimse://example.com/console', bootstrapFile: 'console' },
    ]
    writeFileSync(registryFile, JSON.stringify({ workloads }))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** What a compose file or a shell leaves behind where there is no value. */
  const BLANK = Object.fromEntries(
    (
      'HOST LOG_LEVEL KEY_LIFETIME WIT_LIFETIME PER_MINUTE_ADDRESS PER_MINUTE_WORKLOAD TRUSTED_PROXIES ' +
      'TLS_CERT_FILE TLS_KEY_FILE CA_FILE VALKEY_URL AUDIENCE_PREFIX LEGACY_TOKENS_FILE REPLICA_AUDIENCE ALLOW_INSECURE'
    )
      .split(' ')
      .map((name) => [name, '']),
  )

  it.each([
    ['', {}],
    [', the rest of which is empty', BLANK],
  ])('take an order from their environment%s, to the end, and close on SIGTERM', async (_, rest) => {
    const [identityPort, inventoryPort, checkoutPort, consolePort] = [
      await freePort(0),
      await freePort(0),
      await freePort(0),
      await freePort(0),
    ]
    const inventoryUrl = `http://127.0.0.1:${inventoryPort}`
    const identityServer = start('identity-server/dist/main.js', [], {
      ...rest,
      PORT: String(identityPort),
      TRUST_DOMAIN: 'wimse://example.com',
      PUBLIC_URL: `http://127.0.0.1:${identityPort}`,
      REGISTRY_FILE: registryFile,
      KEYS_FOLDER: join(folder, 'keys'),
      AUDIT_LOG: join(folder, 'audit', 'log.jsonl'),
    })
    await identityServer.says(/Server listening/)
    const inventory = start('inventory/dist/main.js', [], {
      ...rest,
      PORT: String(inventoryPort),
      AUDIENCE: inventoryUrl,
      TRUST_DOMAIN: 'wimse://example.com',
      JWKS_URL: `http://127.0.0.1:${identityPort}/jwks.json`,
      CHECKOUT_ID: 'wimse://example.com/checkout',
      CONSOLE_ID: 'wimse://example.com/console',
    })
    await inventory.says(/Server listening/)
    const checkout = start('checkout/dist/main.js', [], {
      ...rest,
      PORT: String(checkoutPort),
      IDENTITY_SERVER_URL: `http://127.0.0.1:${identityPort}`,
      BOOTSTRAP_FILE: bootstrapFile,
      WORKLOAD_ID: 'wimse://example.com/checkout',
      INVENTORY_URL: inventoryUrl,
    })
    await checkout.says(/Server listening/)

    const response = await fetch(`http://127.0.0.1:${checkoutPort}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"sku":"apple","quantity":1}',
    })
    expect(response.status).toBe(201)

    const consoleUrl = `http://127.0.0.1:${consolePort}`
    const console = start('console/dist/main.js', [], {
      ...rest,
      PORT: String(consolePort),
      ORIGINS: consoleUrl,
      IDENTITY_SERVER_URL: `http://127.0.0.1:${identityPort}`,
      BOOTSTRAP_FILE: consoleFile,
      WORKLOAD_ID: 'wimse://example.com/console',
      INVENTORY_URL: inventoryUrl,
      REPLICA_URLS: inventoryUrl,
      CHECKOUT_URL: `http://127.0.0.1:${checkoutPort}`,
      VISITOR_SECRET_FILE: bootstrapFile,
      VISITOR_TOKEN_FILE: bootstrapFile,
      LATECOMER_TOKEN_FILE: bootstrapFile,
    })
    await console.says(/Server listening/)
    const board = await (await fetch(`${consoleUrl}/api/board`)).json()
    expect(board).toMatchObject({
      replicas: [{ url: inventoryUrl, answers: true }],
      routes: expect.arrayContaining([
        expect.objectContaining({
          route: 'POST /stock/:sku/reservations',
          callers: [expect.objectContaining({ caller: 'wimse://example.com/checkout', uses: 'wit' })],
        }),
      ]),
    })

    for (const program of [console, checkout, inventory, identityServer]) {
      program.process.kill('SIGTERM')
      expect(await program.exitCode).toBe(0)
      expect(program.stdout() + program.stderr()).not.toMatch(/eyJ[\w-]+/)
      expect(program.stdout() + program.stderr()).not.toContain(secret)
      expect(program.stdout() + program.stderr()).not.toContain(consoleSecret)
      const addresses = program.stdout().match(/(?<=listening at )http:[^"]+/g)
      expect(addresses).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)])
    }
    expect(inventory.stdout()).toContain('"caller":"wimse://example.com/checkout"')
    const [audit] = readFileSync(join(folder, 'audit', 'log.jsonl'), 'utf8').split('\n')
    expect(JSON.parse(audit!)).toMatchObject({
      audit: { event: 'issued', subject: 'wimse://example.com/checkout' },
    })
  })

  it('listen on 8080, and log to standard output, where that is left empty', async () => {
    const { stdout, stderr, exitCode, says } = start('identity-server/dist/main.js', [], {
      ...BLANK,
      PORT: '',
      AUDIT_LOG: '',
      TRUST_DOMAIN: 'wimse://example.com',
      PUBLIC_URL: 'http://127.0.0.1:8080',
      REGISTRY_FILE: registryFile,
      KEYS_FOLDER: join(folder, 'keys'),
    })
    // Somebody else may have the port.
    await Promise.race([says(/listening/).catch(() => undefined), exitCode])
    expect(stdout() + stderr()).toMatch(/(?:listening at http:\/\/|EADDRINUSE.*)127\.0\.0\.1:8080/)
  })

  const incomplete: readonly { path: string; env: Record<string, string>; missing: string }[] = [
    { path: 'identity-server/dist/main.js', env: {}, missing: 'TRUST_DOMAIN is not set' },
    {
      path: 'identity-server/dist/main.js',
      env: {
        TRUST_DOMAIN: 'wimse://example.com',
        PUBLIC_URL: 'http://127.0.0.1:9',
        REGISTRY_FILE: '/nowhere/registry.json',
        KEYS_FOLDER: '/nowhere/keys',
      },
      missing: '/nowhere/registry.json',
    },
    { path: 'inventory/dist/main.js', env: { AUDIENCE: '' }, missing: 'AUDIENCE is not set' },
    {
      path: 'checkout/dist/main.js',
      env: { IDENTITY_SERVER_URL: 'http://127.0.0.1:9' },
      missing: 'BOOTSTRAP_FILE is not set',
    },
  ]
  for (const { path, env, missing } of incomplete) {
    it(`do not start: ${missing}`, async () => {
      const { exitCode, stderr } = start(path, [], env)
      expect(await exitCode).toBe(1)
      expect(stderr()).toContain(missing)
      expect(stderr()).not.toContain(secret)
    })
  }

  it('do not start when the identity server does not know them', async () => {
    const server = createServer((_request, response) => response.writeHead(401).end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const { exitCode, stderr } = start('checkout/dist/main.js', [], {
      IDENTITY_SERVER_URL: `http://127.0.0.1:${port}`,
      BOOTSTRAP_FILE: bootstrapFile,
      WORKLOAD_ID: 'wimse://example.com/checkout',
      INVENTORY_URL: 'http://127.0.0.1:9',
    })
    expect(await exitCode).toBe(1)
    expect(stderr()).toContain('the identity server answered 401')
    expect(stderr()).not.toContain(secret)
    server.close()
  })
})
