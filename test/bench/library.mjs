// What does it cost to authenticate a pair of tokens, next to the one signature that has to be verified? And to
// sign a request, next to the one signature that has to be made?
// Run after `npm run setup` and a build: npm run bench:library
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { createAuthenticator, memoryReplayStore, signRequest, signWpt } from 'wimse'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'
import { allocated, interleaved, ratio, show, title } from './measure.mjs'

const ORIGIN = 'https://inventory.example.com'
const PATH = '/stock/42'
const BATCH = 200
const PAD = 4500

title()

const open = (identityServer, options = {}) =>
  createAuthenticator({
    audience: ORIGIN,
    trustDomains: identityServer.trustDomains,
    replay: memoryReplayStore({ maxEntries: 2_000_000, maxEntriesPerCaller: 2_000_000 }),
    ...options,
  })

/** Proofs made beforehand, by so many callers in turn; each is used once. */
function presigned(credentials, count) {
  return Array.from({ length: count }, (_, index) => {
    const { wit } = credentials[index % credentials.length]
    return {
      // A string of its own, as each request has one.
      wit: Buffer.from(wit).toString(),
      wpt: Buffer.from(
        signWpt(credentials[index % credentials.length], { audience: ORIGIN + PATH, lifetime: 300 }),
      ).toString(),
      path: PATH,
    }
  })
}

async function authenticating(authenticator, credentials) {
  return {
    prepare: () => presigned(credentials, BATCH),
    run: async (requests) => {
      for (const request of requests) await authenticator.authenticate(request)
    },
  }
}

function verifying(algorithm, credential) {
  const hash = algorithm === 'ES256' ? 'sha256' : null
  const privateKey = createPrivateKey({ key: privateKeyOf(credential), format: 'jwk' })
  const publicKey = createPublicKey(privateKey)
  return {
    prepare: () =>
      presigned([credential], BATCH).map(({ wpt }) => {
        const input = Buffer.from(wpt.slice(0, wpt.lastIndexOf('.')))
        return { input, signature: sign(hash, input, privateKey) }
      }),
    run: (signed) => {
      for (const { input, signature } of signed) verify(hash, input, publicKey, signature)
    },
  }
}

const tables = []
for (const algorithm of ['ES256', 'EdDSA']) {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com' })
  const issue = async (options = {}) => identityServer.issue({ subject: '/checkout', algorithm, ...options })
  const credential = await issue()
  const large = await issue({ claims: { roles: 'x'.repeat(PAD) } })
  const callers = await Promise.all(
    Array.from({ length: 10_000 }, async (_, index) => issue({ subject: `/caller/${index}` })),
  )
  const manyDomains = {
    ...Object.fromEntries(
      Array.from({ length: 9999 }, (_, index) => [
        `wimse://d${index}.example.com`,
        identityServer.trustDomains['wimse://example.com'],
      ]),
    ),
    ...identityServer.trustDomains,
  }
  const known = open(identityServer)
  const withCallers = open(identityServer)
  for (const request of presigned(callers, callers.length)) await withCallers.authenticate(request)
  let fresh = 0
  const cases = {
    verify: verifying(algorithm, credential),
    known: await authenticating(known, [credential]),
    unknown: {
      // A cache of one, and two callers in turn: each token is new.
      ...(await authenticating(open(identityServer, { witCacheSize: 1 }), [credential, callers[fresh++]])),
    },
    large: await authenticating(open(identityServer), [large]),
    callers: {
      ...(await authenticating(withCallers, callers)),
      prepare: () => {
        fresh = (fresh + BATCH) % callers.length
        return presigned(callers.slice(fresh, fresh + BATCH), BATCH)
      },
    },
    domains: await authenticating(open(identityServer, { trustDomains: manyDomains }), [credential]),
  }
  const times = await interleaved(cases)
  const row = (what, name, floor, of, asked) => [what, times[name], floor, of, asked, name]
  tables.push({
    heading: `Authenticating a pair, ${algorithm} (${credential.wit.length} bytes of WIT)`,
    cases,
    rows: [
      row('one verify', 'verify', null, '', ''),
      row('a known WIT', 'known', ratio(times.known, times.verify), 'of one verify', '≤ 1.20'),
      row('an unknown WIT', 'unknown', ratio(times.known, times.unknown), 'known / unknown', '≤ 0.50'),
      row(
        `a WIT of ${large.wit.length} bytes`,
        'large',
        ratio(times.large, times.known),
        'of a small one',
        '≤ 1.20',
      ),
      row('one of 10,000 callers', 'callers', ratio(times.callers, times.known), 'of a single one', '≤ 1.35'),
      row(
        'among 10,000 trust domains',
        'domains',
        ratio(times.domains, times.known),
        'of a single one',
        '≤ 1.10',
      ),
    ],
  })

  const privateKey = createPrivateKey({ key: privateKeyOf(credential), format: 'jwk' })
  const input = Buffer.from(presigned([credential], 1)[0].wpt)
  const hash = algorithm === 'ES256' ? 'sha256' : null
  const many = (work) => ({
    prepare: () => Array.from({ length: BATCH }),
    run: (times) => {
      for (const _ of times) work()
    },
  })
  const signers = {
    sign: many(() => sign(hash, input, privateKey)),
    wpt: many(() => signWpt(credential, { audience: ORIGIN + PATH })),
    request: many(() => signRequest(credential, { url: ORIGIN + PATH })),
  }
  const signing = await interleaved(signers)
  tables.push({
    heading: `Signing, ${algorithm}`,
    cases: signers,
    rows: [
      ['one sign', signing.sign, null, '', '', 'sign'],
      ['signWpt', signing.wpt, ratio(signing.wpt, signing.sign), 'of one sign', '≤ 1.20', 'wpt'],
      ['signRequest', signing.request, ratio(signing.request, signing.sign), 'of one sign', '', 'request'],
    ],
  })
}
// Last, for its collections make V8 forget what it has compiled.
for (const { heading, cases, rows } of tables) {
  show(heading, rows, { each: BATCH, bytes: await allocated(cases) })
}
