import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import type { JWK } from 'jose'
import { issueWit, readNumber } from 'wimse'
import { readBootstrapSecrets } from './bootstrap-secrets.js'
import { generateIssuerKey } from './issuer-key.js'
import { sendProblem } from './problem.js'

/** Options of {@link createIdentityServer}. */
export interface IdentityServerOptions {
  /** Scheme and trust domain, such as `wimse://example.com`. */
  readonly trustDomain: string
  /** Bootstrap secret by workload identifier: how a workload shows for the first time who it is. */
  readonly secrets: Readonly<Record<string, string>>
  /** Seconds an identity token lives. Default 3600, at most a day. */
  readonly witLifetime?: number
  /** Pino's level, default `info`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
}

/**
 * Makes an identity server: `GET /jwks.json` has its public key, `POST /wit` signs the public key of a
 * workload that shows its bootstrap secret. The workload's name comes from the registry, never from the
 * request.
 *
 * It does NOT check that the workload holds the private half of that key: with any other it has a token it
 * cannot use.
 *
 * @throws TypeError when an option is wrong
 */
export async function createIdentityServer(options: IdentityServerOptions): Promise<FastifyInstance> {
  const { trustDomain, secrets, log } = options
  const lifetime = readNumber('witLifetime', options.witLifetime, { default: 3600, min: 1, max: 86_400 })
  const workloads = readBootstrapSecrets(trustDomain, secrets)
  const issuerKey = await generateIssuerKey()
  const app = Fastify({
    bodyLimit: 8192,
    logger: { name: 'identity-server', level: 'info', ...log, redact: [...SECRET_PATHS] },
  })

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode: status = 500 } = error
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    return sendProblem(reply, status, status < 500 ? error.message : 'The identity server failed.')
  })
  app.decorateRequest('subject', null)

  app.get('/healthz', async () => 'ok')

  app.get('/jwks.json', async (_request, reply) =>
    reply
      .headers({ 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=60' })
      .send(JSON.stringify({ keys: [issuerKey.publicJwk] })),
  )

  app.post<{ Body: { publicJwk: JWK } }>('/wit', {
    schema: { body: WIT_REQUEST },
    // Before the body is read.
    onRequest: async (request, reply) => {
      const secret = readSecret(request.headers.authorization)
      const subject = secret === null ? null : workloads.subjectOf(secret)
      if (subject === null) return refuseSecret(reply, secret === null)
      request.setDecorator('subject', subject)
      return undefined
    },
    handler: async (request, reply) => {
      const subject = request.getDecorator<string>('subject')
      const wit = await bind(subject, request.body.publicJwk)
      if (wit === null)
        return sendProblem(reply, 400, 'publicJwk is not a public signature key with its alg.')
      request.log.info({ subject }, 'identity token issued')
      return reply.header('cache-control', 'no-store').send({ wit })
    },
  })

  /** Signs an identity token; null when the key is not one that can be confirmed. */
  async function bind(subject: string, confirmationKey: JWK): Promise<string | null> {
    try {
      return await issueWit({
        issuerKey: issuerKey.privateJwk,
        subject,
        confirmationKey,
        lifetime,
      })
    } catch (error) {
      if (error instanceof TypeError) return null
      throw error
    }
  }

  return app
}

/** Fastify logs neither headers nor bodies; these are for a line that somebody adds. */
const SECRET_PATHS: readonly string[] = ['headers.authorization', 'req.headers.authorization', 'wit', '*.wit']

const WIT_REQUEST: object = {
  type: 'object',
  required: ['publicJwk'],
  properties: { publicJwk: { type: 'object' } },
}

function readSecret(authorization: string | undefined): string | null {
  return /^Bearer +([\w~+/.-]+=*)$/i.exec(authorization ?? '')?.[1] ?? null
}

function refuseSecret(reply: FastifyReply, missing: boolean): FastifyReply {
  const challenge = 'Bearer realm="identity server"'
  reply.header('www-authenticate', missing ? challenge : `${challenge}, error="invalid_token"`)
  return sendProblem(reply, 401, 'A workload shows its bootstrap secret as a bearer token.')
}
