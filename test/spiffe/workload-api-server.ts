import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type handleServerStreamingCall,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import type { Credential } from 'wimse'
import { privateKeyOf } from 'wimse-testkit'
import { layWire, type Wire } from './wire.js'
import { WORKLOAD_API } from './workload-api-proto.js'

const { root } = protobuf.parse(WORKLOAD_API)

/** Messages by name, read and written by another implementation than the one under test. */
export const message = (name: string): protobuf.Type => root.lookupType(name)

/** An identity as a server grants it. */
export interface GrantedSvid {
  readonly spiffeId?: string
  readonly witSvid?: string
  readonly witSvidKey?: string
  readonly hint?: string
}

/** The identity of a credential. */
export function svidOf(credential: Credential, hint?: string): GrantedSvid {
  return {
    spiffeId: credential.subject,
    witSvid: credential.wit,
    witSvidKey: JSON.stringify(privateKeyOf(credential)),
    ...(hint === undefined ? {} : { hint }),
  }
}

type Method = 'FetchWITSVID' | 'FetchWITBundles'
type Call = ServerWritableStream<{ readonly spiffeId?: string }, Buffer>

/** A real Workload API that answers as a test tells it to. */
export interface WorkloadApi {
  /** For `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint: string
  readonly wire: Wire
  /** What was asked for, in order; of calls without the security metadata, none. */
  readonly asked: readonly { readonly method: Method; readonly spiffeId: string }[]
  /** Calls that were turned away for want of the security metadata. */
  readonly turnedAway: () => number
  /** Calls that are open. */
  readonly open: (method: Method) => number
  /** Grants these identities from now on, and to those who are there. */
  grant(...svids: readonly GrantedSvid[]): void
  /** Publishes these bundles, JWK sets or any text by trust domain. */
  publish(bundles: Readonly<Record<string, object | string>>): void
  /** Sends bytes, as they are, to those who are there. */
  send(method: Method, bytes: Uint8Array): void
  /** Ends calls, those there are and those to come, with this status; null for good again. */
  refuse(code: status | null, details?: string): void
  /** Ends the calls there are without an error. */
  end(): void
  stop(): Promise<void>
}

/** Starts one on a Unix socket, or on TCP at loopback. With `profile: false` it knows nothing of WITs. */
export async function startWorkloadApi(
  options: { readonly tcp?: boolean; readonly profile?: boolean; readonly path?: string } = {},
): Promise<WorkloadApi> {
  const folder = mkdtempSync(join(tmpdir(), 'workload-api-'))
  const asked: { method: Method; spiffeId: string }[] = []
  const calls = new Map<Method, Set<Call>>([
    ['FetchWITSVID', new Set()],
    ['FetchWITBundles', new Set()],
  ])
  const latest = new Map<Method, Buffer>()
  let turnedAway = 0
  let refusal: { code: status; details: string } | null = null

  const answer =
    (method: Method): handleServerStreamingCall<{ readonly spiffeId?: string }, Buffer> =>
    (call) => {
      if (call.metadata.get('workload.spiffe.io')[0] !== 'true') {
        turnedAway++
        call.emit('error', { code: status.INVALID_ARGUMENT, details: 'security header missing' })
        return
      }
      asked.push({ method, spiffeId: call.request.spiffeId ?? '' })
      if (refusal !== null) {
        call.emit('error', refusal)
        return
      }
      const open = calls.get(method)!
      open.add(call)
      call.on('cancelled', () => open.delete(call))
      const bytes = latest.get(method)
      if (bytes !== undefined) call.write(bytes)
    }

  const server = new Server()
  if (options.profile !== false) {
    server.addService(definition(), {
      FetchWITSVID: answer('FetchWITSVID'),
      FetchWITBundles: answer('FetchWITBundles'),
    })
  }
  const inside = join(folder, 'inside.sock')
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${inside}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  )
  const path = options.path ?? join(folder, 'agent.sock')
  const wire = await layWire(options.tcp === true ? { port: 0, host: '127.0.0.1' } : { path }, inside)

  function send(method: Method, bytes: Uint8Array): void {
    for (const call of calls.get(method)!) call.write(Buffer.from(bytes))
  }

  function replace(method: Method, bytes: Uint8Array): void {
    latest.set(method, Buffer.from(bytes))
    send(method, bytes)
  }

  function forEachCall(end: (call: Call) => void): void {
    for (const open of calls.values()) {
      for (const call of open) end(call)
      open.clear()
    }
  }

  return {
    endpoint: options.tcp === true ? `tcp://127.0.0.1:${wire.port}` : `unix://${path}`,
    wire,
    asked,
    turnedAway: () => turnedAway,
    open: (method) => calls.get(method)!.size,
    grant: (...svids) => replace('FetchWITSVID', message('WITSVIDResponse').encode({ svids }).finish()),
    publish(bundles) {
      const texts = Object.entries(bundles).map(([trustDomain, set]) => [
        trustDomain,
        typeof set === 'string' ? set : JSON.stringify(set),
      ])
      const published = { bundles: Object.fromEntries(texts) }
      replace('FetchWITBundles', message('WITBundlesResponse').encode(published).finish())
    },
    send,
    refuse(code, details = 'as the test has it') {
      refusal = code === null ? null : { code, details }
      if (refusal !== null) forEachCall((call) => call.emit('error', refusal))
    },
    end: () => forEachCall((call) => call.end()),
    async stop() {
      await wire.close()
      server.forceShutdown()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function definition(): ServiceDefinition {
  const method = (name: Method, request: string): ServiceDefinition[string] => ({
    path: `/SpiffeWorkloadAPI/${name}`,
    requestStream: false,
    responseStream: true,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: (bytes) => message(request).decode(bytes),
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes) => bytes,
  })
  return {
    FetchWITSVID: method('FetchWITSVID', 'WITSVIDRequest'),
    FetchWITBundles: method('FetchWITBundles', 'WITBundlesRequest'),
  }
}
