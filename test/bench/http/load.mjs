// Sends requests made beforehand over connections that stay open: a client that does as little as it can, since it
// shares the machine with what is measured.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Opens a connection; `send` gives the status of the answer, one request at a time. */
export async function openConnection(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.setEncoding('latin1')
  let received = ''
  let waiting = null
  socket.on('data', (text) => {
    received += text
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = /\r\ncontent-length: *(\d+)/i.exec(received)
    if (length === null) throw new Error(`an answer of unknown length: ${received.slice(0, 200)}`)
    if (received.length < end + 4 + Number(length[1])) return
    const status = Number(received.slice(9, 12))
    received = ''
    waiting.resolve(status)
  })
  const lost = (error) => waiting?.reject(error ?? new Error('the server closed the connection'))
  socket.on('error', lost).on('close', () => lost())
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(request)
      }),
    close: () => {
      waiting = null
      socket.destroy()
    },
  }
}

/** As fast as answers come: each connection sends its next request when it has the answer to the last. */
export async function saturate(connections, requests) {
  let next = 0
  let refused = 0
  const start = performance.now()
  const lane = async (connection) => {
    while (next < requests.length) {
      const status = await connection.send(requests[next++])
      if (status < 200 || status > 299) refused++
    }
  }
  await Promise.all(connections.map(lane))
  return { seconds: (performance.now() - start) / 1000, refused }
}

/**
 * So many a second, whether or not the ones before have been answered. A request that is due while its connection
 * still waits is late, and that counts as latency.
 */
export async function atRate(connections, requests, perSecond) {
  const milliseconds = []
  let refused = 0
  let sent = 0
  const last = connections.map(() => Promise.resolve())
  const one = async (before, connection, request) => {
    const due = performance.now()
    await before
    const status = await connection.send(request)
    milliseconds.push(performance.now() - due)
    if (status < 200 || status > 299) refused++
  }
  const start = performance.now()
  while (sent < requests.length) {
    const due = Math.min(requests.length, Math.ceil(((performance.now() - start) * perSecond) / 1000))
    for (; sent < due; sent++) {
      const turn = sent % connections.length
      last[turn] = one(last[turn], connections[turn], requests[sent])
    }
    await sleep(1)
  }
  await Promise.all(last)
  return { milliseconds, refused }
}
