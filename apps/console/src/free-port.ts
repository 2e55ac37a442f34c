import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Finds a free port on loopback: the wanted one, or any when it is taken or 0. A service has to know its
 * port before it listens, because its origin is what proofs are made for.
 *
 * Nothing is reserved: whoever comes first has the port.
 */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0))!
}

async function tryPort(port: number): Promise<number | null> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return null
  }
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' ? (address?.port ?? null) : null
}
