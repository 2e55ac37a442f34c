import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import type { RedisClient } from 'wimse-redis'

/** A connected client of one of the libraries. */
export interface OpenClient {
  readonly client: RedisClient
  readonly close: () => void
}

/**
 * The libraries that are supported, each set up as the README says: to fail at once while there is no
 * connection, and to come back by itself.
 */
export const libraries: Readonly<Record<string, (url: string) => Promise<OpenClient>>> = {
  ioredis: async (url) => openIoredis(new Redis(url, FAIL_FAST)),
  iovalkey: async (url) => openIoredis(new Valkey(url, FAIL_FAST)),
  'node-redis': async (url) => {
    const client = createClient({
      url,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: () => 100 },
    })
    client.on('error', () => undefined)
    await client.connect()
    return { client, close: () => client.destroy() }
  },
}

const FAIL_FAST = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  retryStrategy: (): number => 100,
}

async function openIoredis(client: Redis | Valkey): Promise<OpenClient> {
  client.on('error', () => undefined)
  await new Promise((resolve) => client.once('ready', () => resolve(undefined)))
  return { client, close: () => client.disconnect() }
}
