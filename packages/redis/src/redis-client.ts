/**
 * A client made and connected by the application: of ioredis or iovalkey (`Redis`, `Cluster`), or of
 * node-redis (`createClient`, `createClientPool`, `createSentinel`, `createCluster`).
 */
export interface RedisClient {
  set(...args: never[]): unknown
}

/** What the stores of this package ask of any client. */
export interface RedisDriver {
  /**
   * Writes a value where there is none; one atomic step.
   *
   * @param forMs how long it is to stay; null for ever
   * @returns the value that is there already, for {@link readText}; null when this one was written
   */
  setNew(key: string, value: string, forMs: number | null): Promise<unknown>
  /** @returns the value that is there, for {@link readText}; null when there is none */
  get(key: string): Promise<unknown>
  del(key: string): Promise<unknown>
  /** The `maxmemory-policy` of each server that can be asked. Rejects when CONFIG is not allowed. */
  evictionPolicies(): Promise<readonly string[]>
}

/**
 * Finds out what kind of client this is by what it can do, since no client is a dependency of this package.
 *
 * @throws TypeError when it is none
 */
export function driverOf(client: RedisClient): RedisDriver {
  const like = client as unknown as Partial<Record<string, unknown>> | null
  const isObject = typeof like === 'object' && like !== null
  if (isObject && typeof like['set'] === 'function') {
    if (typeof like['pipeline'] === 'function' && typeof like['status'] === 'string') {
      return ioredisDriver(client as unknown as IoredisClient)
    }
    if (typeof like['isOpen'] === 'boolean' && typeof like['configGet'] === 'function') {
      return nodeRedisDriver(client as unknown as NodeRedisClient)
    }
  }
  throw new TypeError('option client must be a client of ioredis, iovalkey or node-redis')
}

/** What ioredis and iovalkey have in common. */
interface IoredisClient {
  set(key: string, value: string, ...options: (string | number)[]): Promise<unknown>
  get(key: string): Promise<unknown>
  del(key: string): Promise<unknown>
  config(subcommand: 'GET', parameter: string): Promise<unknown>
  /** Of a cluster. */
  nodes?(role: 'master'): readonly IoredisClient[]
}

function ioredisDriver(client: IoredisClient): RedisDriver {
  return {
    // Not pipeline(): the socket sends commands of one turn together anyway, and a pipeline object costs more.
    setNew: (key, value, forMs) =>
      forMs === null ? client.set(key, value, 'NX', 'GET') : client.set(key, value, 'PX', forMs, 'NX', 'GET'),
    get: (key) => client.get(key),
    del: (key) => client.del(key),
    evictionPolicies: async () => {
      const servers = client.nodes?.('master') ?? [client]
      const answers = await Promise.all(servers.map(async (server) => server.config('GET', POLICY)))
      return answers.map((answer) => String((answer as readonly unknown[])[1]))
    },
  }
}

interface NodeRedisSetOptions {
  readonly expiration?: { readonly type: 'PX'; readonly value: number }
  readonly condition: 'NX'
  readonly PX?: number
  readonly NX: true
  readonly GET: true
}

interface NodeRedisNode {
  configGet(parameter: string): Promise<Readonly<Record<string, string>>>
}

interface NodeRedisClient extends NodeRedisNode {
  set(key: string, value: string, options: NodeRedisSetOptions): Promise<unknown>
  get(key: string): Promise<unknown>
  del(key: string): Promise<unknown>
  /** Of a cluster. */
  readonly masters?: readonly object[]
  nodeClient?(master: object): Promise<NodeRedisNode>
}

function nodeRedisDriver(client: NodeRedisClient): RedisDriver {
  return {
    // Version 4 knows PX and NX, version 5 prefers the others; a condition passed over would be no condition.
    setNew: (key, value, forMs) =>
      client.set(
        key,
        value,
        forMs === null
          ? { condition: 'NX', NX: true, GET: true }
          : { expiration: { type: 'PX', value: forMs }, PX: forMs, condition: 'NX', NX: true, GET: true },
      ),
    get: (key) => client.get(key),
    del: (key) => client.del(key),
    evictionPolicies: async () => {
      const servers =
        client.masters === undefined || client.nodeClient === undefined
          ? [client]
          : await Promise.all(client.masters.map(async (master) => client.nodeClient!(master)))
      const answers = await Promise.all(servers.map(async (server) => server.configGet(POLICY)))
      return answers.map((answer) => String(answer[POLICY]))
    },
  }
}

const POLICY = 'maxmemory-policy'

/**
 * Reads what a server answered: text, or null for nothing.
 *
 * @throws TypeError when it is neither
 */
export function readText(answer: unknown): string | null {
  if (answer === null || typeof answer === 'string') return answer
  // A client may be set up to give bytes.
  if (answer instanceof Uint8Array) return Buffer.from(answer).toString()
  throw new TypeError(`Redis answered with a value of type ${typeof answer}`)
}
