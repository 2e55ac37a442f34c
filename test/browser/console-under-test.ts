import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Embedded, freePort, startConsole, startEmbedded } from '@wimse-demo/console'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { realParts } from '../machine.js'

/** Where Chromium is; null when this machine has none, and these tests are skipped. */
export const chromiumPath: string | null = realParts.find(({ name }) => name === 'chromium')!.path

/** The console with its services, and a browser to look at it. */
export interface ConsoleUnderTest {
  readonly url: string
  readonly services: Embedded
  /** Opens a page. It remembers what its policy stopped and what it asked for. */
  open(hash?: string, options?: BrowserContextOptions): Promise<Watched>
  close(): Promise<void>
}

/** A page and what it did. */
export interface Watched {
  readonly page: Page
  /** URL of each request, in order. */
  readonly requests: readonly string[]
  /** Directives that something was stopped by. */
  readonly violations: () => Promise<readonly string[]>
  readonly errors: readonly string[]
}

const QUIET = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** Builds the page, starts the services, the console and Chromium. */
export async function startConsoleUnderTest(): Promise<ConsoleUnderTest> {
  const page = mkdtempSync(join(tmpdir(), 'wimse-console-'))
  buildPage(page)
  const services = await startEmbedded()
  const port = await freePort(0)
  const console = await startConsole({
    services,
    credentials: services.consoleCredentials,
    port,
    page,
    log: { level: 'silent' },
  })
  const browser = await chromium.launch({
    executablePath: chromiumPath!,
    args: [...QUIET, `--host-resolver-rules=MAP rebound.example 127.0.0.1`],
  })
  return {
    url: console.url,
    services,
    open: (hash = '', options = {}) => openPage(browser, console.url + hash, options),
    async close() {
      await browser.close()
      await console.close()
      await services.close()
      rmSync(page, { recursive: true, force: true })
    },
  }
}

/** From the source, with the packages as they are built: a page that is older than its source shows nothing. */
function buildPage(folder: string): void {
  const source = fileURLToPath(new URL('../../apps/console/page', import.meta.url))
  const vite = join(createRequire(join(source, 'main.ts')).resolve('vite/package.json'), '../bin/vite.js')
  const options = ['--outDir', folder, '--emptyOutDir', '--logLevel', 'warn']
  execFileSync(process.execPath, [vite, 'build', source, ...options], {
    stdio: 'pipe',
    // Vite takes the mode of its surroundings, and vitest's is not the one people get.
    env: { ...process.env, NODE_ENV: 'production' },
  })
}

async function openPage(browser: Browser, url: string, options: BrowserContextOptions): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const [requests, errors]: [string[], string[]] = [[], []]
  page.on('request', (request) => requests.push(request.url()))
  page.on('pageerror', (error) => errors.push(error.message))
  await page.addInitScript(() => {
    const stopped: string[] = []
    Object.assign(globalThis, { stopped })
    addEventListener('securitypolicyviolation', (event) => stopped.push(event.violatedDirective))
  })
  await page.goto(url)
  const violations = async (): Promise<readonly string[]> =>
    page.evaluate(() => (globalThis as unknown as { stopped: string[] }).stopped)
  return { page, requests, violations, errors }
}
