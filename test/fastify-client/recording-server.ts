import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** A real server that remembers what reached it. */
export interface RecordingServer {
  readonly origin: string
  readonly requests: readonly {
    readonly method: string
    readonly url: string
    readonly fields: ReadonlyMap<string, readonly string[]>
    readonly body: string
  }[]
  close(): Promise<void>
}

/** Starts one on loopback. */
export async function startRecordingServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.end('ok'),
): Promise<RecordingServer> {
  const requests: RecordingServer['requests'][number][] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const fields = new Map<string, string[]>()
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        const name = request.rawHeaders[i]!.toLowerCase()
        fields.set(name, [...(fields.get(name) ?? []), request.rawHeaders[i + 1]!])
      }
      requests.push({ method: request.method!, url: request.url!, fields, body })
      answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    close: async () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
