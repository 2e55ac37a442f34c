// Makes vectors.json out of cases.mjs: node test/vectors/published/generate.mjs
// Signatures of EdDSA and RS256 come out the same each time. Those of ECDSA and PSS do not, so they are kept
// from the file that is there, as long as they still verify; without it they are made anew.
import { constants, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cases, goodRequest, hashOf, ISSUER, MAX_TOKEN_BYTES, NOW, ORIGIN } from './cases.mjs'

const FILE = fileURLToPath(new URL('vectors.json', import.meta.url))

/** Names of the keys, and the algorithm of each. */
const KEYS = {
  issuer: 'EdDSA',
  partner: 'ES256',
  spiffe: 'RS256',
  'caller-EdDSA': 'EdDSA',
  'caller-Ed25519': 'Ed25519',
  'caller-ES256': 'ES256',
  'caller-ES384': 'ES384',
  'caller-ES512': 'ES512',
  'caller-RS256': 'RS256',
  'caller-PS256': 'PS256',
}
const TRUST = {
  'wimse://example.com': { key: 'issuer', issuer: ISSUER },
  'wimse://partner.example': { key: 'partner' },
  'spiffe://example.com': { key: 'spiffe' },
}

/** Makes the vectors, with the keys and signatures of those that are there already. */
export function generate(kept = null) {
  const keys = Object.fromEntries(
    Object.entries(KEYS).map(([name, alg]) => [name, kept?.keys[name] ?? makeKey(name, alg)]),
  )
  const before = new Map(kept?.cases.map((one) => [one.id, one]))
  return {
    description: 'Requests with workload identity tokens and proofs, and how a service has to answer them.',
    schema: 'schema.json',
    service: {
      origin: ORIGIN,
      now: NOW,
      clockTolerance: 0,
      maxProofLifetime: 300,
      maxTokenLifetime: 86_400,
      maxTokenBytes: MAX_TOKEN_BYTES,
      trustDomains: Object.fromEntries(
        Object.entries(TRUST).map(([domain, { key, issuer }]) => [
          domain,
          defined({ keys: [publicOf(keys[key])], issuer }),
        ]),
      ),
    },
    keys,
    cases: cases.map((one) => makeCase(one, keys, before.get(one.id))),
  }
}

function makeCase({ id, title, change, code, carriage, times = 1 }, keys, before) {
  const callerKey = keys[change.key ?? 'caller-EdDSA']
  const issuerKey = keys[change.issuer ?? 'issuer']
  const witParts = {
    header: defined({
      alg: issuerKey.alg,
      kid: issuerKey.kid,
      typ: 'wit+jwt',
      ...named(change.witHeader, callerKey),
    }),
    claims: defined({
      sub: 'wimse://example.com/caller',
      cnf: { jwk: publicOf(callerKey) },
      exp: NOW + 3600,
      ...named(change.witClaims, callerKey),
    }),
  }
  const wit = (change.wit ?? same)(signed(witParts, issuerKey, sentBefore(before, 'Workload-Identity-Token')))
  const wptParts = {
    header: defined({ alg: callerKey.alg, typ: 'wpt+jwt', ...change.wptHeader }),
    claims: defined({
      aud: goodRequest.audience,
      exp: NOW + 60,
      jti: id,
      wth: hashOf(wit),
      ...change.wptClaims,
    }),
  }
  const proofKey = keys[change.proofKey ?? change.key ?? 'caller-EdDSA']
  const proofBefore =
    sentBefore(before, 'Workload-Proof-Token') ?? sentBefore(before, 'Authorization')?.replace(/^WPT /i, '')
  const wpt = (change.wpt ?? same)(signed(wptParts, proofKey, proofBefore), wit)
  const request = {
    method: goodRequest.method,
    target: change.target ?? goodRequest.target,
    headers: headersFor(carriage, wit, wpt, change.headers),
  }
  const refused = { outcome: 'reject', status: statusOf(code, carriage), code }
  const accepted = { outcome: 'accept', status: 200, workload: witParts.claims.sub }
  return {
    id,
    title,
    carriage,
    tokens: { wit: witParts, wpt: wptParts },
    request,
    expected: times === 1 ? [code === null ? accepted : refused] : [accepted, refused],
  }
}

/** A field of the same case in the file that is there. */
function sentBefore(before, name) {
  const value = before?.request.headers[name]
  return typeof value === 'string' ? value : undefined
}

function headersFor(carriage, wit, wpt, change = {}) {
  const fill = (value) => value.replace('$wit', () => wit).replace('$wpt', () => wpt)
  const proof =
    carriage === 'authorization' ? { Authorization: `WPT ${wpt}` } : { 'Workload-Proof-Token': wpt }
  const headers = { Host: 'inventory.example.com', 'Workload-Identity-Token': wit, ...proof, ...change }
  return Object.fromEntries(
    Object.entries(defined(headers)).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(fill) : fill(value),
    ]),
  )
}

/** 400, and 401 for a proof in Authorization: only there is a challenge to go with it. */
function statusOf(code, carriage) {
  return carriage === 'authorization' && code?.startsWith('WIMSE_WPT_') ? 401 : 400
}

function signed({ header, claims }, jwk, before) {
  const input = `${encode(header)}.${encode(claims)}`
  const differsEachTime = /^[EP]S/.test(jwk.alg)
  if (differsEachTime && before?.startsWith(`${input}.`) && verifies(before, jwk)) return before
  return `${input}.${sign(digestOf(jwk.alg), Buffer.from(input), optionsFor(privateKeyOf(jwk), jwk.alg)).toString('base64url')}`
}

/** Whether a token's signature is that of a key, by the key's algorithm. */
export function verifies(token, jwk) {
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  const key = createPublicKey({ key: publicOf(jwk), format: 'jwk' })
  return verify(digestOf(jwk.alg), Buffer.from(token.slice(0, end)), optionsFor(key, jwk.alg), signature)
}

function optionsFor(key, alg) {
  if (alg.startsWith('ES')) return { key, dsaEncoding: 'ieee-p1363' }
  if (!alg.startsWith('PS')) return key
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}

function digestOf(alg) {
  return alg.startsWith('Ed') ? null : `sha${alg.slice(2)}`
}

function makeKey(name, alg) {
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]
  const { privateKey } = alg.startsWith('Ed')
    ? generateKeyPairSync('ed25519')
    : curve === undefined
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: curve })
  return { ...privateKey.export({ format: 'jwk' }), alg, kid: name }
}

const privateKeyOf = (jwk) => createPrivateKey({ key: jwk, format: 'jwk' })
const publicOf = ({ kty, crv, x, y, n, e, alg, kid }) => defined({ kty, crv, x, y, n, e, alg, kid })
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const defined = (members) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
const same = (token) => token

/** Puts the keys in whose names stand where they should be. */
function named(members = {}, key) {
  const { alg: _alg, ...withoutAlg } = publicOf(key)
  const values = { $caller: publicOf(key), '$caller-without-alg': withoutAlg, '$caller-private': key }
  const replace = (value) => {
    if (typeof value === 'string') return values[value] ?? value
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, replace(one)]))
  }
  return replace(members)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kept = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : null
  writeFileSync(FILE, `${JSON.stringify(generate(kept), null, 1)}\n`)
}
