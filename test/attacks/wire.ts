import { connect } from 'node:net'
import { sendFrames } from '../transports/http2-frames.js'
import type { Sent } from './attack.js'

/** One answer. */
export interface Answer {
  /** A code of ours, or the status where there is none, or how the stream was closed instead. */
  readonly outcome: string
  /** All of it, as it came. */
  readonly text: string
}

/** Sends what an attack sends, over a connection of its own, and reads every answer until its end. */
export async function exchange(port: number, sent: Sent): Promise<readonly Answer[]> {
  if (typeof sent !== 'string') {
    const outcome = await sendFrames(connect(port, '127.0.0.1'), sent)
    if ('closedWith' in outcome) return [{ outcome: outcome.closedWith, text: '' }]
    const body = outcome.data
    return [{ outcome: body === '' ? '400' : (codeIn(body) ?? '200'), text: body }]
  }
  const text = await exchangeBytes(port, sent)
  if (text === '') return [{ outcome: 'closed', text }]
  return text
    .split(/(?=HTTP\/1\.1 \d{3})/)
    .filter((answer) => !answer.startsWith('HTTP/1.1 100 '))
    .map(readAnswer)
}

async function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    // Not ended by us: Node gives up requests whose sender has said goodbye.
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (received += chunk))
    // Node hangs up on a head it refuses, at times before it has read all of it.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(received))
  })
}

function readAnswer(text: string): Answer {
  const status = text.slice(9, 12)
  return { outcome: codeIn(text) ?? status, text }
}

/** The code of a problem document that answers with its own status. */
function codeIn(text: string): string | null {
  const { status, code } = /\{"type".*\}/s.test(text)
    ? (JSON.parse(/\{"type".*\}/s.exec(text)![0]) as { status: number; code: string })
    : { status: 0, code: '' }
  if (code === '') return null
  return !text.startsWith('HTTP/') || text.startsWith(`HTTP/1.1 ${status} `) ? code : `not ${code}`
}
