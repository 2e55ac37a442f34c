import { AxeBuilder } from '@axe-core/playwright'
import { type Board, enrolVisitor, tour } from '@wimse-demo/console'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { signRequest } from 'wimse'
import { chromiumPath, type ConsoleUnderTest, startConsoleUnderTest } from './console-under-test.js'

const VISITOR = 'wimse://example.com/visitor'

describe.skipIf(chromiumPath === null)('the console, in Chromium', () => {
  let console: ConsoleUnderTest
  beforeAll(async () => {
    console = await startConsoleUnderTest()
  })
  afterAll(async () => console?.close())

  const position = (tried: string): number => tour.findIndex((call) => call.tried === tried)
  async function tryCall(page: Page, tried: string): Promise<void> {
    await page.click(`#calls li:nth-child(${position(tried) + 1}) button`)
    await page.waitForSelector('#attempt .exchange')
  }

  it('changes the board when a caller moves from a bearer token to a WIT', async () => {
    const { inventory, visitorToken } = console.services
    const prices = `${inventory}/prices/apple`
    const bearer = await fetch(prices, { headers: { authorization: `Bearer ${visitorToken}` } })
    expect(bearer.status).toBe(200)
    const { page } = await console.open('#board')
    const row = `[data-route="GET /prices/:sku"] [data-caller="${VISITOR}"]`
    await page.waitForSelector(`${row}[data-uses=bearer]`)
    expect(await page.textContent('[data-route="GET /prices/:sku"]')).toMatch(/not ready.*bearer token/s)
    expect(await page.textContent('#board-news')).toBe('')

    const { credential } = await enrolVisitor(console.services)
    const wit = await fetch(prices, { headers: signRequest(credential, { url: prices }) })
    expect(wit.status).toBe(200)
    await page.waitForSelector(`${row}[data-uses=wit]`)
    expect(await page.textContent(row)).toContain('WIT')
    expect(await page.textContent('#board-news')).toContain(`${VISITOR} on GET /prices/:sku uses a WIT`)
    await page.context().close()
  })

  it('shows the problem document of a call that is refused, beside the request with its tokens cut short', async () => {
    const { page } = await console.open('#try')
    await tryCall(page, 'an expired proof')
    expect(await page.textContent('#attempt-status')).toContain('400 WIMSE_WPT_EXPIRED – as expected')
    const response = await page.textContent('[aria-label=Response]')
    expect(response).toContain('Problem document')
    expect(response).toContain('"code": "WIMSE_WPT_EXPIRED"')
    const request = (await page.textContent('[aria-label=Request]'))!
    expect(request).toContain('Workload-Proof-Token')
    expect(request).toContain(VISITOR)
    expect(request).not.toMatch(/[\w-]{30,}\.[\w-]{30,}\.[\w-]{30,}/)

    await page.click('text=Look into this request')
    await page.waitForSelector('[data-check="proof.expiry"][data-outcome=failed]')
    expect(await page.textContent('#verdict')).toContain('WIMSE_WPT_EXPIRED')
    await page.context().close()
  })

  it('says so where nobody answers, for the list of calls and for looking into one', async () => {
    const { page, errors } = await console.open('#try')
    await tryCall(page, 'a signed call')
    await page.route('**/api/sample', async (route) => route.fulfill({ status: 500 }))
    await page.click('text=Look into this request')
    await page.waitForSelector('#attempt-status .banner.unknown')
    expect(await page.textContent('#attempt-status')).toContain('do not answer')
    expect(await page.isVisible('[aria-label=Request]')).toBe(true)
    expect(new URL(page.url()).hash).toBe('#try')

    await page.unroute('**/api/sample')
    await page.click('text=Look into this request')
    await page.waitForSelector('#verdict .banner')

    await page.route('**/api/settings', async (route) => route.abort())
    await page.goto(`${console.url}#try`)
    await page.reload()
    await page.waitForSelector('#attempt-status .banner.unknown')
    expect(await page.textContent('#attempt-status')).toContain('does not answer')
    expect(errors).toEqual([])
    await page.context().close()
  })

  it('makes every call of the tour as expected, each by its button', async () => {
    const { page } = await console.open('#try')
    for (const { tried } of tour) {
      await tryCall(page, tried)
      await page.waitForFunction(
        (text) => document.getElementById('attempt-status')?.textContent.includes(`: ${text}.`),
        tried,
      )
      expect(await page.textContent('#attempt-status')).toContain('as expected')
    }
    expect(await page.$$('#calls button')).toHaveLength(tour.length)
    await page.context().close()
  })

  it('asks its own origin alone, and its policy has nothing to stop; a script of another it stops', async () => {
    const { page, requests, violations, errors } = await console.open()
    await page.click('#sample')
    await page.waitForSelector('#verdict .banner.passed')
    await page.click('nav a[href="#board"]')
    await page.waitForSelector('.route')
    await page.click('nav a[href="#try"]')
    await tryCall(page, 'a signed call')
    expect(await violations()).toEqual([])
    expect(errors).toEqual([])
    expect(new Set(requests.map((request) => new URL(request).origin))).toEqual(
      new Set([new URL(console.url).origin]),
    )

    await page.evaluate(() => {
      const image = document.createElement('img')
      image.src = 'http://elsewhere.example/pixel'
      document.body.append(image)
      try {
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'ran = 1' }))
      } catch {
        // Trusted types refuse the text before there is a script.
      }
    })
    await page.waitForFunction(() => (globalThis as unknown as { stopped: string[] }).stopped.length >= 2)
    expect(await violations()).toEqual(expect.arrayContaining(['img-src', 'require-trusted-types-for']))
    expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false)
    await page.context().close()
  })

  it('does not answer under a name that somebody pointed at it', async () => {
    const { page } = await console.open()
    const { port } = new URL(console.url)
    const answer = await page.goto(`http://rebound.example:${port}/`)
    expect(answer!.status()).toBe(403)
    expect(await page.$('nav')).toBeNull()
    await page.context().close()
  })

  it('makes no call for a page of another origin', async () => {
    const signedCall = `${console.url}api/calls/${position('a signed call')}`
    const post = async (page: Page): Promise<void> =>
      page.evaluate(async (url) => {
        await fetch(url, { method: 'POST', mode: 'no-cors' }).catch(() => undefined)
      }, signedCall)
    const callsSeen = async (): Promise<number> => {
      const board = (await (await fetch(`${console.url}api/board`)).json()) as Board
      const route = board.routes.find(({ route }) => route === 'GET /stock/:sku')!
      return route.callers.reduce((sum, { wit }) => sum + wit.requests, 0)
    }
    const { page } = await console.open()
    const before = await callsSeen()
    await post(page)
    expect(await callsSeen()).toBe(before + 1)

    const elsewhere = Fastify().get('/', async (_request, reply) => reply.type('text/html').send('<p>hi</p>'))
    await page.goto(await elsewhere.listen({ host: '127.0.0.1', port: 0 }))
    const sent = page.waitForRequest(signedCall)
    await post(page)
    await sent
    expect(await callsSeen()).toBe(before + 1)
    await elsewhere.close()
    await page.context().close()
  })

  for (const width of [1280, 360]) {
    it(`has nothing that axe objects to, in light and dark, ${width} px wide, and no sideways scrolling`, async () => {
      const { page } = await console.open('#try', { colorScheme: 'light', viewport: { width, height: 800 } })
      await tryCall(page, 'an access token not covered')
      await expectAccessible(page, width)
      await page.click('text=Look into this request')
      await page.waitForSelector('#verdict .banner.failed')
      await expectAccessible(page, width)
      await page.click('nav a[href="#board"]')
      await page.waitForSelector('.route table')
      await expectAccessible(page, width)
      await page.context().close()
    })
  }

  it('would hear of it from axe when a field has no name', async () => {
    const { page } = await console.open()
    await page.evaluate(() => document.querySelector('label[for=url]')!.remove())
    const { violations } = await axe(page).withRules('label').analyze()
    expect(violations.map(({ id }) => id)).toContain('label')
    await page.context().close()
  })
})

/** Without frames there is nothing for a second page to put together. */
function axe(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).setLegacyMode()
}

/** In dark only the colours differ. */
async function expectAccessible(page: Page, width: number): Promise<void> {
  const light = await axe(page).analyze()
  await page.emulateMedia({ colorScheme: 'dark' })
  const dark = await axe(page).withRules('color-contrast').analyze()
  await page.emulateMedia({ colorScheme: 'light' })
  const found = [...light.violations, ...dark.violations]
  expect(
    found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => String(target)).join(' ')}`),
  ).toEqual([])
  expect(dark.passes.map(({ id }) => id)).toEqual(['color-contrast'])
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
}
