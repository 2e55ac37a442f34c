import { type Client, type ClientReadableStream, Metadata, type StatusObject, status } from '@grpc/grpc-js'
import { withoutTokens } from 'wimse'

/** What a stream of complete messages tells. Errors are safe to log. */
export interface StreamListener {
  message(bytes: Buffer): void
  /** Nothing is granted, or nothing any more. It is asked again. */
  denied(error: Error): void
  /** The stream is lost, for whatever reason. It is asked again. */
  lost(error: Error): void
  /** The stream is over, and is not asked again. */
  ended(error: Error): void
}

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 30_000

/**
 * Follows a stream of the Workload API for as long as it lasts, and asks for it again, with back-off and
 * jitter, when it is lost.
 *
 * @param method path, such as `/SpiffeWorkloadAPI/FetchWITSVID`
 * @returns a function that ends it; nobody is told anything after that
 */
export function followStream(
  client: Client,
  method: string,
  request: Buffer,
  listener: StreamListener,
): () => void {
  let call: ClientReadableStream<Buffer> | null = null
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let askedAt = 0
  let over = false

  function ask(): void {
    askedAt = performance.now()
    const metadata = new Metadata()
    metadata.set('workload.spiffe.io', 'true')
    const asked = client.makeServerStreamRequest(method, same, same, request, metadata)
    call = asked
    asked.on('data', (bytes: Buffer) => {
      if (over || call !== asked) return
      listener.message(bytes)
    })
    // Its status says the same, and is there also when the server ends the stream without an error.
    asked.on('error', () => undefined)
    // After the messages that came before it.
    asked.on('status', (ended: StatusObject) => setImmediate(() => finish(asked, ended)))
  }

  function finish(asked: ClientReadableStream<Buffer>, { code, details }: StatusObject): void {
    if (over || call !== asked) return
    call = null
    const said = withoutTokens(details)
    if (code === status.UNIMPLEMENTED) {
      end(`the server has no WIT profile (${said})`)
    } else if (code === status.INVALID_ARGUMENT) {
      end(`the server takes the request for invalid (${said})`)
    } else if (code === status.PERMISSION_DENIED) {
      askLater()
      listener.denied(new Error(`the server grants nothing (${said})`))
    } else {
      askLater()
      const how = code === status.OK ? 'the server has ended the stream' : `${status[code]} (${said})`
      listener.lost(new Error(how))
    }
  }

  function end(reason: string): void {
    over = true
    listener.ended(new Error(reason))
  }

  function askLater(): void {
    // Not with the first message: a server that sends one and hangs up would be asked four times a second.
    if (performance.now() - askedAt > LONGEST_RETRY_MS) failures = 0
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
    failures++
    timer = setTimeout(ask, longest * (0.5 + 0.5 * Math.random())).unref()
  }

  ask()
  return () => {
    over = true
    clearTimeout(timer)
    call?.cancel()
  }
}

/** Messages are read by whoever listens, so that one that cannot be read does not end the stream. */
const same = (bytes: Buffer): Buffer => bytes
