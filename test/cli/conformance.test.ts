import { createHash, createPrivateKey, type JsonWebKey, sign } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { importCredential, issueWit, signWpt } from 'wimse'
import { generateTestKeyPair } from 'wimse-testkit'
import { sharedVectors } from '../machine.js'
import { createWorkplace, namesACure, type Workplace } from './wimse.js'

const published = fileURLToPath(new URL('../vectors/published', import.meta.url))
let place: Workplace
beforeEach(() => {
  place = createWorkplace()
})
afterEach(() => place.remove())

interface Report {
  readonly conforms: boolean
  readonly counts: Readonly<Record<string, number>>
  readonly outcomes: readonly {
    id: string
    result: string
    expected: string | null
    received: string | null
  }[]
}

async function reportOn(
  path: string,
  ...words: readonly string[]
): Promise<Report & { readonly exit: number | null }> {
  const { code, stdout, stderr } = await place.wimse(['conformance', path, '--json', ...words])
  expect(stderr).toBe('')
  return { ...(JSON.parse(stdout) as Report), exit: code }
}

describe('wimse conformance, of the published vectors', () => {
  it('passes all of them, with the schema beside them left alone', async () => {
    const { cases } = JSON.parse(readFileSync(`${published}/vectors.json`, 'utf8')) as { cases: unknown[] }
    expect(await place.wimse(['conformance', published])).toEqual({
      code: 0,
      stdout: `${cases.length} passed, 0 failed, 0 answered otherwise on purpose, 0 skipped\n`,
      stderr: '',
    })
  })

  it('finds each expectation that is changed', async () => {
    type Case = { id: string; expected: { code?: string; workload?: string; status: number }[] }
    const vectors = JSON.parse(readFileSync(`${published}/vectors.json`, 'utf8')) as { cases: Case[] }
    const good = vectors.cases.find(({ expected }) => expected[0]!.status === 200)!
    const bad = vectors.cases.find(({ expected }) => expected[0]!.code === 'WIMSE_WPT_AUDIENCE')!
    const twice = vectors.cases.find(({ expected }) => expected.length === 2)!
    good.expected[0]!.workload = 'wimse://example.com/another'
    bad.expected[0]!.code = 'WIMSE_WPT_EXPIRED'
    twice.expected[1]!.code = 'WIMSE_WPT_JTI'
    place.write('vectors.json', JSON.stringify(vectors))
    const { exit, conforms, counts, outcomes } = await reportOn('.')
    expect({ exit, conforms }).toEqual({ exit: 1, conforms: false })
    expect(counts).toEqual({ passed: vectors.cases.length - 3, failed: 3, differs: 0, skipped: 0 })
    expect(outcomes.map(({ id }) => id).sort()).toEqual(
      [good, bad, twice].map(({ id }) => `vectors.json#${id}`).sort(),
    )
    const { stdout } = await place.wimse(['conformance', 'vectors.json'])
    expect(stdout).toMatch(
      /^failed +vectors\.json#.*\n +expected {2}400 WIMSE_WPT_EXPIRED\n +received {2}400 WIMSE_WPT_AUDIENCE$/m,
    )
  })

  it('asks of tokens what the service does, and of files that do not say so nothing', async () => {
    type Service = { maxTokenBytes?: number; trustDomains: Record<string, { issuer?: string }> }
    const vectors = JSON.parse(readFileSync(`${published}/vectors.json`, 'utf8')) as { service: Service }
    const { service } = vectors
    service.maxTokenBytes = 4095
    service.trustDomains['wimse://example.com']!.issuer = 'https://issuer.partner.example'
    place.write('vectors.json', JSON.stringify(vectors))
    const differing = async (): Promise<readonly (readonly [string, string | null])[]> =>
      (await reportOn('.')).outcomes.map(({ id, received }) => [id.replace(/.*#/, ''), received])
    expect(await differing()).toEqual([
      ['good-iss', '400 WIMSE_WIT_ISSUER'],
      ['good-longest', '400 WIMSE_TOKEN_TOO_LARGE'],
      ['wit-iss', '200 wimse://example.com/caller'],
    ])
    delete service.maxTokenBytes
    delete service.trustDomains['wimse://example.com']!.issuer
    place.write('vectors.json', JSON.stringify(vectors))
    expect(await differing()).toEqual([
      ['wit-too-long', '200 wimse://example.com/caller'],
      ['wit-iss', '200 wimse://example.com/caller'],
    ])
  })
})

describe.skipIf(sharedVectors === null)('wimse conformance, of the derived vectors', () => {
  it('passes all of them', async () => {
    const { exit, counts } = await reportOn(`${sharedVectors}/derived`)
    expect({ exit, counts }).toEqual({ exit: 0, counts: { passed: 102, failed: 0, differs: 0, skipped: 0 } })
  })
})

const NOW = 1_700_000_000
const FORMAT = 'wimse-conformance/v6'
const b64u = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const hash = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Signs what no signer of ours would. */
function jws(header: object, claims: object, key: JsonWebKey): string {
  const input = `${b64u(header)}.${b64u(claims)}`
  const signature = sign('sha256', Buffer.from(input), {
    key: createPrivateKey({ key, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363',
  })
  return `${input}.${signature.toString('base64url')}`
}

/** A folder in the format, of tokens made here. */
async function writeSuite(
  change: (documents: Record<string, Record<string, unknown>>) => void = () => undefined,
): Promise<void> {
  const [issuer, workload] = [generateTestKeyPair('ES256'), generateTestKeyPair('ES256')]
  const issue = async (subject: string): Promise<string> =>
    issueWit({
      issuerKey: { ...issuer.privateJwk, kid: 'issuer-key-1' },
      subject,
      confirmationKey: workload.publicJwk,
      issuer: 'https://issuer.example',
      now: NOW,
    })
  const wit = await issue('spiffe://example.org/workload/api')
  const credential = await importCredential({ wit, key: workload.privateJwk })
  const audience = 'https://workload.example.com/path'
  const context = { 'ctx-token': 'a-context-token' }
  const proof = signWpt(credential, { audience, txnToken: 'a-txn-token', otherTokens: context, now: NOW })
  const wptClaims = { aud: audience, exp: NOW + 60, jti: 'x', wth: hash(wit) }
  const documents: Record<string, Record<string, unknown>> = {
    identifier: {
      accept: [
        { id: 'basic', identifier: 'spiffe://example.org/a', origin: 'spiffe://example.org', path: '/a' },
      ],
      reject: [
        { id: 'query', identifier: 'wimse://example.org/a?b', expect: 'has_query' },
        { id: 'scheme', identifier: 'https://example.org/a', expect: 'unsupported_scheme' },
      ],
    },
    wit: {
      issuer_signing_key: issuer.privateJwk,
      verify_now: NOW,
      token: wit,
      negative: [
        { id: 'expired', expect: 'expired', verify_now: NOW + 3601 },
        { id: 'issued-in-future', expect: 'issued_in_future', verify_now: NOW - 1 },
        { id: 'wrong-issuer-key', expect: 'invalid_signature', issuer_verifying_key: workload.publicJwk },
        { id: 'issuer-mismatch', expect: 'issuer_mismatch', expected_iss: 'https://other.example' },
      ],
    },
    wpt: {
      spec: 'draft-ietf-wimse-wpt-02',
      issuer_verifying_key: issuer.publicJwk,
      verify_now: NOW,
      audience,
      wit,
      proof,
      txn_token: 'a-txn-token',
      other_tokens: context,
      negative: [
        { id: 'audience-mismatch', expect: 'audience_mismatch', audience: 'https://other.example.com/path' },
        {
          id: 'wit-binding-mismatch',
          expect: 'wit_binding_mismatch',
          wit: await issue('spiffe://example.org/other'),
        },
        { id: 'txn-token-absent', expect: 'txn_token_binding_mismatch', no_txn_token: true },
        { id: 'context-token-absent', expect: 'other_token_binding_mismatch', other_tokens: {} },
        {
          id: 'wrong-typ',
          expect: 'wrong_type',
          proof: jws({ typ: 'jwt', alg: 'ES256' }, wptClaims, workload.privateJwk),
        },
        {
          id: 'another-key',
          expect: 'invalid_signature',
          no_txn_token: true,
          other_tokens: {},
          proof: jws({ typ: 'wpt+jwt', alg: 'ES256' }, wptClaims, issuer.privateJwk),
        },
      ],
    },
    httpsig: {},
  }
  change(documents)
  const vectors = Object.keys(documents).map((suite) => ({
    suite,
    path: `${suite}/basic.json`,
    spec: 'a draft',
  }))
  place.write('manifest.json', JSON.stringify({ format: FORMAT, vectors }))
  for (const [suite, document] of Object.entries(documents)) {
    mkdirSync(place.path(suite), { recursive: true })
    place.write(`${suite}/basic.json`, JSON.stringify({ format: FORMAT, suite, id: 'basic', ...document }))
  }
}

describe('wimse conformance, of the format wimse-conformance', () => {
  it('runs the suites it knows and says what it skips and answers otherwise', async () => {
    await writeSuite()
    const { exit, counts, outcomes } = await reportOn('.')
    expect(outcomes.filter(({ result }) => result === 'failed')).toEqual([])
    expect({ exit, counts }).toEqual({ exit: 0, counts: { passed: 13, failed: 0, differs: 2, skipped: 1 } })
    expect((await reportOn('.', '--strict')).exit).toBe(1)
  })

  it('does not take a refusal for another reason for the right one', async () => {
    await writeSuite(({ wit, wpt, identifier }) => {
      ;(wit!['negative'] as { expect: string }[])[0]!.expect = 'issuer_mismatch'
      ;(wpt!['negative'] as { expect: string }[])[0]!.expect = 'a_code_of_tomorrow'
      wpt!['txn_token'] = 'another-txn-token'
      ;(identifier!['reject'] as { identifier: string }[])[0]!.identifier = 'wimse://example.org/a'
    })
    const { exit, outcomes } = await reportOn('.')
    expect(exit).toBe(1)
    const failed = outcomes.filter(({ result }) => result === 'failed')
    expect(failed.map(({ id, expected, received }) => [id, expected, received])).toEqual(
      expect.arrayContaining([
        ['identifier/basic.json#query', 'refused', 'wimse://example.org /a'],
        ['wit/basic.json#expired', 'WIMSE_WIT_ISSUER', 'WIMSE_WIT_EXPIRED'],
        ['wpt/basic.json#positive', 'accepted', 'WIMSE_WPT_TXN_TOKEN_HASH'],
        ['wpt/basic.json#audience-mismatch', 'a_code_of_tomorrow', 'WIMSE_WPT_AUDIENCE'],
      ]),
    )
  })

  it.for([
    ['a folder without vectors', '{"a":1}', 'a.json', 'no file there is one of vectors'],
    ['a folder that is not there', '', 'nowhere', 'there is no such folder'],
    [
      'a version it does not know',
      '{"format":"wimse-conformance/v1","suite":"wit","negative":[]}',
      'a.json',
      'version',
    ],
    [
      'a manifest that leaves its folder',
      '{"format":"wimse-conformance/v6","vectors":[{"path":"../a.json"}]}',
      'manifest.json',
      'outside its folder',
    ],
    [
      'a manifest that lists nothing',
      '{"format":"wimse-conformance/v6","vectors":[]}',
      'manifest.json',
      'does not list vectors',
    ],
    [
      'a WIT without the key of its issuer',
      '{"format":"wimse-conformance/v6","suite":"wit","token":"x","negative":[]}',
      'a.json',
      'no issuer key',
    ],
    [
      'an audience that is no URL',
      '{"format":"wimse-conformance/v6","suite":"wpt","audience":"x","negative":[]}',
      'a.json',
      'not a URL',
    ],
    [
      'a suite without its list',
      '{"format":"wimse-conformance/v6","suite":"identifier"}',
      'a.json',
      'no list accept',
    ],
    ['vectors without their service', '{"service":{},"cases":[]}', 'a.json', 'not as its format asks'],
    [
      'nothing but suites of others',
      '{"format":"wimse-conformance/v6","suite":"mtls"}',
      'a.json',
      'none of the vectors',
    ],
  ] as const)('refuses %s', async ([, text, name, message]) => {
    if (text !== '') place.write(name, text)
    const { code, stdout, stderr } = await place.wimse(['conformance', name === 'nowhere' ? name : '.'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(namesACure(stderr), stderr).toBe(true)
  })
})
