import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Revision } from 'fastify-wimse'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import { rawRequest } from '../fastify/raw-request.js'
import { sharedVectors } from '../machine.js'
import { readVectors } from './shared.js'

interface Official {
  readonly id: string
  readonly wit: string
  readonly wpt: string
  readonly issuerPublicJwk: object
  readonly request: {
    readonly method: string
    readonly targetUri: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
  readonly decoded: { readonly witClaims: { readonly sub: string } }
  readonly validAt: number
}

const FILES: readonly (readonly [file: string, revision: Revision])[] = [
  ['official/wpt-seed003.json', 'wpt-01'],
  ['official/wpt-oth-pr227.json', 'wpt-01'],
  ['official/wpt-02-authorization.json', 'wpt-02'],
]

// Every file has a service of its own, since two of them share a jti, and all services one configuration.
for (const [file, revision] of FILES) {
  describe.skipIf(sharedVectors === null)(`${file} (WIT-01, WPT-01, WPT-06, WPT-10, WPT-11)`, () => {
    const official = readVectors<Official | null>(file, null)!
    let service: ProtectedService

    beforeAll(async () => {
      service = await startProtectedService({
        audience: 'https://workload.example.com',
        trustDomains: { 'wimse://example.com': { jwks: { keys: [official.issuerPublicJwk] } } },
        revisions: ['wpt-01', 'wpt-02'],
        now: () => official.validAt,
      })
    })
    afterAll(() => service.app.close())

    const send = async (
      change: (value: string) => string,
    ): Promise<{ status: number; code: string | undefined }> => {
      const { method, targetUri, headers, body } = official.request
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${change(value)}`)
      const response = await rawRequest(
        service.port,
        [`${method} ${new URL(targetUri).pathname} HTTP/1.1`, ...fields],
        body,
      )
      return { status: response.status, code: (JSON.parse(response.body) as { code?: string }).code }
    }

    it('is accepted as printed, once', async () => {
      expect(await send((value) => value)).toEqual({ status: 200, code: undefined })
      expect(service.handled.map(({ id }) => id)).toEqual([official.decoded.witClaims.sub])
      const status = revision === 'wpt-02' ? 401 : 400
      expect(await send((value) => value)).toEqual({ status, code: 'WIMSE_WPT_REPLAYED' })
    })

    for (const [token, prefix] of [
      ['wit', 'WIMSE_WIT_'],
      ['wpt', 'WIMSE_WPT_'],
    ] as const) {
      it(`is refused with one bit of any character of the ${token} flipped`, async () => {
        const text = official[token]
        const handledBefore = service.handled.length
        for (let position = 0; position < text.length; position++) {
          const flipped = String.fromCharCode(text.charCodeAt(position) ^ 1)
          const spoilt = text.slice(0, position) + flipped + text.slice(position + 1)
          const { status, code } = await send((value) => value.replace(text, spoilt))
          expect([400, 401]).toContain(status)
          expect(code).toMatch(prefix)
          expect(code).not.toBe('WIMSE_WPT_REPLAYED')
        }
        expect(service.handled).toHaveLength(handledBefore)
      })
    }
  })
}
