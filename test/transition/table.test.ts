import { describe, expect, it } from 'vitest'
import type { TransitionOptions } from 'fastify-wimse'
import type { Credential } from 'wimse'
import { createTestIdentityServer } from 'wimse-testkit'
import { movingService, type MovingService, NOON } from './moving-service.js'

type Mode = 'required' | 'transition' | 'bearer' | 'off'

/** What a request carries, made for the route it goes to. */
const CREDENTIALS = {
  nothing: async () => ({}),
  'a bearer token': async ({ bearer }) => ({ authorization: await bearer('/checkout') }),
  'an expired bearer token': async ({ bearer }) => ({
    authorization: await bearer('/checkout', { exp: NOON - 60 }),
  }),
  'a bearer token of a stranger': async ({ bearer }) => ({
    authorization: await bearer('/checkout', { iss: 'https://evil.example' }),
  }),
  'a bearer token for another service': async ({ bearer }) => ({
    authorization: await bearer('/checkout', { aud: 'https://other.example' }),
  }),
  'a bearer token bound to a key': async ({ bearer }) => ({
    authorization: await bearer('/checkout', { cnf: { jkt: 'x' } }),
  }),
  'the WIT as a bearer token': async (_service, credential) => ({
    authorization: `Bearer ${credential.wit}`,
  }),
  'two bearer tokens': async ({ bearer }) => {
    const token = await bearer('/checkout')
    return { authorization: [token, token] }
  },
  'Basic credentials': async () => ({ authorization: 'Basic dXNlcjp3b3Jk' }),
  'a WIT and a proof': async ({ proof }, credential, path) => proof(credential, path),
  'a WIT alone': async (_service, credential) => ({ 'workload-identity-token': credential.wit }),
  'a WIT and a proof for another path': async ({ proof }, credential) => proof(credential, '/elsewhere'),
  'a broken WIT beside a good bearer token': async ({ bearer, proof }, credential, path) => {
    const authorization = await bearer('/checkout')
    const headers = proof(credential, path, { authorization })
    return { authorization, ...headers, 'Workload-Identity-Token': `${credential.wit}x` }
  },
  'an empty WIT field beside a good bearer token': async ({ bearer }) => ({
    authorization: await bearer('/checkout'),
    'workload-identity-token': '',
  }),
  'a good pair beside a bearer token it covers': async ({ bearer, proof }, credential, path) => {
    const authorization = await bearer('/other')
    return { authorization, ...proof(credential, path, { authorization }) }
  },
  'a good pair beside a bearer token it does not cover': async ({ bearer, proof }, credential, path) => ({
    authorization: await bearer('/other'),
    ...proof(credential, path),
  }),
} satisfies Record<
  string,
  (service: MovingService, credential: Credential, path: string) => Promise<Record<string, string | string[]>>
>

type Outcome = readonly [status: number, code: string | null]
const IN: Outcome = [200, null]
const MISSING: Outcome = [401, 'WIMSE_BEARER_MISSING']
const INVALID: Outcome = [401, 'WIMSE_BEARER_INVALID']
const NO_WIT: Outcome = [400, 'WIMSE_WIT_MISSING']

/** For a caller nobody knows anything of, before any date. */
const STRANGERS: Readonly<Record<keyof typeof CREDENTIALS, Readonly<Record<Mode, Outcome>>>> = {
  nothing: { required: NO_WIT, transition: MISSING, bearer: MISSING, off: IN },
  'a bearer token': { required: NO_WIT, transition: IN, bearer: IN, off: IN },
  'an expired bearer token': { required: NO_WIT, transition: INVALID, bearer: INVALID, off: IN },
  'a bearer token of a stranger': { required: NO_WIT, transition: INVALID, bearer: INVALID, off: IN },
  'a bearer token for another service': { required: NO_WIT, transition: INVALID, bearer: INVALID, off: IN },
  'a bearer token bound to a key': { required: NO_WIT, transition: INVALID, bearer: INVALID, off: IN },
  'the WIT as a bearer token': { required: NO_WIT, transition: INVALID, bearer: INVALID, off: IN },
  'two bearer tokens': {
    required: [400, 'WIMSE_WPT_ACCESS_TOKEN_HASH'],
    transition: INVALID,
    bearer: INVALID,
    off: IN,
  },
  'Basic credentials': { required: NO_WIT, transition: MISSING, bearer: MISSING, off: IN },
  'a WIT and a proof': { required: IN, transition: IN, bearer: MISSING, off: IN },
  'a WIT alone': {
    required: [400, 'WIMSE_WPT_MISSING'],
    transition: [400, 'WIMSE_WPT_MISSING'],
    bearer: MISSING,
    off: IN,
  },
  'a WIT and a proof for another path': {
    required: [400, 'WIMSE_WPT_AUDIENCE'],
    transition: [400, 'WIMSE_WPT_AUDIENCE'],
    bearer: MISSING,
    off: IN,
  },
  'a broken WIT beside a good bearer token': {
    required: [400, 'WIMSE_WIT_MALFORMED'],
    transition: [400, 'WIMSE_WIT_MALFORMED'],
    bearer: IN,
    off: IN,
  },
  'an empty WIT field beside a good bearer token': {
    required: [400, 'WIMSE_WPT_MISSING'],
    transition: [400, 'WIMSE_WPT_MISSING'],
    bearer: IN,
    off: IN,
  },
  'a good pair beside a bearer token it covers': { required: IN, transition: IN, bearer: IN, off: IN },
  'a good pair beside a bearer token it does not cover': {
    required: [400, 'WIMSE_WPT_ACCESS_TOKEN_HASH'],
    transition: [400, 'WIMSE_WPT_ACCESS_TOKEN_HASH'],
    bearer: IN,
    off: IN,
  },
}

describe('mode and credential, for callers nobody knows anything of (BEAR-01 to BEAR-04, BEAR-07)', () => {
  for (const [credential, byMode] of Object.entries(STRANGERS)) {
    for (const [mode, [status, code]] of Object.entries(byMode)) {
      it(`${mode}, ${credential}: ${status} ${code ?? ''}`, async () => {
        const service = await movingService()
        const wit = await service.identityServer.issue({ subject: '/checkout' })
        const headers = await CREDENTIALS[credential as keyof typeof CREDENTIALS](service, wit, `/${mode}`)
        const answer = await service.send(headers, `/${mode}`)
        expect([answer.status, answer.code]).toEqual([status, code])
        expect(service.handled()).toBe(status === 200 ? 1 : 0)
        const challenge = answer.headers['www-authenticate']
        if (status === 401) expect(challenge).toMatch(/^Bearer realm="workloads"/)
        else expect(challenge).toBeUndefined()
      })
    }
  }
})

type History =
  | 'none'
  | 'a WIT here'
  | 'a WIT elsewhere'
  | 'a refused WIT'
  | 'named by the operator'
  | 'forgotten'

const REFUSED: Outcome = [403, 'WIMSE_BEARER_REFUSED']
const SUNSET: Outcome = [403, 'WIMSE_BEARER_SUNSET']

interface Row {
  readonly history: History
  readonly after: number
  readonly transition: TransitionOptions
  readonly bearer: Outcome
  readonly mode?: Mode
}

const date = (seconds: number): Date => new Date((NOON + seconds) * 1000)

const HISTORIES: readonly Row[] = [
  { history: 'none', after: 0, transition: {}, bearer: IN },
  { history: 'a WIT here', after: 0, transition: {}, bearer: REFUSED },
  { history: 'a WIT here', after: 100, transition: {}, bearer: REFUSED },
  { history: 'a WIT here', after: 0, transition: { grace: 60 }, bearer: IN },
  { history: 'a WIT here', after: 59, transition: { grace: 60 }, bearer: IN },
  { history: 'a WIT here', after: 60, transition: { grace: 60 }, bearer: REFUSED },
  { history: 'a WIT here', after: 100, transition: { remember: false }, bearer: IN },
  { history: 'a WIT elsewhere', after: 0, transition: {}, bearer: REFUSED },
  { history: 'a refused WIT', after: 0, transition: {}, bearer: IN },
  { history: 'forgotten', after: 0, transition: {}, bearer: IN },
  {
    history: 'named by the operator',
    after: 0,
    transition: { upgraded: ['wimse://example.com/checkout'] },
    bearer: REFUSED,
  },
  {
    history: 'named by the operator',
    after: 0,
    transition: { upgraded: ({ path }) => path === '/checkout' },
    bearer: REFUSED,
  },
  {
    history: 'named by the operator',
    after: 0,
    transition: { upgraded: ['wimse://example.com/other'] },
    bearer: IN,
  },
  {
    history: 'named by the operator',
    after: 0,
    transition: { upgraded: ['wimse://example.com/checkout'], grace: 600 },
    bearer: REFUSED,
  },
  { history: 'none', after: 9, transition: { sunset: date(10) }, bearer: IN },
  { history: 'none', after: 10, transition: { sunset: date(10) }, bearer: SUNSET },
  { history: 'none', after: 11, transition: { deprecation: date(-10), sunset: date(10) }, bearer: SUNSET },
  { history: 'a WIT here', after: 11, transition: { sunset: date(10) }, bearer: SUNSET },
  { history: 'none', after: 11, transition: { deprecation: date(-10) }, bearer: IN },
  { history: 'a WIT here', after: 0, transition: {}, mode: 'bearer', bearer: IN },
  {
    history: 'named by the operator',
    after: 0,
    transition: { upgraded: ['wimse://example.com/checkout'] },
    mode: 'bearer',
    bearer: IN,
  },
  { history: 'none', after: 10, transition: { sunset: date(10) }, mode: 'bearer', bearer: SUNSET },
]

describe('history and date, for a bearer token of the same caller', () => {
  for (const { history, after, transition, bearer: expected, mode = 'transition' } of HISTORIES) {
    const { sunset, deprecation, ...others } = transition
    const dates = `${deprecation === undefined ? '' : ' deprecated'}${sunset === undefined ? '' : ' with a sunset'}`
    it(`${mode}, ${history}, ${after} s later${dates} ${JSON.stringify(others)}: ${expected.join(' ')}`, async () => {
      const service = await movingService({ transition }, { '/elsewhere': { mode: 'required' } })
      const { identityServer, proof, send, bearer, clock, app } = service
      const checkout = await identityServer.issue({ subject: '/checkout' })
      if (history === 'a WIT here' || history === 'forgotten') {
        expect((await send(proof(checkout))).status).toBe(200)
      }
      if (history === 'a WIT elsewhere')
        expect((await send(proof(checkout, '/elsewhere'), '/elsewhere')).status).toBe(200)
      if (history === 'a refused WIT') expect((await send(proof(checkout, '/nowhere'))).status).toBe(400)
      if (history === 'forgotten') await app.wimse.forget('wimse://example.com/checkout')
      clock.advance(after)
      const before = service.handled()
      const answer = await send({ authorization: await bearer('/checkout') }, `/${mode}`)
      expect([answer.status, answer.code]).toEqual(expected)
      expect(service.handled() - before).toBe(expected === IN ? 1 : 0)
      if (expected !== IN)
        expect(answer.headers['www-authenticate']).toBe(
          'Bearer realm="workloads", error="insufficient_scope"',
        )
      // Another caller is not touched by any of it but the sunset.
      const other = await send({ authorization: await bearer('/another') }, `/${mode}`)
      expect(other.status).toBe(expected === SUNSET ? 403 : 200)
      // And its WIT is always welcome.
      expect((await send(proof(checkout, '/elsewhere'), '/elsewhere')).status).toBe(200)
    })
  }

  it('a workload of another trust domain with the same path is another caller', async () => {
    const other = createTestIdentityServer({ origin: 'spiffe://example.com' })
    const service = await movingService()
    const { send, bearer } = service
    const { app } = service
    expect(app).toBeDefined()
    const stranger = await other.issue({ subject: '/checkout' })
    expect((await send(service.proof(stranger))).code).toBe('WIMSE_WIT_TRUST_DOMAIN')
    expect((await send({ authorization: await bearer('/checkout') })).status).toBe(200)
  })
})
