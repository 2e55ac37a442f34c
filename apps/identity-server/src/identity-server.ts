import { createHash } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { decodeJwt } from 'jose'
import {
  AuthenticationError,
  issueWit,
  memoryReplayStore,
  readNumber,
  systemClock,
  type VerifiedWitRequest,
  verifyWitRequest,
} from 'wimse'
import { type AuditDestination, type AuditEntry, openAuditLog } from './audit-log.js'
import { KEY_SET_MAX_AGE, openIssuerKeys } from './issuer-keys.js'
import { sendProblem } from './problem.js'
import { fileRegistry, memoryRegistry, type Registry } from './registry.js'

/** Options of {@link createIdentityServer}. */
export interface IdentityServerOptions {
  /** Scheme and trust domain, such as `wimse://example.com`. */
  readonly trustDomain: string
  /** Where workloads reach it, without a slash at the end: `https://identity.example.com`. `iss` of its tokens. */
  readonly url: string
  /** Bootstrap secret by workload identifier: how a workload shows for the first time who it is. */
  readonly secrets?: Readonly<Record<string, string>> | undefined
  /** Path of a registry of workloads, instead of `secrets`. Read again when it changes. */
  readonly registryFile?: string | undefined
  /** Folder of the signing keys. Default none: they end with the process. */
  readonly keysFolder?: string | undefined
  /** Seconds a key signs for. Default 86,400. */
  readonly keyLifetime?: number | undefined
  /** Seconds an identity token lives. Default 3600, at most a day. */
  readonly witLifetime?: number | undefined
  /**
   * Requests for tokens in a minute: without a known secret from one address, default 120; by one workload, with
   * all its replicas, default 600.
   */
  readonly perMinute?: { readonly address?: number | undefined; readonly workload?: number | undefined }
  /** Addresses or networks of proxies whose `X-Forwarded-For` is believed. Default none. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Where the audit log goes. Default where the other log goes. */
  readonly audit?: AuditDestination | undefined
  /** Certificate and private key, PEM. Default none: http, for loopback or behind a proxy. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer } | undefined
  /** Pino's level, default `info`, and where the lines go, default standard output. */
  readonly log?: { readonly level?: string; readonly stream?: { write(line: string): void } }
  /** Epoch seconds. Default the system clock. */
  readonly now?: () => number
}

/**
 * Makes an identity server: `GET /jwks.json` has its public keys, `GET /.well-known/oauth-authorization-server`
 * says where they are, and `POST /wit` signs the public key of a workload that shows its bootstrap secret as a
 * bearer token and, in a JWT signed by that key, that it holds the private half. The workload's name comes from
 * the registry, never from the request.
 *
 * It does NOT attest what a workload is: whoever has the secret is the workload. SPIRE does that.
 *
 * @throws TypeError when an option is wrong
 * @throws Error when keys or registry cannot be read
 */
export async function createIdentityServer(options: IdentityServerOptions): Promise<FastifyInstance> {
  const { log, now = systemClock, perMinute = {} } = options
  const url = readUrl(options.url)
  const lifetime = readNumber('witLifetime', options.witLifetime, { default: 3600, min: 1, max: 86_400 })
  const limits = {
    address: readNumber('perMinute.address', perMinute.address, { default: 120, min: 1, integer: true }),
    workload: readNumber('perMinute.workload', perMinute.workload, { default: 600, min: 1, integer: true }),
  }
  const app = Fastify({
    ...(options.tls === undefined ? {} : { https: { ...options.tls, minVersion: 'TLSv1.2' as const } }),
    bodyLimit: 8192,
    trustProxy: options.trustedProxies === undefined ? false : [...options.trustedProxies],
    logger: { name: 'identity-server', level: 'info', ...log, redact: [...SECRET_PATHS] },
  }) as FastifyInstance
  const registry = await openRegistry(options, (reason) =>
    app.log.error({ reason }, 'the registry has changed and cannot be used: the last good one counts'),
  )
  app.addHook('onClose', async () => registry.close())
  const keys = await openIssuerKeys({
    folder: options.keysFolder,
    keyLifetime: options.keyLifetime,
    witLifetime: lifetime,
    now,
    onFailure: (reason) =>
      app.log.error({ reason }, 'the next keys cannot be written: those at hand serve on'),
  })
  const audit = openAuditLog(options.audit ?? log?.stream ?? process.stdout)
  const requests = memoryReplayStore({ now })

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode: status = 500 } = error
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    else if (isKnown(request)) note(request, 'refused', { reason: error.code })
    return sendProblem(reply, status, status < 500 ? error.message : 'The identity server failed.')
  })
  app.decorateRequest('subject', null)
  await app.register(rateLimit, { global: false })
  const byAddress = app.createRateLimit({ max: limits.address, timeWindow: '1 minute' })
  const byWorkload = app.createRateLimit({
    max: limits.workload,
    timeWindow: '1 minute',
    keyGenerator: (request) => request.getDecorator<string>('subject'),
  })

  app.get('/healthz', async () => {
    await keys.signing()
    return 'ok'
  })

  app.get('/jwks.json', async (_request, reply) =>
    reply
      .headers({
        'content-type': 'application/jwk-set+json',
        'cache-control': `public, max-age=${KEY_SET_MAX_AGE}`,
      })
      .send(JSON.stringify({ keys: await keys.published() })),
  )

  app.get('/.well-known/oauth-authorization-server', async (_request, reply) =>
    reply.header('cache-control', `public, max-age=${KEY_SET_MAX_AGE}`).send({
      issuer: url,
      jwks_uri: `${url}/jwks.json`,
      wit_endpoint: `${url}/wit`,
      response_types_supported: [],
      grant_types_supported: [],
    }),
  )

  app.post<{ Body: { request: string } }>('/wit', {
    schema: { body: WIT_REQUEST },
    // All before the body is read.
    onRequest: [
      async (request, reply) => {
        const secret = readSecret(request.headers.authorization)
        const subject = secret === null ? null : registry.subjectOf(secret)
        request.setDecorator('subject', subject)
        if (subject === null) {
          const refused = refuseTooMany(await byAddress(request), reply)
          if (refused !== undefined) return refused
          note(request, 'refused', {
            reason: secret === null ? 'no bootstrap secret' : 'unknown bootstrap secret',
          })
          return refuseSecret(reply, secret === null)
        }
        const refused = refuseTooMany(await byWorkload(request), reply)
        if (refused !== undefined) note(request, 'refused', { reason: 'too many requests' })
        return refused
      },
    ],
    handler: async (request, reply) => {
      const proved = await proveKey(request)
      if (proved === 'full')
        return sendProblem(reply.header('retry-after', '10'), 503, 'There is no room to remember it.')
      if (proved === null) {
        return sendProblem(reply, 400, 'request is not a fresh JWT signed by the key that it names.')
      }
      const subject = request.getDecorator<string>('subject')
      const issuerKey = await keys.signing()
      const { confirmationKey, keyThumbprint } = proved
      const wit = await issueWit({ issuerKey, subject, confirmationKey, issuer: url, lifetime, now })
      const { jti, exp: expiresAt } = decodeJwt(wit)
      note(request, 'issued', { keyThumbprint, jti, expiresAt, kid: issuerKey.kid })
      return reply.header('cache-control', 'no-store').send({ wit })
    },
  })

  /** The key a request is for, if its sender holds it and the request is a new one. */
  async function proveKey(
    request: FastifyRequest<{ Body: { request: string } }>,
  ): Promise<VerifiedWitRequest | 'full' | null> {
    try {
      const proved = verifyWitRequest(request.body.request, { audience: `${url}/wit`, now })
      const { keyThumbprint, jti, expiresAt } = proved
      const fingerprint = createHash('sha256').update(`${keyThumbprint}\n${jti}`).digest('base64url')
      const answer = await requests.claim(
        fingerprint,
        expiresAt - now() + 60,
        request.getDecorator('subject'),
      )
      if (answer === 'first') return proved
      if (answer === 'full') return answer
      note(request, 'refused', { reason: 'sent before', keyThumbprint })
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error
      note(request, 'refused', { reason: `${error.code}: ${error.diagnostics.reason}` })
    }
    return null
  }

  const isKnown = (request: FastifyRequest): boolean =>
    request.getDecorator<string | null>('subject') !== null

  function note(request: FastifyRequest, event: AuditEntry['event'], what: Partial<AuditEntry>): void {
    const subject = request.getDecorator<string | null>('subject')
    audit({ event, subject, address: request.ip, request: request.id, ...what })
  }

  return app
}

/** Fastify logs neither headers nor bodies; these are for a line that somebody adds. */
const SECRET_PATHS: readonly string[] = ['headers.authorization', 'req.headers.authorization', 'wit', '*.wit']

const WIT_REQUEST: object = {
  type: 'object',
  required: ['request'],
  properties: { request: { type: 'string' } },
}

function readUrl(text: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : null
  // As clients spell it, since they name it in `aud` and it is compared as text.
  const spelled = url === null ? null : url.origin + url.pathname.replace(/\/$/, '')
  if (url !== null && /^https?:$/.test(url.protocol) && text === spelled) return text
  throw new TypeError(
    `option url must be an http or https URL without a slash at the end${spelled === null ? '' : `, such as ${spelled}`}`,
  )
}

async function openRegistry(
  { trustDomain, secrets, registryFile }: IdentityServerOptions,
  failed: (reason: string) => void,
): Promise<Registry> {
  if ((secrets === undefined) === (registryFile === undefined)) {
    throw new TypeError('give exactly one of secrets and registryFile')
  }
  return secrets === undefined
    ? fileRegistry(trustDomain, registryFile!, failed)
    : memoryRegistry(trustDomain, secrets)
}

function readSecret(authorization: string | undefined): string | null {
  return /^Bearer +([\w~+/.-]+=*)$/i.exec(authorization ?? '')?.[1] ?? null
}

function refuseTooMany(
  limit: Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>,
  reply: FastifyReply,
): FastifyReply | undefined {
  if (limit.isAllowed || !limit.isExceeded) return undefined
  reply.header('retry-after', String(limit.ttlInSeconds))
  return sendProblem(reply, 429, 'There were too many requests in this minute.')
}

function refuseSecret(reply: FastifyReply, missing: boolean): FastifyReply {
  const challenge = 'Bearer realm="identity server"'
  reply.header('www-authenticate', missing ? challenge : `${challenge}, error="invalid_token"`)
  return sendProblem(reply, 401, 'A workload shows its bootstrap secret as a bearer token.')
}
