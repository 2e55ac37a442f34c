import { readFileSync } from 'node:fs'
import Fastify, { type FastifyInstance } from 'fastify'
import { wimse } from 'fastify-wimse'
import type { Credential } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestAuthority } from '../https/test-authority.js'
import { sharedVectors } from '../machine.js'
import { freePort } from '../redis/redis-server.js'
import { readVectors } from '../vectors/shared.js'
import { type Nginx, nginxPath, startNginx } from './nginx.js'
import { type Field, hashOf, type ProofOptions, type Tokens, tokensFor } from './tokens.js'
import { type Answer, portOf, sendHttp1, type Sent } from './transports.js'

interface Row {
  readonly requestTarget: string
  readonly configuredAuthorities: readonly string[]
  readonly aud: string
  readonly match: boolean
  readonly why: string
}

const { rows } = readVectors<{ rows: Row[] }>('audience-matching.json', { rows: [] })

const HOST = 'workload.example.com'
const ORIGIN = `https://${HOST}`
const PREFIX = '/inventory'
const PATH_URL = `${ORIGIN + PREFIX}/path`

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
const authority = createTestAuthority()

describe.skipIf(nginxPath === null)('behind nginx, which ends TLS and strips a prefix', () => {
  let app: FastifyInstance
  let nginx: Nginx
  /** Ports: the recipe of docs/audience.md, `proxy_pass` with a URI, and what ingress-nginx makes. */
  let [recipe, plain, ingress] = [0, 0, 0]
  let credential: Credential
  /** Request targets as the service received them. */
  const arrived: string[] = []
  let handled = 0

  beforeAll(async () => {
    credential = await identityServer.issue({ subject: '/checkout' })
    app = Fastify({ forceCloseConnections: true, http: { maxHeaderSize: 65_536 } })
    await app.register(wimse, {
      audience: { origins: [ORIGIN], pathPrefix: { add: PREFIX } },
      trustDomains: identityServer.trustDomains,
      revisions: ['wpt-01', 'wpt-02'],
    })
    app.all('/*', async ({ workload, url }) => {
      handled++
      return { caller: workload!.id, url }
    })
    app.server.prependListener('request', ({ url }: { url: string }) => void arrived.push(url))
    await app.listen({ port: 0, host: '127.0.0.1' })
    ;[recipe, plain, ingress] = [await freePort(), await freePort(), await freePort()]
    nginx = await startNginx(
      documentedRecipe(recipe, portOf(app)) +
        otherServer(plain, 'location /inventory/ { proxy_pass http://inventory/; }') +
        otherServer(ingress, INGRESS),
      authority.certificateFor(HOST),
      [recipe, plain, ingress],
    )
  })
  afterAll(async () => {
    await nginx.close()
    await app.close()
  })

  const tokens = async (proof: Partial<ProofOptions> = {}): Promise<Tokens> =>
    tokensFor(credential, { aud: PATH_URL, ...proof })

  const send = async (
    fields: readonly Field[],
    sent: Partial<Sent> = {},
    port = recipe,
  ): Promise<Answer & { readonly arrived: readonly string[] }> => {
    const before = arrived.length
    const trusted = { ca: authority.ca, servername: HOST }
    const answer = await sendHttp1(
      port,
      { target: `${PREFIX}/path`, authority: HOST, ...sent, fields },
      trusted,
    )
    return { ...answer, arrived: arrived.slice(before) }
  }

  /** Sends a new proof for `aud` to a target, and says how that ended. */
  const attempt = async (
    aud: string,
    target: string,
    port = recipe,
  ): Promise<{ outcome: string; arrived: readonly string[] }> => {
    const { wit, proof } = await tokens({ aud })
    const before = handled
    const { status, body, arrived } = await send([wit, proof], { target }, port)
    const outcome = status === 200 ? 'accepted' : (/"code":"(\w+)"/.exec(body)?.[1] ?? `nginx ${status}`)
    expect(handled - before).toBe(outcome === 'accepted' ? 1 : 0)
    return { outcome, arrived }
  }

  describe.skipIf(sharedVectors === null)('audience-matching.json with the prefix put in front of', () => {
    it('has the rows we know', () => expect(rows).toHaveLength(22))
    for (const { requestTarget, configuredAuthorities, aud, match, why } of rows) {
      const [target, audience] = [withPrefix(requestTarget), withPrefix(aud)]
      it(`both: ${match ? 'accepts' : 'refuses'} ${why}: ${audience} at ${target}`, async () => {
        expect(configuredAuthorities).toEqual([ORIGIN])
        const { outcome, arrived } = await attempt(audience, target)
        // nginx turns the absolute form into the origin form and passes everything else on as it came.
        expect(arrived).toEqual([requestTarget.replace(/^http:\/\/[^/]+/, '')])
        expect(outcome).toBe(match ? 'accepted' : 'WIMSE_WPT_AUDIENCE')
        // The control: the proof that is for this target.
        const right = ORIGIN + target.replace(/^http:\/\/[^/]+/, '').replace(/\?.*/, '')
        expect(await attempt(right, target)).toMatchObject({ outcome: 'accepted' })
      })

      // The service as the gateway calls it is not the service as callers know it.
      const unprefixed = { outcome: 'WIMSE_WPT_AUDIENCE' }
      it(`the target alone: refuses ${aud === '' ? 'nothing' : aud} at ${target}`, async () => {
        expect(await attempt(aud, target)).toMatchObject(unprefixed)
      })
    }
  })

  describe('the recipe', () => {
    it('passes a target on as it came, without the prefix', async () => {
      for (const target of [
        '/path?a=1&b=%2F..%2F',
        '/path?',
        '/%7Euser',
        '/a%2fb',
        '/a%2Fb',
        '/a%20b',
        '/a%3Fb',
        '/a%25b',
        '/%C3%A9',
        '/a+b;c=d',
        '//x',
        '/x//y',
        '/',
      ]) {
        const aud = ORIGIN + PREFIX + target.replace(/\?.*/, '')
        expect(await attempt(aud, PREFIX + target)).toEqual({ outcome: 'accepted', arrived: [target] })
      }
    })

    for (const target of [
      '/inventory/a/../path',
      '/inventory/../inventory/path',
      '/inventory/%2e%2e/inventory/path',
      '/inventory/a/.%2E/path',
      '/inventory/./path',
      '/inventory/path#x',
      '/inventory/a\\..\\path',
    ]) {
      it(`passes ${target} on, where it is refused, whatever the proof is for`, async () => {
        for (const aud of [ORIGIN + target, PATH_URL, `${ORIGIN}/path`]) {
          expect((await attempt(aud, target)).outcome).toBe('WIMSE_TARGET_INVALID')
        }
      })
    }

    for (const [target, status, why] of [
      ['//inventory/path', 400, 'it is under the prefix only once slashes are merged'],
      ['/x/../inventory/path', 400, 'it is under the prefix only once dot segments are removed'],
      ['/%69nventory/path', 400, 'it is under the prefix only once it is unescaped'],
      ['/inventory%2Fpath', 400, 'an escaped slash ends no segment'],
      ['/inventory/a%00b', 400, 'of the zero byte'],
      ['/inventory/%zz', 400, 'of the broken escape'],
      ['*', 400, 'it is no path'],
      ['/inventory/../admin', 404, 'it is not under the prefix'],
      ['/inventory/a%2f..%2f..%2f..%2fadmin', 400, 'it leads out of the root'],
      ['/inventory/a%2f..%2f..%2fadmin', 404, 'it is not under the prefix'],
      ['/Inventory/path', 404, 'case counts'],
      ['/path', 404, 'it is not under the prefix'],
      ['/inventory', 301, 'nginx adds the slash; clients of this suite do not follow'],
    ] as const) {
      it(`answers ${target} with ${status} itself, since ${why}`, async () => {
        for (const aud of [ORIGIN + target, PATH_URL, ORIGIN + PREFIX]) {
          expect(await attempt(aud, target)).toEqual({ outcome: `nginx ${status}`, arrived: [] })
        }
      })
    }

    it('turns the absolute form into a path, so the authority in it opens nothing and spoils nothing', async () => {
      for (const named of ['http://attacker.example', 'https://attacker.example', ORIGIN]) {
        const target = `${named}${PREFIX}/path`
        expect(await attempt(`https://attacker.example${PREFIX}/path`, target)).toEqual({
          outcome: 'WIMSE_WPT_AUDIENCE',
          arrived: ['/path'],
        })
        expect(await attempt(PATH_URL, target)).toEqual({ outcome: 'accepted', arrived: ['/path'] })
      }
    })

    it('has no use for an aud that ends at the authority, since neighbours have the same', async () => {
      expect((await attempt(ORIGIN, `${PREFIX}/`)).outcome).toBe('WIMSE_WPT_AUDIENCE')
      expect((await attempt(ORIGIN + PREFIX, `${PREFIX}/`)).outcome).toBe('WIMSE_WPT_AUDIENCE')
      expect((await attempt(`${ORIGIN}/payments/path`, `${PREFIX}/path`)).outcome).toBe('WIMSE_WPT_AUDIENCE')
      expect((await attempt(`${ORIGIN + PREFIX}/`, `${PREFIX}/`)).outcome).toBe('accepted')
    })

    it('lets no Host and no forwarded field take part', async () => {
      const forged: readonly Field[] = [
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Prefix', '/evil'],
        ['Forwarded', 'host=evil.example'],
      ]
      const good = await tokens()
      const sent = { authority: 'evil.example' }
      expect((await send([good.wit, good.proof, ...forged], sent)).status).toBe(200)
      const evil = await tokens({ aud: `https://evil.example${PREFIX}/path` })
      const { body } = await send([evil.wit, evil.proof, ...forged], sent)
      expect(JSON.parse(body)).toMatchObject({ status: 400, code: 'WIMSE_WPT_AUDIENCE' })
    })

    it('passes repeated fields on, which are refused', async () => {
      const { wit, proof } = await tokens()
      for (const [fields, code] of [
        [[wit, wit, proof], 'WIMSE_WIT_REPEATED'],
        [[wit, proof, proof], 'WIMSE_WPT_REPEATED'],
      ] as const) {
        expect(JSON.parse((await send(fields)).body)).toMatchObject({ code })
      }
      const bearer: Field = ['Authorization', 'Bearer an-access-token']
      const covered = await tokens({ claims: { ath: hashOf('an-access-token') } })
      const before = handled
      // nginx passes both on up to 1.22 and answers 400 itself from 1.23 on.
      expect((await send([covered.wit, covered.proof, bearer, bearer])).status).toBe(400)
      expect((await send([covered.wit, covered.proof, ['Host', HOST]])).status).toBe(400)
      expect(handled).toBe(before)
      expect((await send([covered.wit, covered.proof, bearer])).status).toBe(200)
    })

    it('passes a body, the second carriage and its challenge on, and a proof is good once', async () => {
      const { wit, proof } = await tokens({ revision: 'wpt-02' })
      const first = await send([wit, proof], { method: 'POST', body: 'take one' })
      expect(first.status).toBe(200)
      const second = await send([wit, proof], { method: 'POST', body: 'take one' })
      expect([second.status, second.headers['www-authenticate']]).toEqual([401, 'WPT'])
      expect(JSON.parse(second.body)).toMatchObject({ code: 'WIMSE_WPT_REPLAYED' })
    })

    it('takes a WIT of 11 kB, for which the buffers of nginx are too small unless they are raised', async () => {
      const big = await identityServer.issue({ subject: '/big', claims: { padding: 'x'.repeat(8_000) } })
      expect(big.wit.length).toBeGreaterThan(11_000)
      const { wit, proof } = await tokensFor(big, { aud: PATH_URL })
      const refused = await send([wit, proof], {}, plain)
      expect([refused.status, refused.arrived]).toEqual([400, []])
      expect((await send([wit, proof])).status).toBe(200)
    })
  })

  for (const [what, port] of [
    ['proxy_pass with a URI, which the page advises against,', () => plain],
    ['the rewrite of ingress-nginx', () => ingress],
  ] as const) {
    describe(what, () => {
      it('unescapes a slash: the service sees another path than its caller signed for, and refuses', async () => {
        const target = `${PREFIX}/a%2Fb`
        const refused = { outcome: 'WIMSE_WPT_AUDIENCE', arrived: ['/a/b'] }
        expect(await attempt(ORIGIN + target, target, port())).toEqual(refused)
        expect(await attempt(ORIGIN + target, target)).toEqual({ outcome: 'accepted', arrived: ['/a%2Fb'] })
      })

      it('makes one path of many spellings, and only a proof for what the router then sees is good', async () => {
        for (const target of [
          '/inventory/a/../path',
          '//inventory//path',
          '/%69nventory/path',
          '/inventory%2Fpath',
        ]) {
          for (const aud of [`${ORIGIN}/path`, `${ORIGIN + PREFIX}/other`, `${ORIGIN}/other${target}`]) {
            const other = await attempt(aud, target, port())
            expect(other).toEqual({ outcome: 'WIMSE_WPT_AUDIENCE', arrived: ['/path'] })
          }
          expect(await attempt(PATH_URL, target, port())).toMatchObject({ outcome: 'accepted' })
        }
      })

      it('is enough for paths without escaped or doubled slashes', async () => {
        for (const path of ['/path', '/', '/%7Euser', '/~user', '/a%20b', '/%C3%A9', '/a+b;c=d']) {
          const accepted = await attempt(ORIGIN + PREFIX + path, PREFIX + path, port())
          expect([path, accepted.outcome]).toEqual([path, 'accepted'])
        }
      })
    })
  }

  it('the rewrite of ingress-nginx does not look at case; the proof has to be for the configured one', async () => {
    const target = '/INVENTORY/path'
    expect(await attempt(ORIGIN + target, target, ingress)).toEqual({
      outcome: 'WIMSE_WPT_AUDIENCE',
      arrived: ['/path'],
    })
    expect(await attempt(PATH_URL, target, ingress)).toMatchObject({ outcome: 'accepted' })
  })
})

/** Puts the prefix in front of the path of a request target or an audience. */
function withPrefix(uri: string): string {
  const [, authority = '', path = ''] = /^(https?:\/\/[^/?#]*)?(.*)$/.exec(uri)!
  return uri === '' ? '' : `${authority}${PREFIX}${path.startsWith('/') ? path : `/${path}`}`
}

/** The recipe as docs/audience.md has it, with the addresses of this test. */
function documentedRecipe(port: number, upstream: number): string {
  const page = readFileSync(new URL('../../docs/audience.md', import.meta.url), 'utf8')
  const recipe = /```nginx\n([\s\S]*?)```/.exec(page)![1]!
  return [
    ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
    ['server 127.0.0.1:3000;', `server 127.0.0.1:${upstream};`],
    ['gateway.example.com', HOST],
  ].reduce((text, [documented, here]) => {
    expect(text).toContain(documented)
    return text.replace(documented!, here!)
  }, recipe)
}

/** What ingress-nginx makes of `rewrite-target: /$2` and the path `/inventory(/|$)(.*)`. */
const INGRESS = `
    location ~* "^/inventory(/|$)(.*)" {
      rewrite "(?i)/inventory(/|$)(.*)" /$2 break;
      proxy_pass http://inventory;
    }`

function otherServer(port: number, location: string): string {
  return `
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
    ${location}
  }`
}
