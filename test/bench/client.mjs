// What does the interceptor add to a client's CPU, next to one signature made in the same place? What building a
// proof costs without a client around it stands in library.mjs.
// Run after `npm run setup` and a build: npm run bench:client
import { fork } from 'node:child_process'
import { createPrivateKey, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { staticCredentials, wimseInterceptor } from 'fastify-wimse-client'
import { Agent } from 'undici'
import { signRequest } from 'wimse'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { interleaved, lowerQuartile, show, title } from './measure.mjs'
import { arrangement, moveToFirst, onOthers } from './processors.mjs'

const BATCH = 500
const IN_FLIGHT = 32
const PATH = '/stock/42'

// The called side is this file again, in a process of its own: only the client's CPU is to be counted.
if (process.send !== undefined) await serve()
else await bench()

async function serve() {
  const server = createServer(({ headers }, response) => {
    response.writeHead('workload-proof-token' in headers ? 200 : 400).end('in stock')
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.on('disconnect', () => process.exit())
}

async function bench() {
  title()
  console.log(`${arrangement}\n`)
  const server = fork(fileURLToPath(import.meta.url), onOthers)
  moveToFirst()
  const [port] = await once(server, 'message')
  const origin = `http://127.0.0.1:${port}`
  for (const algorithm of ['ES256', 'EdDSA']) {
    const credential = await createTestIdentityServer({ origin: 'wimse://example.com' }).issue({
      subject: '/checkout',
      algorithm,
    })
    const key = createPrivateKey({ key: privateKeyOf(credential), format: 'jwk' })
    const hash = algorithm === 'ES256' ? 'sha256' : null
    const constant = signRequest(credential, { url: origin + PATH })
    const input = Buffer.from(constant['Workload-Proof-Token'])
    const credentials = staticCredentials({ wit: credential.wit, key: privateKeyOf(credential) })
    // All three send the same bytes, but for the proof.
    const headers = (fields) => (dispatch) => (request, handler) =>
      dispatch({ ...request, headers: fields() }, handler)
    const times = await interleaved(
      {
        constant: calling(
          origin,
          headers(() => constant),
        ),
        sign: calling(
          origin,
          headers(() => {
            sign(hash, input, key)
            return constant
          }),
        ),
        wimse: calling(origin, wimseInterceptor({ credentials, targets: [origin] })),
      },
      { rounds: 61, warmUp: 20 },
    )
    // Whatever else the machine does only adds, and a difference is disturbed by both its sides.
    const usual = Object.fromEntries(Object.entries(times).map(([name, time]) => [name, lowerQuartile(time)]))
    const above = (name) => usual[name] - usual.constant
    show(
      `Calling with undici, ${algorithm}, ${IN_FLIGHT} in flight`,
      [
        ['constant fields', [usual.constant], null, '', ''],
        ['constant fields and one sign', [usual.sign], null, '', ''],
        ['wimseInterceptor', [usual.wimse], null, '', ''],
        ['one sign, above constant fields', [above('sign')], null, '', ''],
        [
          'wimseInterceptor, above constant fields',
          [above('wimse')],
          above('wimse') / above('sign'),
          'of one sign',
          '≤ 1.40',
        ],
      ],
      { each: BATCH },
    )
  }
  server.disconnect()
}

function calling(origin, interceptor) {
  const dispatcher = new Agent({ connections: IN_FLIGHT }).compose(interceptor)
  return {
    prepare: () => undefined,
    run: async () => {
      let left = BATCH
      const lane = async () => {
        while (left-- > 0) {
          const { statusCode, body } = await dispatcher.request({ origin, path: PATH, method: 'GET' })
          await body.dump()
          if (statusCode !== 200) throw new Error(`answered with ${statusCode}`)
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
    },
  }
}
