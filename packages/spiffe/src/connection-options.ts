import { type Clock, readNumber, readFunction } from 'wimse'
import { type Endpoint, readEndpoint } from './endpoint.js'

/** Options that both sources have. */
export interface ConnectionOptions {
  /** `unix:///path`, or `tcp://ip:port` on loopback. Default the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string
  /** Allows TCP beyond loopback, where anyone on the way reads keys and puts in others. Default false. */
  readonly allowInsecure?: boolean
  /** Milliseconds that a first message is waited for, from the first time it is asked for. Default 5000. */
  readonly timeoutMs?: number
  /**
   * Milliseconds between two questions whether the other end is still there. Default 330,000: servers in Go
   * cut off who asks more often than every five minutes, unless they are told otherwise.
   */
  readonly keepaliveMs?: number
}

/** Names of {@link ConnectionOptions}. */
export const CONNECTION_OPTIONS: readonly (keyof ConnectionOptions)[] = [
  'endpoint',
  'allowInsecure',
  'timeoutMs',
  'keepaliveMs',
]

/** Options that have been checked. */
export interface ConnectionSettings {
  readonly endpoint: Endpoint
  readonly timeoutMs: number
  readonly keepaliveMs: number
}

/** Checks them. @throws TypeError naming the option that is wrong */
export function readConnectionOptions(options: ConnectionOptions): ConnectionSettings {
  return {
    endpoint: readEndpoint(options.endpoint, options.allowInsecure),
    timeoutMs: readNumber('timeoutMs', options.timeoutMs, { default: 5000, min: 1, max: 60_000 }),
    keepaliveMs: readNumber('keepaliveMs', options.keepaliveMs, {
      default: 330_000,
      min: 1000,
      max: 86_400_000,
      integer: true,
    }),
  }
}

/**
 * Checks a clock, and wraps it so that it gives NaN where it throws: nobody expects that of a clock, and
 * nothing is valid at NaN.
 *
 * @throws TypeError naming the option
 */
export function readClock(name: string, value: Clock | undefined, fallback: Clock): Clock {
  const clock = readFunction(name, value, fallback)
  return () => {
    try {
      return clock()
    } catch {
      return Number.NaN
    }
  }
}
