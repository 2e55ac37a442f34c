import replyFrom from '@fastify/reply-from'
import type { FastifyInstance } from 'fastify'
import type { WimseOptions } from 'fastify-wimse'
import type { Credential } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RecordingServer, startRecordingServer } from '../fastify-client/recording-server.js'
import { type Field, hashOf, tokensFor } from './tokens.js'
import { type Answer, type Client, HOST, type Transport, transports } from './transports.js'

const AUDIENCE = `https://${HOST}`
const TARGET = '/stock/42'
const ACCESS_TOKEN = 'an-access-token'

const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })

/** A front that passes what it takes on to a server of the second row. */
interface Front {
  readonly app: FastifyInstance
  readonly client: Client
}

async function startFront(
  transport: Transport,
  upstream: string,
  options: Partial<WimseOptions>,
): Promise<Front> {
  const app = await transport.createApp(
    { audience: AUDIENCE, trustDomains: identityServer.trustDomains, ...options },
    () => undefined,
  )
  await app.register(replyFrom, { base: upstream })
  app.all('/stock/:sku', (_request, reply) => reply.from())
  return { app, client: await transport.open(app) }
}

for (const transport of transports) {
  describe(`what @fastify/reply-from passes on of a request over ${transport.name}`, () => {
    let upstream: RecordingServer
    let credential: Credential
    let front: Front | null = null

    beforeAll(async () => {
      upstream = await startRecordingServer()
      credential = await identityServer.issue({ subject: '/checkout' })
    })
    afterEach(async () => {
      front?.client.close()
      await front?.app.close()
      front = null
    })
    afterAll(() => upstream.close())

    /** Sends one request through a front, and gives its answer and the fields that reached the upstream. */
    async function pass(
      options: Partial<WimseOptions>,
      fields: readonly Field[],
      body?: string,
    ): Promise<{ answer: Answer; arrived: ReadonlyMap<string, readonly string[]> | null }> {
      front = await startFront(transport, upstream.origin, options)
      const before = upstream.requests.length
      const method = body === undefined ? 'GET' : 'POST'
      const answer = await front.client.send({
        method,
        target: TARGET,
        fields,
        ...(body === undefined ? {} : { body }),
      })
      const [request, ...more] = upstream.requests.slice(before)
      expect(more).toEqual([])
      if (request === undefined) return { answer, arrived: null }
      expect([request.method, request.url, request.body]).toEqual([method, TARGET, body ?? ''])
      return { answer, arrived: request.fields }
    }

    const namesOf = (arrived: ReadonlyMap<string, unknown> | null): string[] =>
      [...(arrived?.keys() ?? [])].filter(
        (name) => name.startsWith('workload-') || name === 'authorization' || name === 'x-public',
      )

    const SHOWN: Field = ['X-Public', 'shown']

    for (const body of [undefined, 'take one']) {
      const kind = body === undefined ? 'GET' : 'POST'

      it(`${kind}: neither the WIT nor the proof`, async () => {
        const { wit, proof } = await tokensFor(credential, { aud: AUDIENCE + TARGET })
        const { answer, arrived } = await pass({}, [wit, proof, SHOWN], body)
        expect([answer.status, answer.body]).toEqual([200, 'ok'])
        expect(namesOf(arrived)).toEqual(['x-public'])
        for (const values of arrived!.values()) {
          expect(values.join()).not.toContain(wit[1])
          expect(values.join()).not.toContain(proof[1])
        }
      })

      it(`${kind}: both of them with stripTokens: false (the control)`, async () => {
        const { wit, proof } = await tokensFor(credential, { aud: AUDIENCE + TARGET })
        const { answer, arrived } = await pass({ stripTokens: false }, [wit, proof, SHOWN], body)
        expect(answer.status).toBe(200)
        expect(namesOf(arrived).sort()).toEqual([
          'workload-identity-token',
          'workload-proof-token',
          'x-public',
        ])
        expect([arrived!.get('workload-identity-token'), arrived!.get('workload-proof-token')]).toEqual([
          [wit[1]],
          [proof[1]],
        ])
      })

      it(`${kind}: the access token in Authorization, which is the application's`, async () => {
        const { wit, proof } = await tokensFor(credential, {
          aud: AUDIENCE + TARGET,
          claims: { ath: hashOf(ACCESS_TOKEN) },
        })
        const { arrived } = await pass({}, [wit, proof, ['Authorization', `Bearer ${ACCESS_TOKEN}`]], body)
        expect(namesOf(arrived)).toEqual(['authorization'])
        expect(arrived!.get('authorization')).toEqual([`Bearer ${ACCESS_TOKEN}`])
      })

      it(`${kind}: with wpt-02 no Authorization, since that is the proof`, async () => {
        const { wit, proof } = await tokensFor(credential, { aud: AUDIENCE + TARGET, revision: 'wpt-02' })
        const { answer, arrived } = await pass({ revisions: ['wpt-02'] }, [wit, proof, SHOWN], body)
        expect(answer.status).toBe(200)
        expect(namesOf(arrived)).toEqual(['x-public'])
      })

      it(`${kind}: with wpt-02 and stripTokens: false the proof in Authorization (the control)`, async () => {
        const { wit, proof } = await tokensFor(credential, { aud: AUDIENCE + TARGET, revision: 'wpt-02' })
        const { arrived } = await pass({ revisions: ['wpt-02'], stripTokens: false }, [wit, proof], body)
        expect(namesOf(arrived).sort()).toEqual(['authorization', 'workload-identity-token'])
        expect(arrived!.get('authorization')).toEqual([proof[1]])
      })

      it(`${kind}: nothing at all when the request is refused`, async () => {
        const { wit, proof } = await tokensFor(credential, { aud: `${AUDIENCE}/elsewhere` })
        const { answer, arrived } = await pass({}, [wit, proof], body)
        expect(JSON.parse(answer.body)).toMatchObject({ status: 400, code: 'WIMSE_WPT_AUDIENCE' })
        expect(arrived).toBeNull()
      })
    }
  })
}
