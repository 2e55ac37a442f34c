import type { Socket } from 'node:net'
import { type ChannelCredentials, Client, credentials } from '@grpc/grpc-js'
import type { ConnectionSettings } from './connection-options.js'

/** Bytes one message may have; a longer one ends the stream, and it is asked again. */
const LONGEST_MESSAGE = 4 * 1024 * 1024

const KEEPALIVE_TIMEOUT_MS = 20_000

/**
 * Opens a connection to a Workload API: gRPC without TLS. Nothing is sent before the first call. Sources of
 * one endpoint and `keepaliveMs` share a connection, which is closed with the last of them.
 */
export function openConnection({ endpoint, keepaliveMs }: ConnectionSettings): Client {
  return new Client(endpoint.target, plaintext(), {
    'grpc.max_receive_message_length': LONGEST_MESSAGE,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': Math.min(keepaliveMs, KEEPALIVE_TIMEOUT_MS),
    // A proxy of the environment is no place for private keys.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    // Who waits how long before asking again is up to the stream; the channel must not wait longer.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1000,
  })
}

/**
 * Without TLS, and without holding the process: gRPC holds a socket for as long as there is a call on it, and
 * the calls of this API never end. gRPC lets nobody else at its sockets. A version of it that has no such
 * method holds the process until the source is closed, and nothing else changes.
 */
function plaintext(): ChannelCredentials {
  const plain = credentials.createInsecure()
  const createConnector = plain[CREATE_CONNECTOR]?.bind(plain)
  if (createConnector === undefined) return plain
  plain[CREATE_CONNECTOR] = (...target) => {
    const connector = createConnector(...target)
    const connect = connector.connect.bind(connector)
    connector.connect = async (socket) => {
      letGoOf(socket)
      return connect(socket)
    }
    return connector
  }
  return plain
}

const CREATE_CONNECTOR = '_createSecureConnector'

function letGoOf(socket: Socket): void {
  socket.unref()
  socket.ref = () => socket
}
