import { once } from 'node:events'
import { connect, createServer, type ListenOptions, type Socket } from 'node:net'

/** What lies between a client and a server: it can be cut, and it can go dead without a word. */
export interface Wire {
  /** Connections that clients have made, ever. */
  readonly made: () => number
  /** Those that are open. */
  readonly open: () => number
  /** Cuts every connection; new ones can be made. */
  cut(): void
  /** Passes nothing on any more, on the connections there are, and closes none. */
  freeze(): void
  /** Cuts every connection, and no new ones can be made. */
  close(): Promise<void>
}

/** Lays a wire from where clients connect to where a server listens. */
export async function layWire(from: ListenOptions, to: string): Promise<Wire & { readonly port: number }> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let made = 0
  const server = createServer((near) => {
    made++
    const far = connect(to)
    const pair = [near, far] as const
    pairs.add(pair)
    near.pipe(far).pipe(near)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => undefined)
      one.on('close', () => {
        pairs.delete(pair)
        other.destroy()
      })
    }
  })
  server.listen(from)
  await once(server, 'listening')
  const address = server.address()
  const cut = (): void => {
    for (const [near, far] of pairs) {
      near.destroy()
      far.destroy()
    }
  }
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    made: () => made,
    open: () => pairs.size,
    cut,
    freeze() {
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
      }
    },
    async close() {
      cut()
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
