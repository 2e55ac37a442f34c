import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster as IoredisCluster, Redis } from 'ioredis'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createCluster, createSentinel } from 'redis'
import type { OpenClient } from '../redis/clients.js'
import { freePort, type RedisServer, redisServerPath, says, startRedis } from '../redis/redis-server.js'

/** Three masters that share the keys out between them. */
export interface RedisCluster {
  readonly servers: readonly RedisServer[]
  close(): Promise<void>
}

/** Starts a cluster of three. */
export async function startCluster(): Promise<RedisCluster> {
  const servers: RedisServer[] = []
  for (let node = 0; node < 3; node++) {
    const options = ['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`]
    servers.push(await startRedis([...options, '--cluster-require-full-coverage', 'no']))
  }
  const [first] = servers
  for (const [index, { port }] of servers.entries()) {
    const node = new Redis(port)
    const slots = [0, 1, 2, 3].map((part) => Math.round((16_384 / 3) * part))
    await node.call('CLUSTER', 'ADDSLOTSRANGE', slots[index]!, slots[index + 1]! - 1)
    await node.call('CLUSTER', 'MEET', '127.0.0.1', first!.port, await busPortOf(first!))
    node.disconnect()
  }
  for (const { port } of servers) {
    while (!(await says(port, 'CLUSTER INFO\r\n', 'cluster_slots_ok:16384'))) await sleep(50)
    while (!(await says(port, 'CLUSTER INFO\r\n', 'cluster_known_nodes:3'))) await sleep(50)
  }
  return {
    servers,
    close: async () => void (await Promise.all(servers.map(async (server) => server.close()))),
  }
}

async function busPortOf({ port }: RedisServer): Promise<string> {
  const node = new Redis(port)
  const [, busPort] = (await node.config('GET', 'cluster-port')) as string[]
  node.disconnect()
  return busPort!
}

/** Clients of a cluster, by library. */
export const clusterLibraries: Readonly<Record<string, (ports: readonly number[]) => Promise<OpenClient>>> = {
  ioredis: async (ports) => {
    const client = new IoredisCluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      { enableOfflineQueue: true, redisOptions: { maxRetriesPerRequest: 1 } },
    )
    client.on('error', () => undefined)
    await client.ping()
    return { client, close: () => client.disconnect() }
  },
  iovalkey: async (ports) => {
    const client = new ValkeyCluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      { enableOfflineQueue: true, redisOptions: { maxRetriesPerRequest: 1 } },
    )
    client.on('error', () => undefined)
    await client.ping()
    return { client, close: () => client.disconnect() }
  },
  'node-redis': async (ports) => {
    const client = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) })
    client.on('error', () => undefined)
    await client.connect()
    return { client, close: () => client.destroy() }
  },
}

/** A master, its replica, and the sentinel that watches them. */
export interface SentinelPair {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinelPort: number
  close(): Promise<void>
}

/** The name by which the sentinel knows the master. */
const MASTER = 'replay'

/** Starts a master and a replica that is up to date, and a sentinel that promotes it after a second. */
export async function startSentinelPair(): Promise<SentinelPair> {
  const master = await startRedis(['--repl-diskless-sync-delay', '0'])
  const replica = await startRedis(['--replicaof', `127.0.0.1 ${master.port}`])
  while (!(await says(replica.port, 'INFO replication\r\n', 'master_link_status:up'))) await sleep(50)
  const sentinelPort = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'wimse-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  const lines = [
    `port ${sentinelPort}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${MASTER} 1000`,
    `sentinel failover-timeout ${MASTER} 5000`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const sentinel: ChildProcess = spawn(redisServerPath!, [file, '--sentinel'], { stdio: 'ignore' })
  while (!(await says(sentinelPort, `SENTINEL REPLICAS ${MASTER}\r\n`, `${replica.port}`))) await sleep(50)
  return {
    master,
    replica,
    sentinelPort,
    close: async () => {
      sentinel.kill('SIGKILL')
      await Promise.all([master.close(), replica.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Clients that ask a sentinel where the master is, by library. */
export const sentinelLibraries: Readonly<Record<string, (sentinelPort: number) => Promise<OpenClient>>> = {
  ioredis: async (port) => byName(new Redis(sentinelOptions(port))),
  iovalkey: async (port) => byName(new Valkey(sentinelOptions(port))),
  'node-redis': async (port) => {
    const client = createSentinel({
      name: MASTER,
      sentinelRootNodes: [{ host: '127.0.0.1', port }],
      scanInterval: 500,
    })
    client.on('error', () => undefined)
    await client.connect()
    return { client, close: () => void client.destroy() }
  },
}

function sentinelOptions(port: number) {
  return {
    sentinels: [{ host: '127.0.0.1', port }],
    name: MASTER,
    maxRetriesPerRequest: 1,
    sentinelRetryStrategy: () => 200,
    retryStrategy: () => 200,
  }
}

async function byName(client: Redis | Valkey): Promise<OpenClient> {
  client.on('error', () => undefined)
  await client.ping()
  return { client, close: () => client.disconnect() }
}
