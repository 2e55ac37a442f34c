// The cases of vectors.json, each a good request and what is changed about it. Read by generate.mjs.
import { createHash } from 'node:crypto'

export const NOW = 1_760_000_000
export const ORIGIN = 'https://inventory.example.com'
export const ISSUER = 'https://issuer.example.com'
export const MAX_TOKEN_BYTES = 4096
const TARGET = '/stock/42?all=1'
const AUDIENCE = `${ORIGIN}/stock/42`

/** @param {string} token */
export const hashOf = (token) => createHash('sha256').update(token, 'latin1').digest('base64url')

/**
 * @typedef {object} Change
 * @property {string} [issuer] name of the key that signs the WIT; default the first of the trust domain
 * @property {string} [key] name of the key of the workload
 * @property {string} [proofKey] name of the key that signs the proof, when it is another
 * @property {object} [witHeader] members, `undefined` takes one out; the same for the next three
 * @property {object} [witClaims]
 * @property {object} [wptHeader]
 * @property {object} [wptClaims]
 * @property {(wit: string) => string} [wit] last change to the text of the WIT
 * @property {(wpt: string, wit: string) => string} [wpt] last change to the text of the proof
 * @property {Record<string, string | string[] | undefined>} [headers] further fields, or other values
 * @property {string} [target]
 */

/** @typedef {{ id: string, title: string, change: Change, code: string | null, carriage: string, times?: number }} Case */

/** @returns {Case} */
const good = (id, title, change = {}, carriage = 'workload-proof-token') => ({
  id,
  title,
  change,
  code: null,
  carriage,
})
/** @returns {Case} */
const bad = (id, title, code, change, carriage = 'workload-proof-token') => ({
  id,
  title,
  change,
  code,
  carriage,
})

const without = (...names) => Object.fromEntries(names.map((name) => [name, undefined]))
const member = (token, part) => JSON.parse(Buffer.from(token.split('.')[part], 'base64url').toString())
const encode = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
/** The token with another payload under the same signature. */
const withClaims = (token, change) => {
  const [header, , signature] = token.split('.')
  return `${header}.${encode({ ...member(token, 1), ...change })}.${signature}`
}
/** The token with `alg: none` and no signature. */
const unsigned = (token) => `${encode({ ...member(token, 0), alg: 'none' })}.${token.split('.')[1]}.`
/** The token with the unused bits of its last character set. */
const respelled = (token) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)) ^ 1]
}

const ATH = { ath: hashOf('access-token') }
const BEARER = { Authorization: 'Bearer access-token' }

const keys = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'RS256', 'PS256']

const inOwnField = [
  ...keys.map((alg) =>
    good(`good-${alg.toLowerCase()}`, `a good request, the workload's key is for ${alg}`, {
      key: `caller-${alg}`,
    }),
  ),
  good('good-issuer-es256', 'the identity server signs with ES256', {
    issuer: 'partner',
    witClaims: { sub: 'wimse://partner.example/caller' },
  }),
  good('good-issuer-rs256', 'the identity server signs with RS256', {
    issuer: 'spiffe',
    witClaims: { sub: 'spiffe://example.com/ns/shop' },
  }),
  good('good-no-kid', 'the WIT names no key, and there is one that fits', { witHeader: without('kid') }),
  good('good-typ-prefix', 'the types are written in full, in another case', {
    witHeader: { typ: 'Application/WIT+jwt' },
    wptHeader: { typ: 'application/WPT+JWT' },
  }),
  good('good-aud-list', 'the audience is a list of one', { wptClaims: { aud: [AUDIENCE] } }),
  good('good-aud-spelling', 'the audience is in another spelling of RFC 3986 section 6.2.2', {
    wptClaims: { aud: 'HTTPS://INVENTORY.example.com:443/%73tock/42?x#y' },
  }),
  good('good-ath', 'an access token that the proof covers', { wptClaims: ATH, headers: BEARER }),
  good('good-tth', 'a transaction token that the proof covers', {
    wptClaims: { tth: hashOf('txn-token') },
    headers: { 'Txn-Token': 'txn-token' },
  }),
  good('good-oth', 'another token that the proof covers', {
    wptClaims: { oth: { 'x-session': hashOf('session') } },
    headers: { 'X-Session': 'session' },
  }),
  good('good-unknown', 'members that nobody knows, and a key in the header that is not used', {
    witHeader: { x5u: 'https://evil.example/' },
    witClaims: { roles: ['a'] },
    wptClaims: { iat: NOW },
  }),
  good('good-iss', 'the WIT names the issuer of its trust domain', { witClaims: { iss: ISSUER } }),
  good('good-longest', 'a WIT as long as is accepted', { witClaims: { note: 'a'.repeat(2767) } }),
  good('good-last-second', 'both tokens end in a second', {
    witClaims: { exp: NOW + 1 },
    wptClaims: { exp: NOW + 1 },
  }),
  good('good-host', 'the Host is another: it plays no part', { headers: { Host: 'evil.example' } }),
  bad('wit-missing', 'no WIT', 'WIMSE_WIT_MISSING', { headers: without('Workload-Identity-Token') }),
  bad('wit-repeated', 'the WIT twice', 'WIMSE_WIT_REPEATED', {
    headers: { 'Workload-Identity-Token': ['$wit', '$wit'] },
  }),
  bad('wit-empty', 'an empty WIT', 'WIMSE_WIT_MALFORMED', { wit: () => '' }),
  bad('wit-comma', 'two WITs in one field', 'WIMSE_WIT_MALFORMED', { wit: (wit) => `${wit}, ${wit}` }),
  bad('wit-too-long', 'a WIT that is a byte too long', 'WIMSE_TOKEN_TOO_LARGE', {
    witClaims: { note: 'a'.repeat(2768) },
  }),
  bad('wit-padded', 'a WIT with padding', 'WIMSE_WIT_MALFORMED', { wit: (wit) => `${wit}==` }),
  bad('wit-respelled', 'a WIT with stray bits in its last character', 'WIMSE_WIT_MALFORMED', {
    wit: respelled,
  }),
  bad('wit-crit', 'a WIT that demands an extension', 'WIMSE_WIT_CRITICAL', {
    witHeader: { crit: ['x'], x: 1 },
  }),
  bad('wit-typ', 'an access token for a WIT', 'WIMSE_WIT_TYPE', { witHeader: { typ: 'at+jwt' } }),
  bad('wit-typ-missing', 'a WIT without a type', 'WIMSE_WIT_TYPE', { witHeader: without('typ') }),
  bad('wit-alg-none', 'a WIT that is not signed', 'WIMSE_WIT_ALGORITHM', { wit: unsigned }),
  bad('wit-alg-mac', 'a WIT with a symmetric algorithm', 'WIMSE_WIT_ALGORITHM', {
    witHeader: { alg: 'HS256' },
  }),
  bad('wit-sub-missing', 'no subject', 'WIMSE_WIT_SUBJECT', { witClaims: without('sub') }),
  bad('wit-sub-escape', 'a subject with a needless escape', 'WIMSE_WIT_SUBJECT', {
    witClaims: { sub: 'wimse://example.com/%63aller' },
  }),
  bad('wit-sub-case', 'a subject in upper case', 'WIMSE_WIT_SUBJECT', {
    witClaims: { sub: 'wimse://EXAMPLE.com/caller' },
  }),
  bad('wit-sub-dots', 'a subject with dot segments', 'WIMSE_WIT_SUBJECT', {
    witClaims: { sub: 'wimse://example.com/a/../caller' },
  }),
  bad('wit-sub-user', 'a subject with user information', 'WIMSE_WIT_SUBJECT', {
    witClaims: { sub: 'wimse://example.com@evil.example/a' },
  }),
  bad('wit-domain', 'a trust domain nobody trusts', 'WIMSE_WIT_TRUST_DOMAIN', {
    witClaims: { sub: 'wimse://sub.example.com/caller' },
  }),
  bad('wit-domain-issuer', 'a workload of one trust domain by the issuer of another', 'WIMSE_WIT_KEY', {
    witClaims: { sub: 'wimse://partner.example/caller' },
  }),
  bad('wit-domain-scheme', 'a workload of the same name in another scheme', 'WIMSE_WIT_KEY', {
    witClaims: { sub: 'spiffe://example.com/caller' },
  }),
  bad('wit-kid', 'a key id nobody knows', 'WIMSE_WIT_KEY', { witHeader: { kid: '../../dev/null' } }),
  bad('wit-signature', 'a WIT that the caller signed', 'WIMSE_WIT_SIGNATURE', {
    issuer: 'caller-EdDSA',
    witHeader: { kid: 'issuer' },
  }),
  bad('wit-changed', 'a WIT that was changed', 'WIMSE_WIT_SIGNATURE', {
    wit: (wit) => withClaims(wit, { sub: 'wimse://example.com/admin' }),
  }),
  bad('wit-own-key', 'a WIT that brings its own key', 'WIMSE_WIT_SIGNATURE', {
    issuer: 'caller-EdDSA',
    witHeader: { kid: 'issuer', jwk: '$caller' },
  }),
  bad('wit-iss', 'an issuer that does not speak for the trust domain', 'WIMSE_WIT_ISSUER', {
    witClaims: { iss: 'https://issuer.partner.example' },
  }),
  bad('wit-expired', 'a WIT that ends now', 'WIMSE_WIT_EXPIRED', { witClaims: { exp: NOW } }),
  bad('wit-nbf', 'a WIT that begins in a minute', 'WIMSE_WIT_NOT_YET_VALID', {
    witClaims: { nbf: NOW + 60 },
  }),
  bad('wit-no-exp', 'a WIT without an end', 'WIMSE_WIT_LIFETIME', { witClaims: without('exp') }),
  bad('wit-exp-text', 'a WIT whose end is a text', 'WIMSE_WIT_LIFETIME', {
    witClaims: { exp: String(NOW + 60) },
  }),
  bad('wit-no-cnf', 'a WIT that confirms no key', 'WIMSE_WIT_CONFIRMATION', { witClaims: without('cnf') }),
  bad('wit-cnf-kid', 'a WIT that names its key by id', 'WIMSE_WIT_CONFIRMATION', {
    witClaims: { cnf: { kid: 'a' } },
  }),
  bad('wit-cnf-alg', 'a confirmation key without algorithm', 'WIMSE_WIT_CONFIRMATION', {
    witClaims: { cnf: { jwk: '$caller-without-alg' } },
  }),
  bad('wit-cnf-private', 'a confirmation key with its private half', 'WIMSE_WIT_CONFIRMATION', {
    witClaims: { cnf: { jwk: '$caller-private' } },
  }),
  bad('wit-cnf-point', 'a confirmation key of small order', 'WIMSE_WIT_CONFIRMATION', {
    witClaims: {
      cnf: {
        jwk: { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
      },
    },
  }),
  bad('wpt-missing', 'no proof', 'WIMSE_WPT_MISSING', { headers: without('Workload-Proof-Token') }),
  bad('wpt-repeated', 'the proof twice', 'WIMSE_WPT_REPEATED', {
    headers: { 'Workload-Proof-Token': ['$wpt', '$wpt'] },
  }),
  bad('wpt-both-fields', 'the proof in both its fields', 'WIMSE_WPT_REPEATED', {
    headers: { Authorization: 'WPT $wpt' },
  }),
  bad('wpt-malformed', 'a proof in two parts', 'WIMSE_WPT_MALFORMED', {
    wpt: (wpt) => wpt.slice(0, wpt.lastIndexOf('.')),
  }),
  bad('wpt-crit', 'a proof that demands an extension', 'WIMSE_WPT_CRITICAL', { wptHeader: { crit: [] } }),
  bad('wpt-typ', 'a DPoP proof for a proof', 'WIMSE_WPT_TYPE', { wptHeader: { typ: 'dpop+jwt' } }),
  bad('wpt-is-wit', 'the WIT as its own proof', 'WIMSE_WPT_TYPE', { wpt: (_, wit) => wit }),
  bad('wpt-alg-none', 'a proof that is not signed', 'WIMSE_WPT_ALGORITHM', { wpt: unsigned }),
  bad('wpt-alg-name', 'a proof under the other name of Ed25519', 'WIMSE_WPT_ALGORITHM', {
    wptHeader: { alg: 'Ed25519' },
  }),
  bad('wpt-expired', 'a proof that ends now', 'WIMSE_WPT_EXPIRED', { wptClaims: { exp: NOW } }),
  bad('wpt-nbf', 'a proof that begins in a minute', 'WIMSE_WPT_NOT_YET_VALID', {
    wptClaims: { nbf: NOW + 60 },
  }),
  bad('wpt-no-exp', 'a proof without an end', 'WIMSE_WPT_LIFETIME', { wptClaims: without('exp') }),
  bad('wpt-exp-far', 'a proof that lives for an hour', 'WIMSE_WPT_LIFETIME', {
    wptClaims: { exp: NOW + 3600 },
  }),
  bad('wpt-no-jti', 'a proof without an identifier', 'WIMSE_WPT_JTI', { wptClaims: without('jti') }),
  bad('wpt-jti-number', 'a proof whose identifier is a number', 'WIMSE_WPT_JTI', { wptClaims: { jti: 1 } }),
  bad('wpt-no-aud', 'a proof for nobody', 'WIMSE_WPT_AUDIENCE', { wptClaims: without('aud') }),
  bad('wpt-aud-host', 'a proof for another service', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: 'https://other.example/stock/42' },
  }),
  bad('wpt-aud-path', 'a proof for another path', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: `${ORIGIN}/stock` },
  }),
  bad('wpt-aud-slash', 'a slash that is escaped', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: `${ORIGIN}/stock%2F42` },
  }),
  bad('wpt-aud-end', 'a slash at the end', 'WIMSE_WPT_AUDIENCE', { wptClaims: { aud: `${AUDIENCE}/` } }),
  bad('wpt-aud-scheme', 'a proof for http', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: AUDIENCE.replace('https', 'http') },
  }),
  bad('wpt-aud-user', 'an audience with user information', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: AUDIENCE.replace('://', '://evil@') },
  }),
  bad('wpt-aud-two', 'a proof for two services', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: [AUDIENCE, 'https://other.example/'] },
  }),
  bad('wpt-wth', 'a proof for another WIT', 'WIMSE_WPT_WIT_HASH', { wptClaims: { wth: hashOf('another') } }),
  bad('wpt-ath-missing', 'an access token that no proof covers', 'WIMSE_WPT_ACCESS_TOKEN_HASH', {
    headers: BEARER,
  }),
  bad('wpt-ath-other', 'another access token than the proof covers', 'WIMSE_WPT_ACCESS_TOKEN_HASH', {
    wptClaims: ATH,
    headers: { Authorization: 'Bearer another' },
  }),
  bad('wpt-ath-gone', 'an access token that was taken away', 'WIMSE_WPT_ACCESS_TOKEN_HASH', {
    wptClaims: ATH,
  }),
  bad('wpt-tth', 'a transaction token that no proof covers', 'WIMSE_WPT_TXN_TOKEN_HASH', {
    headers: { 'Txn-Token': 'txn-token' },
  }),
  bad('wpt-oth', 'another token than the proof covers', 'WIMSE_WPT_OTHER_TOKEN_HASH', {
    wptClaims: { oth: { 'x-session': hashOf('session') } },
    headers: { 'X-Session': 'other' },
  }),
  bad('wpt-key', 'a proof signed with another key', 'WIMSE_WPT_SIGNATURE', {
    proofKey: 'caller-Ed25519',
    wptHeader: { alg: 'EdDSA' },
  }),
  bad('wpt-changed', 'a proof that was changed', 'WIMSE_WPT_SIGNATURE', {
    wpt: (wpt) => withClaims(wpt, { more: 1 }),
  }),
  { ...bad('wpt-replayed', 'the same request again', 'WIMSE_WPT_REPLAYED', {}), times: 2 },
  bad('target-absolute', 'an absolute target', 'WIMSE_TARGET_INVALID', { target: `${ORIGIN}/stock/42` }),
  bad('target-dots', 'dot segments in the target', 'WIMSE_TARGET_INVALID', { target: '/a/%2e%2e/stock/42' }),
]

const inAuthorization = [
  good('authorization-good', 'a good request'),
  good('authorization-good-es256', 'the workload’s key is for ES256', { key: 'caller-ES256' }),
  good('authorization-good-case', 'the scheme in another case', { headers: { Authorization: 'wpt $wpt' } }),
  bad('authorization-wit-missing', 'no WIT', 'WIMSE_WIT_MISSING', {
    headers: without('Workload-Identity-Token'),
  }),
  bad('authorization-two', 'a proof and a bearer token', 'WIMSE_WPT_REPEATED', {
    headers: { Authorization: ['WPT $wpt', 'Bearer access-token'] },
  }),
  bad('authorization-list', 'a proof and a bearer token in one field', 'WIMSE_WPT_MALFORMED', {
    headers: { Authorization: 'WPT $wpt, Bearer access-token' },
  }),
  bad('authorization-expired', 'a proof that ends now', 'WIMSE_WPT_EXPIRED', { wptClaims: { exp: NOW } }),
  bad('authorization-aud', 'a proof for another service', 'WIMSE_WPT_AUDIENCE', {
    wptClaims: { aud: 'https://other.example/stock/42' },
  }),
  bad('authorization-wth', 'a proof for another WIT', 'WIMSE_WPT_WIT_HASH', {
    wptClaims: { wth: hashOf('another') },
  }),
  bad('authorization-key', 'a proof signed with another key', 'WIMSE_WPT_SIGNATURE', {
    proofKey: 'caller-Ed25519',
    wptHeader: { alg: 'EdDSA' },
  }),
  bad('authorization-wit-expired', 'a WIT that ends now', 'WIMSE_WIT_EXPIRED', { witClaims: { exp: NOW } }),
  { ...bad('authorization-replayed', 'the same request again', 'WIMSE_WPT_REPLAYED', {}), times: 2 },
].map((one) => ({ ...one, carriage: 'authorization' }))

/** @type {readonly Case[]} */
export const cases = [...inOwnField, ...inAuthorization]

/** What a request is before anything is changed. */
export const goodRequest = { method: 'GET', target: TARGET, audience: AUDIENCE }
