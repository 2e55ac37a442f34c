import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bash, createWorkplace, CREDENTIAL, issueTokens, type Run, TRUST, type Workplace } from './wimse.js'

let place: Workplace
beforeAll(async () => {
  place = createWorkplace()
  await issueTokens(place)
})
afterAll(() => place.remove())

const VERIFY = `wimse wit verify checkout.wit ${TRUST.join(' ')}`
const REFUSED = VERIFY.replace('//example.com', '//example.org')

describe.skipIf(process.platform === 'win32')('an exit code', () => {
  it.for([
    [VERIFY, 0],
    [REFUSED, 1],
    [`${VERIFY} --bogus`, 2],
    ['wimse inspect checkout.wit', 3],
  ] as const)('of `%s` is %i, whoever reads what it says', async ([line, code]) => {
    expect((await bash(place, line)).code).toBe(code)
    expect(await bash(place, `${line} | true`)).toMatchObject({ code })
    expect(await bash(place, `${line} --json | true`)).toMatchObject({ code, stderr: '' })
    expect(await bash(place, `${line} 2> >(true)`)).toMatchObject({ code })
  })

  it.skipIf(!existsSync('/dev/full')).for([VERIFY, REFUSED, 'wimse --help', 'wimse key --json'])(
    'of `%s` is 5 where the output cannot be written, and that is told once',
    async (line) => {
      expect(await bash(place, `${line} > /dev/full`)).toEqual({
        code: 5,
        stdout: '',
        stderr: 'wimse: standard output cannot be written (ENOSPC)\n',
      })
    },
  )
})

describe.skipIf(process.platform === 'win32')('--max-time', () => {
  const BYTES = 3_000_000
  let server: Server
  beforeAll(async () => {
    server = createServer((request, response) => {
      response.writeHead(200, { 'content-length': BYTES })
      response.write(Buffer.alloc(request.url === '/half' ? BYTES / 2 : BYTES))
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  it('is for the service, and not for whoever reads the answer', async () => {
    const call = async (path: string): Promise<Run> => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
      return bash(place, `wimse call ${url} ${CREDENTIAL.join(' ')} --max-time 1 | (sleep 2; wc -c)`)
    }
    const whole = await call('/whole')
    expect([whole.code, Number(whole.stdout)]).toEqual([0, BYTES])
    const half = await call('/half')
    expect([half.code, Number(half.stdout)]).toEqual([4, BYTES / 2])
    expect(half.stderr).toContain('was not there within 1 s')
  })
})
