/**
 * Replay store and caller memory in Redis or Valkey, shared by every process of a service.
 *
 * @module
 */
export type { RedisClient } from './redis-client.js'
export { redisCallerMemory, type RedisCallerMemoryOptions } from './redis-caller-memory.js'
export { redisReplayStore, type RedisReplayStoreOptions } from './redis-replay-store.js'
