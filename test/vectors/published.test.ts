import { readFileSync, statSync } from 'node:fs'
import Fastify from 'fastify'
import type { JWK } from 'jose'
import type { Revision } from 'fastify-wimse'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { REFUSALS } from '../../packages/core/src/codes.js'
import { type ProtectedService, startProtectedService } from '../fastify/protected-service.js'
import { rawRequest } from '../fastify/raw-request.js'

interface Vectors {
  readonly service: {
    readonly origin: string
    readonly now: number
    readonly clockTolerance: number
    readonly maxTokenBytes: number
    readonly trustDomains: Readonly<
      Record<string, { readonly keys: readonly JWK[]; readonly issuer?: string }>
    >
  }
  readonly keys: Readonly<Record<string, object>>
  readonly cases: readonly Case[]
}

interface Case {
  readonly id: string
  readonly title: string
  readonly carriage: 'workload-proof-token' | 'authorization'
  readonly request: {
    readonly method: string
    readonly target: string
    readonly headers: Readonly<Record<string, string | readonly string[]>>
  }
  readonly expected: readonly {
    readonly status: number
    readonly code?: string
    readonly workload?: string
  }[]
}

interface Generator {
  readonly generate: (kept?: Vectors | null) => Vectors
  readonly verifies: (token: string, jwk: object) => boolean
}

const folder = new URL('published/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const text = read('vectors.json')
const vectors = JSON.parse(text) as Vectors
const { service: configuration, cases } = vectors
const generator = (await import(new URL('generate.mjs', folder).href)) as Generator
const same = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`

describe('the generator of the published vectors', () => {
  it('makes what is published', () => {
    expect(same(generator.generate(vectors))).toBe(text)
  })

  it('makes the same tokens without the file, where signatures are the same each time', () => {
    const anew = generator.generate({ ...vectors, cases: [] })
    const differing = cases.filter((one, index) => same(one) !== same(anew.cases[index]))
    expect(differing.map(({ id }) => id)).toEqual([
      'good-es256',
      'good-es384',
      'good-es512',
      'good-ps256',
      'good-issuer-es256',
      'authorization-good-es256',
    ])
  })

  it('keeps no signature that does not verify', () => {
    const { request, ...rest } = cases.find(({ id }) => id === 'good-es256')!
    const token = request.headers['Workload-Proof-Token'] as string
    const spoilt = token.slice(0, -8) + token.slice(-8).split('').toReversed().join('')
    const headers = { ...request.headers, 'Workload-Proof-Token': spoilt }
    const anew = generator.generate({ ...vectors, cases: [{ ...rest, request: { ...request, headers } }] })
    const made = anew.cases.find(({ id }) => id === 'good-es256')!.request.headers['Workload-Proof-Token']
    expect(generator.verifies(spoilt, vectors.keys['caller-ES256']!)).toBe(false)
    expect(generator.verifies(made as string, vectors.keys['caller-ES256']!)).toBe(true)
  })
})

describe('the published vectors', () => {
  it('are as their schema says, which refuses others', async () => {
    const app = Fastify({ bodyLimit: 1_000_000 })
    app.post('/', { schema: { body: JSON.parse(read('schema.json')) as object } }, async () => 'valid')
    const statusOf = async (payload: object): Promise<number> =>
      (await app.inject({ method: 'POST', url: '/', payload })).statusCode
    expect(await statusOf(vectors)).toBe(200)
    const [first, ...others] = cases
    expect(await statusOf({ ...vectors, cases: [{ ...first, carriage: 'cookie' }, ...others] })).toBe(400)
    expect(await statusOf({ ...vectors, cases: [{ ...first, expected: [] }, ...others] })).toBe(400)
    const { maxTokenBytes: _, ...unlimited } = configuration
    expect(await statusOf({ ...vectors, service: unlimited })).toBe(400)
    const trustDomains = { 'wimse://example.com': { keys: [], issuer: {} } }
    expect(await statusOf({ ...vectors, service: { ...configuration, trustDomains } })).toBe(400)
  })

  it('are small, many, each another, and of both carriages and outcomes', () => {
    expect(statSync(new URL('vectors.json', folder)).size).toBeLessThan(300_000)
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length)
    for (const carriage of ['workload-proof-token', 'authorization']) {
      const ofCarriage = cases.filter((one) => one.carriage === carriage)
      expect(ofCarriage.filter(({ expected }) => expected[0]!.status === 200).length).toBeGreaterThan(2)
      expect(ofCarriage.filter(({ expected }) => expected[0]!.status !== 200).length).toBeGreaterThan(7)
    }
  })
})

describe('the published vectors, of each refusal', () => {
  it('have a case for all but those that come of a policy of the service or of bearer tokens', () => {
    const shown = new Set(cases.flatMap(({ expected }) => expected.map(({ code }) => code)))
    expect(Object.keys(REFUSALS).filter((code) => !shown.has(code))).toEqual([
      'WIMSE_WIT_REVOKED',
      'WIMSE_BEARER_MISSING',
      'WIMSE_BEARER_INVALID',
      'WIMSE_BEARER_REFUSED',
      'WIMSE_BEARER_SUNSET',
    ])
  })
})

describe('the published vectors, of tokens that are long', () => {
  const longest = (id: string): number =>
    Math.max(
      ...Object.entries(cases.find((one) => one.id === id)!.request.headers)
        .filter(([name]) => name.startsWith('Workload-'))
        .map(([, value]) => value.length),
    )

  it('stand on either side of the bound', () => {
    expect(longest('good-longest')).toBe(configuration.maxTokenBytes)
    expect(longest('wit-too-long')).toBe(configuration.maxTokenBytes + 1)
  })
})

describe('the published vectors, answered', () => {
  let service: ProtectedService
  const revisions: readonly Revision[] = ['wpt-01', 'wpt-02']
  beforeAll(async () => {
    const { origin, trustDomains, clockTolerance, maxTokenBytes, now } = configuration
    service = await startProtectedService({
      audience: origin,
      trustDomains: Object.fromEntries(
        Object.entries(trustDomains).map(([domain, { keys, issuer }]) => [
          domain,
          { jwks: { keys }, ...(issuer === undefined ? {} : { issuer }) },
        ]),
      ),
      clockTolerance,
      maxTokenBytes,
      revisions,
      now: () => now,
    })
  })
  afterAll(() => service.app.close())

  for (const { id, title, request, expected } of cases) {
    it(`${id}, ${title}: ${expected.map(({ code, status }) => code ?? status).join(', then ')}`, async () => {
      const fields = Object.entries(request.headers).flatMap(([name, values]) =>
        [values].flat().map((value) => `${name}: ${value}`),
      )
      for (const { status, code, workload } of expected) {
        const handledBefore = service.handled.length
        const answer = await rawRequest(service.port, [
          `${request.method} ${request.target} HTTP/1.1`,
          ...fields,
        ])
        const body = JSON.parse(answer.body) as { code?: string; caller?: string }
        expect({ status: answer.status, code: body.code, workload: body.caller }).toEqual({
          status,
          code,
          workload,
        })
        expect(service.handled).toHaveLength(handledBefore + (status === 200 ? 1 : 0))
      }
    })
  }
})
