import type { FastifyInstance } from 'fastify'
import type { Workload, WimseOptions } from 'fastify-wimse'
import { type Credential, signRequest } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Field, hashOf, type ProofOptions, type Tokens, tokensFor } from './tokens.js'
import { type Answer, type Client, HOST, type Sent, transports } from './transports.js'

const ORIGIN = `https://${HOST}`
const TARGET = '/stock/42'
const URL_42 = ORIGIN + TARGET
const ACCESS_TOKEN = 'an-access-token'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

/** What one handler saw of its request. */
interface Seen {
  readonly workload: Workload
  /** Names of fields, in lower case, wherever a handler could find them. */
  readonly names: readonly string[]
  readonly body: unknown
}

for (const transport of transports) {
  describe(`over ${transport.name}`, () => {
    let app: FastifyInstance
    let client: Client
    let credential: Credential
    let stranger: Credential
    let log = ''
    let answers = ''
    let parsedBodies = 0
    const seen: Seen[] = []
    const secrets = new Set<string>()

    const options: WimseOptions = {
      audience: ORIGIN,
      trustDomains: identityServer.trustDomains,
      revisions: ['wpt-01', 'wpt-02'],
      otherTokens: ['x-session-token'],
    }

    beforeAll(async () => {
      credential = await identityServer.issue({ subject: '/checkout' })
      stranger = await identityServer.issue({ subject: '/stranger' })
      ;({ app, client } = await start(options))
    })
    afterAll(async () => {
      client.close()
      await app.close()
    })

    async function start(pluginOptions: WimseOptions): Promise<{ app: FastifyInstance; client: Client }> {
      const app = await transport.createApp(pluginOptions, (line) => void (log += line))
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
        parsedBodies++
        done(null, body)
      })
      app.addHook('onRequest', async ({ raw }) => void raw.headersDistinct)
      app.all('/stock/:sku', async ({ workload, headers, raw, body }) => {
        // Undefined on HTTP/2 and under inject().
        const distinct = Object.keys(raw.headersDistinct ?? {})
        const names = [...Object.keys(headers), ...distinct, ...raw.rawHeaders.filter((_, i) => i % 2 === 0)]
        seen.push({ workload: workload!, names: names.map((name) => name.toLowerCase()), body })
        return { caller: workload!.id }
      })
      return { app, client: await transport.open(app) }
    }

    /** Sends what the test says, and remembers the tokens as something that must not turn up elsewhere. */
    const send = async (fields: readonly Field[], rest: Partial<Sent> = {}): Promise<Answer> => {
      for (const [name, value] of fields) {
        if (!/token|authorization/i.test(name)) continue
        for (const part of value.split(/[. ]/)) if (part.length > 8) secrets.add(part)
      }
      const answer = await client.send({ target: TARGET, fields, ...rest })
      answers += JSON.stringify(answer)
      return answer
    }

    const tokens = async (proof: Partial<ProofOptions> = {}): Promise<Tokens> =>
      tokensFor(credential, { aud: URL_42, ...proof })

    const expectAccepted = async (answer: Promise<Answer>): Promise<Seen> => {
      const before = seen.length
      const { status, body } = await answer
      expect({ status, body }).toEqual({ status: 200, body: '{"caller":"wimse://example.com/checkout"}' })
      expect(seen).toHaveLength(before + 1)
      return seen.at(-1)!
    }

    /** Asserts the refusal, and that neither a parser nor a handler has run. */
    const expectRefused = async (answer: Promise<Answer>, code: string, status = 400): Promise<Answer> => {
      const [handled, parsed] = [seen.length, parsedBodies]
      const response = await answer
      const problem = JSON.parse(response.body) as { code: string }
      expect({ status: response.status, code: problem.code }).toEqual({ status, code })
      expect([seen.length, parsedBodies]).toEqual([handled, parsed])
      return response
    }

    describe('a good request', () => {
      it('is accepted, and its proof is refused the second time', async () => {
        const { wit, proof } = await tokens()
        const { workload } = await expectAccepted(send([wit, proof]))
        expect(workload).toMatchObject({ id: 'wimse://example.com/checkout', via: 'wit', revision: 'wpt-01' })
        await expectRefused(send([wit, proof]), 'WIMSE_WPT_REPLAYED')
      })

      it('with a body is accepted, and its body reaches the handler', async () => {
        const parsedBefore = parsedBodies
        const { wit, proof } = await tokens()
        const { body } = await expectAccepted(send([wit, proof], { method: 'POST', body: 'take one' }))
        expect([body, parsedBodies]).toEqual(['take one', parsedBefore + 1])
        await expectRefused(send([wit, proof], { method: 'POST', body: 'take one' }), 'WIMSE_WPT_REPLAYED')
      })

      it('is accepted when the signer of the package has signed it', async () => {
        const signed = Object.entries(signRequest(credential, { url: `${URL_42}?all=1` }))
        await expectAccepted(send(signed, { target: `${TARGET}?all=1` }))
      })

      it('is accepted once when it comes ten times at the same moment', async () => {
        const { wit, proof } = await tokens()
        const answers = await Promise.all(Array.from({ length: 10 }, async () => send([wit, proof])))
        expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(9).fill(400)])
      })

      it('is accepted with field names in any case, as far as the protocol has cases', async () => {
        const { wit, proof } = await tokens()
        await expectAccepted(
          send([
            ['wORKLOAD-identity-TOKEN', wit[1]],
            ['WORKLOAD-PROOF-TOKEN', proof[1]],
          ]),
        )
      })

      it('is accepted with a WIT of 11 kB beside an access token of 11 kB', async () => {
        const big = await identityServer.issue({
          subject: '/checkout',
          claims: { padding: 'x'.repeat(8_000) },
        })
        expect(big.wit.length).toBeGreaterThan(11_000)
        const accessToken = 'a'.repeat(11_000)
        const { wit, proof } = await tokensFor(big, { aud: URL_42, claims: { ath: hashOf(accessToken) } })
        const answer = send([wit, proof, ['Authorization', `Bearer ${accessToken}`]])
        if (transport.obeysMaxHeaderSize) await expectAccepted(answer)
        else expect([200, 431]).toContain((await answer).status)
      })
    })

    describe('a request is refused', () => {
      for (const [what, code, spoil] of [
        ['without a WIT', 'WIMSE_WIT_MISSING', ({ proof }) => [proof]],
        ['without a proof', 'WIMSE_WPT_MISSING', ({ wit }) => [wit]],
        ['without either', 'WIMSE_WIT_MISSING', () => []],
        ['with the same WIT twice', 'WIMSE_WIT_REPEATED', ({ wit, proof }) => [wit, wit, proof]],
        [
          'with an empty WIT before the good one',
          'WIMSE_WIT_REPEATED',
          ({ wit, proof }) => [[wit[0], ''], wit, proof],
        ],
        [
          'with two WITs in one field',
          'WIMSE_WIT_MALFORMED',
          ({ wit, proof }) => [[wit[0], `${wit[1]}, ${wit[1]}`], proof],
        ],
        ['with the same proof twice', 'WIMSE_WPT_REPEATED', ({ wit, proof }) => [wit, proof, proof]],
        [
          'with an empty proof after the good one',
          'WIMSE_WPT_REPEATED',
          ({ wit, proof }) => [wit, proof, [proof[0], '']],
        ],
        [
          'with the proof in both carriages',
          'WIMSE_WPT_REPEATED',
          ({ wit, proof }) => [wit, proof, ['Authorization', `WPT ${proof[1]}`]],
        ],
        [
          'with an access token the proof does not cover',
          'WIMSE_WPT_ACCESS_TOKEN_HASH',
          ({ wit, proof }) => [wit, proof, ['Authorization', `Bearer ${ACCESS_TOKEN}`]],
        ],
        [
          'with a transaction token the proof does not cover',
          'WIMSE_WPT_TXN_TOKEN_HASH',
          ({ wit, proof }) => [wit, proof, ['Txn-Token', 'a-transaction']],
        ],
        [
          'with another token the proof does not cover',
          'WIMSE_WPT_OTHER_TOKEN_HASH',
          ({ wit, proof }) => [wit, proof, ['X-Session-Token', 'a-session']],
        ],
      ] as readonly (readonly [string, string, (good: Tokens) => Field[]])[]) {
        it(`${what}: ${code}`, async () => {
          const good = await tokens()
          await expectRefused(send(spoil(good)), code)
          await expectRefused(send(spoil(good), { method: 'POST', body: '{"a":1}' }), code)
          await expectAccepted(send([good.wit, good.proof]))
        })
      }

      it('with a proof for another path, another service, another port or scheme: WIMSE_WPT_AUDIENCE', async () => {
        for (const aud of [
          `${ORIGIN}/stock/43`,
          `https://other.example${TARGET}`,
          `${ORIGIN}:8443${TARGET}`,
          `http://${HOST}${TARGET}`,
        ]) {
          const { wit, proof } = await tokens({ aud })
          await expectRefused(send([wit, proof], { method: 'POST', body: 'x' }), 'WIMSE_WPT_AUDIENCE')
        }
      })

      it('with a proof that another key has signed: WIMSE_WPT_SIGNATURE', async () => {
        const { wit, proof } = await tokens({ signedBy: stranger })
        await expectRefused(send([wit, proof], { method: 'POST', body: 'x' }), 'WIMSE_WPT_SIGNATURE')
      })

      it('with the WIT of another workload: WIMSE_WPT_WIT_HASH', async () => {
        const { proof } = await tokens()
        const { wit } = await tokensFor(stranger, { aud: URL_42 })
        await expectRefused(send([wit, proof]), 'WIMSE_WPT_WIT_HASH')
      })

      it('with two Authorization fields: WIMSE_WPT_ACCESS_TOKEN_HASH', async () => {
        const { wit, proof } = await tokens({ claims: { ath: hashOf(ACCESS_TOKEN) } })
        const covered: Field = ['Authorization', `Bearer ${ACCESS_TOKEN}`]
        for (const second of [`Bearer ${ACCESS_TOKEN}`, 'Basic YTpi', '']) {
          await expectRefused(
            send([wit, proof, covered, ['Authorization', second]]),
            'WIMSE_WPT_ACCESS_TOKEN_HASH',
          )
        }
        await expectAccepted(send([wit, proof, covered]))
      })
    })

    describe('a token beside the proof', () => {
      it('in Authorization is accepted when the proof covers it, and refused when it is exchanged', async () => {
        const { wit, proof } = await tokens({ claims: { ath: hashOf(ACCESS_TOKEN) } })
        for (const exchanged of ['Bearer another', `Basic ${ACCESS_TOKEN}`]) {
          await expectRefused(send([wit, proof, ['Authorization', exchanged]]), 'WIMSE_WPT_ACCESS_TOKEN_HASH')
        }
        await expectRefused(send([wit, proof]), 'WIMSE_WPT_ACCESS_TOKEN_HASH')
        const { workload } = await expectAccepted(
          send([wit, proof, ['Authorization', `Bearer ${ACCESS_TOKEN}`]]),
        )
        expect(workload.boundTokens.accessToken).toBe(true)
      })

      it(`with a proof that covers a cookie, ${transport.isHttp2 ? 'also one in pieces' : 'but not two of them'}`, async () => {
        const oth = { cookie: hashOf('a=1; b=2') }
        const whole = await tokens({ claims: { oth } })
        await expectAccepted(send([whole.wit, whole.proof, ['Cookie', 'a=1; b=2']]))
        const { wit, proof } = await tokens({ claims: { oth } })
        const inPieces = async () => send([wit, proof, ['Cookie', 'a=1'], ['Cookie', 'b=2']])
        if (transport.isHttp2) await expectAccepted(inPieces())
        else if (!transport.normalizesTargets) await expectRefused(inPieces(), 'WIMSE_WPT_OTHER_TOKEN_HASH')
        for (const pieces of [['a=1', 'b=3'], ['b=2', 'a=1'], ['a=1']]) {
          const other = await tokens({ claims: { oth } })
          const cookies = pieces.map((piece): Field => ['Cookie', piece])
          await expectRefused(send([other.wit, other.proof, ...cookies]), 'WIMSE_WPT_OTHER_TOKEN_HASH')
        }
      })

      it('in a field of its own is accepted when oth covers it, and refused when it was altered', async () => {
        const { wit, proof } = await tokens({ claims: { oth: { 'x-session-token': hashOf('a-session') } } })
        const code = 'WIMSE_WPT_OTHER_TOKEN_HASH'
        await expectRefused(send([wit, proof, ['X-Session-Token', 'b-session']]), code)
        await expectRefused(send([wit, proof]), code)
        const good: Field = ['X-Session-Token', 'a-session']
        await expectRefused(send([wit, proof, good, good]), code)
        const { workload } = await expectAccepted(send([wit, proof, good]))
        expect(workload.boundTokens.otherTokens).toEqual(['x-session-token'])
      })
    })

    describe('a route that does not exist', () => {
      const target = '/nowhere'
      it('is 404 for a workload that has shown who it is, and 400 for anybody else', async () => {
        const { wit, proof } = await tokens({ aud: ORIGIN + target })
        await expectRefused(send([wit], { target }), 'WIMSE_WPT_MISSING')
        await expectRefused(send([], { target, method: 'POST', body: 'x' }), 'WIMSE_WIT_MISSING')
        const { status } = await send([wit, proof], { target })
        expect(status).toBe(404)
        await expectRefused(send([wit, proof], { target }), 'WIMSE_WPT_REPLAYED')
      })
    })

    describe('a request target', () => {
      const send42 = async (target: string, rest: Partial<Sent> = {}): Promise<Answer> => {
        const { wit, proof } = await tokens()
        return send([wit, proof], { ...rest, target })
      }

      for (const target of ['/stock/../stock/42', '/a/%2e%2e/stock/42', '/stock/42#x', '/a\\..\\stock\\42']) {
        const fate = transport.normalizesTargets
          ? 'has become the path of the proof before the application sees it'
          : 'is refused with a proof for the path it could be read as: WIMSE_TARGET_INVALID'
        it(`${target} ${fate}`, async () => {
          if (transport.normalizesTargets) await expectAccepted(send42(target))
          else await expectRefused(send42(target, { method: 'POST', body: 'x' }), 'WIMSE_TARGET_INVALID')
        })
      }

      for (const target of [URL_42, `http://evil.example${TARGET}`, '*']) {
        const fate = transport.isHttp2 ? 'ends the stream' : 'names no other service'
        it(`${target} ${fate}`, async () => {
          const before = seen.length
          const answer = send42(target)
          if (transport.isHttp2) await expect(answer).rejects.toThrow('NGHTTP2_PROTOCOL_ERROR')
          else if (!transport.normalizesTargets) await expectRefused(answer, 'WIMSE_TARGET_INVALID')
          // inject() takes the path of a URL, and of `*` it makes `/*`.
          else if (target === '*') await expectRefused(answer, 'WIMSE_WPT_AUDIENCE')
          else await expectAccepted(answer)
          expect(seen.length - before).toBe(transport.normalizesTargets && target !== '*' ? 1 : 0)
        })
      }

      it('that starts with two slashes is a path, not an authority', async () => {
        const target = '//evil.example/stock/42'
        for (const aud of [URL_42, `https:${target}`, `http:${target}`]) {
          const { wit, proof } = await tokens({ aud })
          await expectRefused(send([wit, proof], { target }), 'WIMSE_WPT_AUDIENCE')
        }
        const { wit, proof } = await tokens({ aud: ORIGIN + target })
        expect((await send([wit, proof], { target })).status).toBe(404)
      })
    })

    describe('wpt-02', () => {
      it('is accepted, and refusals are challenged', async () => {
        const { wit, proof } = await tokens({ revision: 'wpt-02' })
        const { workload, names } = await expectAccepted(send([wit, proof]))
        expect([workload.revision, names.includes('authorization')]).toEqual(['wpt-02', false])
        const replay = await expectRefused(send([wit, proof]), 'WIMSE_WPT_REPLAYED', 401)
        expect(replay.headers['www-authenticate']).toBe('WPT')
        const forged = await tokens({ revision: 'wpt-02', signedBy: stranger })
        const refusal = await expectRefused(
          send([forged.wit, forged.proof], { method: 'POST', body: 'x' }),
          'WIMSE_WPT_SIGNATURE',
          401,
        )
        expect(refusal.headers['www-authenticate']).toBe('WPT')
      })

      it('asks for a WIT without a challenge', async () => {
        const { proof } = await tokens({ revision: 'wpt-02' })
        const { headers } = await expectRefused(send([proof]), 'WIMSE_WIT_MISSING')
        expect(headers['www-authenticate']).toBeUndefined()
      })

      it('and wpt-01 are one proof: moved to the other carriage it is a replay', async () => {
        const first = await tokens()
        await expectAccepted(send([first.wit, first.proof]))
        await expectRefused(
          send([first.wit, ['Authorization', `WPT ${first.proof[1]}`]]),
          'WIMSE_WPT_REPLAYED',
          401,
        )
        const second = await tokens({ revision: 'wpt-02' })
        await expectAccepted(send([second.wit, second.proof]))
        await expectRefused(
          send([second.wit, ['Workload-Proof-Token', second.proof[1].slice('WPT '.length)]]),
          'WIMSE_WPT_REPLAYED',
        )
      })

      it('leaves no room for a second Authorization field', async () => {
        const { wit, proof } = await tokens({ revision: 'wpt-02' })
        for (const second of [`Bearer ${ACCESS_TOKEN}`, proof[1]]) {
          await expectRefused(send([wit, proof, ['Authorization', second]]), 'WIMSE_WPT_REPEATED', 401)
          await expectRefused(send([wit, ['Authorization', second], proof]), 'WIMSE_WPT_REPEATED', 401)
        }
        await expectAccepted(send([wit, proof]))
      })

      it('alone asks for a proof with a challenge, and wpt-01 does not count there', async () => {
        const alone = await start({ ...options, revisions: ['wpt-02'] })
        const { wit, proof } = await tokens()
        for (const fields of [[wit], [wit, proof], []]) {
          const sent = alone.client.send({ target: TARGET, fields })
          const { headers } = await expectRefused(sent, 'WIMSE_WPT_MISSING', 401)
          expect(headers['www-authenticate']).toBe('WPT')
        }
        const moved: Field = ['Authorization', `WPT ${proof[1]}`]
        await expectAccepted(alone.client.send({ target: TARGET, fields: [wit, moved] }))
        alone.client.close()
        await alone.app.close()
      })
    })

    describe('what a handler sees', () => {
      it('is without WIT and proof, and with the access token', async () => {
        const { wit, proof } = await tokens({ claims: { ath: hashOf(ACCESS_TOKEN) } })
        const { names } = await expectAccepted(
          send([wit, proof, ['Authorization', `Bearer ${ACCESS_TOKEN}`]], { method: 'POST', body: 'x' }),
        )
        expect(names.filter((name) => name.startsWith('workload-'))).toEqual([])
        expect(names).toContain('authorization')
      })

      it('is all that came with stripTokens: false (the control)', async () => {
        const other = await start({ ...options, stripTokens: false })
        const { wit, proof } = await tokens()
        const { names } = await expectAccepted(other.client.send({ target: TARGET, fields: [wit, proof] }))
        expect(names).toEqual(expect.arrayContaining(['workload-identity-token', 'workload-proof-token']))
        other.client.close()
        await other.app.close()
      })
    })

    describe(`what the sender calls this service (${transport.isHttp2 ? ':authority' : 'Host'})`, () => {
      const forwarded: readonly Field[] = [
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Proto', 'http'],
        ['X-Forwarded-Prefix', '/evil'],
        ['Forwarded', 'host=evil.example;proto=http'],
        ['X-Original-URL', '/evil'],
      ]

      it('does not spoil a good proof', async () => {
        for (const authority of ['evil.example', 'evil.example:8443', '127.0.0.1']) {
          const { wit, proof } = await tokens()
          await expectAccepted(send([wit, proof, ...forwarded], { authority }))
        }
      })

      it('may not be said twice', async () => {
        const { wit, proof } = await tokens()
        for (const second of [HOST, 'evil.example']) {
          const twice: readonly Field[] = [
            ['Host', HOST],
            ['Host', second],
          ]
          if (transport.isHttp2) {
            await expect(send([...twice, wit, proof])).rejects.toThrow('closed with RST_STREAM')
          } else {
            await expectRefused(send([wit, proof, ['Host', second]]), 'WIMSE_TARGET_INVALID')
          }
        }
        await expectAccepted(send([wit, proof]))
      })

      it('does not make a proof for that name good', async () => {
        for (const aud of [`https://evil.example${TARGET}`, `http://evil.example${TARGET}`]) {
          const { wit, proof } = await tokens({ aud })
          await expectRefused(
            send([wit, proof, ...forwarded], { authority: 'evil.example' }),
            'WIMSE_WPT_AUDIENCE',
          )
        }
      })
    })

    const { sendFrames } = transport
    if (sendFrames !== undefined) {
      describe('frames that no client of Node sends', () => {
        const pseudo: readonly Field[] = [
          [':method', 'GET'],
          [':scheme', 'https'],
          [':authority', HOST],
          [':path', TARGET],
        ]
        const lowered = async (): Promise<readonly [wit: Field, proof: Field]> => {
          const { wit, proof } = await tokens()
          return [
            [wit[0].toLowerCase(), wit[1]],
            [proof[0].toLowerCase(), proof[1]],
          ]
        }

        it('are accepted when they make a good request (the control)', async () => {
          const outcome = await sendFrames(app, [...pseudo, ...(await lowered())])
          expect(outcome).toEqual({ data: '{"caller":"wimse://example.com/checkout"}' })
        })

        it('with a Host beside :authority count as the one request they are: neither is looked at', async () => {
          const outcome = await sendFrames(app, [...pseudo, ...(await lowered()), ['host', 'evil.example']])
          expect(outcome).toEqual({ data: '{"caller":"wimse://example.com/checkout"}' })
        })

        for (const [what, change] of [
          ['two paths', (wit, proof) => [...pseudo, [':path', '/stock/43'], wit, proof]],
          ['two authorities', (wit, proof) => [...pseudo, [':authority', 'evil.example'], wit, proof]],
          [
            'a pseudo field behind the others',
            (wit, proof) => [...pseudo.slice(0, 3), wit, proof, pseudo[3]!],
          ],
          [
            'names in upper case',
            (wit, proof) => [...pseudo, [wit[0].toUpperCase(), wit[1]], [proof[0].toUpperCase(), proof[1]]],
          ],
          [
            'more fields than the server takes',
            (wit, proof) => [
              ...pseudo,
              wit,
              proof,
              ...Array.from({ length: 200 }, (_, i): Field => [`a${i}`, '1']),
              wit,
            ],
          ],
        ] as readonly (readonly [string, (wit: Field, proof: Field) => Field[]])[]) {
          it(`with ${what} reach no handler`, async () => {
            const before = seen.length
            expect(await sendFrames(app, change(...(await lowered())))).toHaveProperty('closedWith')
            expect(seen).toHaveLength(before)
          })
        }
      })
    }

    it('nothing of a token is in the log at its most talkative, or in an answer', () => {
      expect(secrets.size).toBeGreaterThan(50)
      expect(log.split('\n').length).toBeGreaterThan(secrets.size)
      expect([...secrets].filter((secret) => log.includes(secret) || answers.includes(secret))).toEqual([])
    })
  })
}
