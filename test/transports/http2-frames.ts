import type { Duplex } from 'node:stream'

/** What an HTTP/2 server did with one stream. */
export type StreamOutcome = { readonly data: string } | { readonly closedWith: 'RST_STREAM' | 'GOAWAY' }

/**
 * Sends one bodiless request in frames written by hand, for header lists that Node's client does not send.
 * Fields are literals without compression; of the answer only the data is read, not its header block.
 *
 * @param socket connected, past TLS where there is TLS
 * @param fields pseudo fields first, as they go out
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-4.1}
 */
export async function sendFrames(
  socket: Duplex,
  fields: readonly (readonly [name: string, value: string])[],
): Promise<StreamOutcome> {
  const block = Buffer.concat(fields.map(([name, value]) => literal(name, value)))
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(SETTINGS, 0, 0, Buffer.alloc(0)),
      frame(HEADERS, END_STREAM | END_HEADERS, 1, block),
    ]),
  )
  try {
    return await readStream(socket)
  } finally {
    socket.destroy()
  }
}

const DATA = 0x0
const HEADERS = 0x1
const RST_STREAM = 0x3
const SETTINGS = 0x4
const GOAWAY = 0x7
const END_STREAM = 0x1
const END_HEADERS = 0x4
const HEAD_LENGTH = 9

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_LENGTH)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A literal field without indexing, neither name nor value in Huffman code: RFC 7541 section 6.2.2. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

async function readStream(socket: Duplex): Promise<StreamOutcome> {
  let received = Buffer.alloc(0)
  let data = ''
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk])
    while (received.length >= HEAD_LENGTH) {
      const end = HEAD_LENGTH + received.readUIntBE(0, 3)
      if (received.length < end) break
      const [type, flags] = [received[3]!, received[4]!]
      if (type === RST_STREAM) return { closedWith: 'RST_STREAM' }
      if (type === GOAWAY) return { closedWith: 'GOAWAY' }
      if (type === DATA) data += received.toString('utf8', HEAD_LENGTH, end)
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) return { data }
      received = received.subarray(end)
    }
  }
  throw new Error('the connection ended before the stream did')
}
