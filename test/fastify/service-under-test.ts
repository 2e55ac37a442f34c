import Fastify, { type FastifyInstance } from 'fastify'
import { wimse, type WimseOptions } from 'fastify-wimse'
import { createTestIdentityServer, type FixedClock, fixedClock, type TestIdentityServer } from 'wimse-testkit'

/** Where the service under test is reached. */
export const ORIGIN = 'https://inventory.example.com'
/** A moment for tests to happen at: epoch seconds. */
export const NOON = 1_760_000_000

/** A service without a socket, the identity server it trusts, and what it logs. */
export interface ServiceUnderTest {
  readonly app: FastifyInstance
  readonly identityServer: TestIdentityServer
  readonly clock: FixedClock
  /** One parsed object a log line. */
  readonly log: () => readonly Record<string, unknown>[]
  readonly logText: () => string
}

/**
 * Makes an application with the plugin registered. Routes are the test's.
 *
 * @param before runs before the plugin is registered
 */
export async function serviceUnderTest(
  options: Partial<WimseOptions> = {},
  before: (app: FastifyInstance) => unknown = () => undefined,
): Promise<ServiceUnderTest> {
  const clock = fixedClock(NOON)
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', now: clock })
  const lines: string[] = []
  const app = Fastify({
    logger: { level: 'trace', stream: { write: (line: string) => void lines.push(line) } },
  })
  await before(app)
  await app.register(wimse, {
    audience: ORIGIN,
    trustDomains: identityServer.trustDomains,
    now: clock,
    ...options,
  })
  return {
    app,
    identityServer,
    clock,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    logText: () => lines.join(''),
  }
}
