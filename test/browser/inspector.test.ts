import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { signRequest } from 'wimse'
import { createTestIdentityServer, faults, goodRequest, type InjectRequest } from 'wimse-testkit'
import {
  chromiumPath,
  type ConsoleUnderTest,
  startConsoleUnderTest,
  type Watched,
} from './console-under-test.js'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const url = 'https://inventory.example.com/stock/42'
const good = { identityServer, url }

/** Faults by name, each with the check that has to name it. */
const PAIRS: Readonly<Record<string, string>> = {
  'the WIT comes twice': 'wit.single',
  'the proof is missing': 'proof.present',
  'the WIT is an access token': 'wit.type',
  'the subject has a port': 'wit.subject',
  'the trust domain is a stranger': 'wit.trust-domain',
  'the key id is unknown': 'wit.key',
  'the WIT is signed by a stranger': 'wit.signature',
  'the WIT has expired': 'wit.expiry',
  'the WIT gives the private key away': 'wit.confirmation',
  'the proof is a DPoP proof': 'proof.type',
  'the proof has expired': 'proof.expiry',
  'the proof is for another path': 'proof.audience',
  'the proof is for another WIT': 'proof.wit-hash',
  'an access token is not covered': 'proof.access-token',
  'the proof is signed with another key': 'proof.signature',
}

describe.skipIf(chromiumPath === null)('the inspector, in Chromium', () => {
  let console: ConsoleUnderTest
  let watched: Watched
  let page: Page
  beforeAll(async () => {
    console = await startConsoleUnderTest()
    watched = await console.open('#inspector')
    page = watched.page
  })
  afterAll(async () => console?.close())

  async function inspect({ headers }: Pick<InjectRequest, 'headers'>, keys: object = identityServer.jwks) {
    await page.click('button[type=reset]')
    await page.fill('#request', linesOf(headers))
    await page.fill('#url', url)
    await page.fill('#jwks', JSON.stringify(keys))
    // Folded away; what a keyboard does is a test of its own.
    await page.evaluate(() => document.querySelector('details.more')!.setAttribute('open', ''))
    await page.fill('#trust-domain', identityServer.origin)
    await page.click('button[type=submit]')
    await page.waitForSelector('#verdict .banner')
  }
  const outcomes = async (outcome: string): Promise<readonly string[]> =>
    page.$$eval(`[data-outcome=${outcome}]`, (items) => items.map((item) => item.getAttribute('data-check')!))

  it('passes a good pair, and leaves open what only the service can tell', async () => {
    await inspect(await goodRequest(good))
    expect(await page.textContent('#verdict')).toContain('Would be let in.')
    expect(await outcomes('failed')).toEqual([])
    expect(await outcomes('unknown')).toEqual(['revocation', 'replay'])
    expect((await outcomes('passed')).length).toBeGreaterThan(35)
    expect(await page.textContent('[data-check="proof.expiry"]')).toMatch(/expires in \d+ (?:s|min)/)
  })

  for (const [name, check] of Object.entries(PAIRS)) {
    it(`names ${check} first when ${name}`, async () => {
      const fault = faults.find((one) => one.name === name)!
      await inspect(await fault.request(good))
      expect(await page.textContent('#verdict')).toContain(`Refused: 400 ${fault.code}`)
      expect((await outcomes('failed'))[0]).toBe(check)
      expect(await page.textContent(`[data-check="${check}"]`)).toContain('answered with this')
      expect(await page.textContent(`[data-check="${check}"] .badge`)).toContain('failed')
    })
  }

  it('says how long ago a proof expired', async () => {
    await inspect(await faults.find(({ name }) => name === 'the proof has expired')!.request(good))
    expect(await page.textContent('[data-check="proof.expiry"]')).toContain('expired 2 min ago')
  })

  it('passes no signature it cannot check, for want of keys or of the algorithm', async () => {
    const credential = await identityServer.issue({ subject: '/caller', algorithm: 'Ed25519' })
    const request = { headers: signRequest(credential, { url }) }
    await inspect(request)
    expect(await outcomes('passed')).toContain('proof.signature')

    await page.evaluate(() => {
      const { subtle } = crypto
      const importKey = subtle.importKey.bind(subtle) as (...given: unknown[]) => Promise<CryptoKey>
      subtle.importKey = async (...given: unknown[]) => {
        if ((given[2] as { name: string }).name === 'Ed25519') throw new DOMException('', 'NotSupportedError')
        return importKey(...given)
      }
    })
    await inspect(request)
    expect(await outcomes('unknown')).toEqual(['proof.signature', 'revocation', 'replay'])
    expect(await page.textContent('#verdict')).toContain('Nobody can tell from this.')
    await page.reload()

    await page.fill('#request', linesOf(request.headers))
    await page.fill('#url', url)
    await page.click('button[type=submit]')
    await page.waitForSelector('#verdict .banner')
    expect(await outcomes('unknown')).toEqual(expect.arrayContaining(['wit.key', 'wit.signature']))
  })

  it('reads what browsers copy, and says what it left out', async () => {
    const { headers } = await goodRequest(good)
    const fields = Object.entries(headers).map(([name, value]) => `-H $'${name}: ${String(value)}'`)
    await page.click('button[type=reset]')
    await page.fill('#request', `curl '${url}' \\\n  ${fields.join(' \\\n  ')} --frobnicate`)
    await page.fill('#jwks', JSON.stringify(identityServer.jwks))
    await page.click('button[type=submit]')
    await page.waitForSelector('[data-check="wit.signature"][data-outcome=passed]', { state: 'attached' })
    expect(await outcomes('failed')).toEqual([])
    expect(await page.textContent('#notes')).toContain('--frobnicate was ignored')

    await page.fill('#request', `curl '${url}' -H @fields.txt`)
    await page.click('button[type=submit]')
    await page.waitForSelector('#verdict .banner.unknown')
    expect(await page.textContent('#verdict')).toContain('header fields that were not read')
    expect(await page.textContent('#notes')).toContain('header fields in a file were not read')
    expect(await outcomes('failed')).toEqual([])
  })

  it('says so, and quotes nothing, when a field cannot be read', async () => {
    await inspect(await goodRequest(good))
    await page.fill('#jwks', '{"secret')
    await page.click('button[type=submit]')
    await page.waitForSelector('#verdict .banner.unknown')
    const text = await page.textContent('.result')
    expect(text).toContain('the JWK set is not JSON')
    expect(text).not.toContain('secret')
  })

  it('fills in a sample of the demo that passes', async () => {
    await page.click('#sample')
    await page.waitForSelector('#verdict .banner.passed')
    expect(await page.textContent('#tokens')).toContain('wimse://example.com/visitor')
  })

  it('asks for nothing while it checks, and keeps nothing', async () => {
    const before = watched.requests.length
    await inspect(await goodRequest(good))
    await inspect(await faults[0].request(good))
    expect(watched.requests.slice(before)).toEqual([])
    const kept = await page.evaluate(async () => ({
      stores: localStorage.length + sessionStorage.length + (await indexedDB.databases()).length,
      caches: (await caches.keys()).length,
      address: location.href,
    }))
    expect(kept).toEqual({ stores: 0, caches: 0, address: `${console.url}#inspector` })
    expect(await page.context().cookies()).toEqual([])
    expect(watched.errors).toEqual([])
    expect(await watched.violations()).toEqual([])
  })

  it('works with the keyboard alone, and shows where it is', async () => {
    const { page } = await console.open()
    const press = async (key: string, times = 1) => {
      for (let i = 0; i < times; i++) await page.keyboard.press(key)
    }
    const focused = async () =>
      page.evaluate(() => {
        const { id, tagName } = document.activeElement!
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement!)
        return { what: id || tagName, visible: outlineStyle !== 'none' && outlineWidth !== '0px' }
      })
    await press('Tab')
    expect((await focused()).visible).toBe(true)
    await press('Enter')
    expect((await focused()).what).toBe('main')
    const { headers } = await goodRequest(good)
    for (const [id, text] of [
      ['request', linesOf(headers)],
      ['url', url],
      ['jwks', JSON.stringify(identityServer.jwks)],
    ] as const) {
      await press('Tab')
      expect(await focused()).toEqual({ what: id, visible: true })
      await page.keyboard.insertText(text)
    }
    await press('Tab')
    expect(await focused()).toEqual({ what: 'SUMMARY', visible: true })
    await press('Enter')
    await press('Tab')
    expect((await focused()).what).toBe('trust-domain')
    await page.keyboard.insertText(identityServer.origin)
    await press('Tab', 6)
    expect((await focused()).visible).toBe(true)
    await press('Enter')
    await page.waitForSelector('#verdict[role=status] .banner.passed')
    await page.context().close()
  })
})

function linesOf(headers: InjectRequest['headers']): string {
  return Object.entries(headers)
    .flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}`))
    .join('\n')
}
