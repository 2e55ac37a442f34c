// Who calls, and the bytes of what is sent. Every request has a proof of its own, made by one of the callers, which
// take turns; caller 7 asks for /stock/7.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import { signWpt } from 'wimse'
import { createTestIdentityServer, privateKeyOf } from 'wimse-testkit'

const HOST = 'inventory.example.com'
// Express takes the scheme from the connection, and here there is no TLS.
export const ORIGIN = `http://${HOST}`
export const ISSUER = 'https://issuer.example.com'
const CALLERS = 50

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)

/** An identity server or authorization server with one key, and its callers with a token and a key each. */
export async function createCast(algorithm) {
  const identityServer = createTestIdentityServer({ origin: 'wimse://example.com', algorithm })
  const issuerKey = createPrivateKey({ key: identityServer.issuerKey, format: 'jwk' })
  const hash = algorithm === 'ES256' ? 'sha256' : null
  const { kid } = identityServer.issuerKey

  function signJwt(key, header, claims) {
    const input = `${base64url({ alg: algorithm, ...header })}.${base64url(claims)}`
    return `${input}.${sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }

  async function createCaller(_, index) {
    const credential = await identityServer.issue({ subject: `/caller/${index}`, algorithm })
    const key = createPrivateKey({ key: privateKeyOf(credential), format: 'jwk' })
    const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' })
    const accessToken = signJwt(
      issuerKey,
      { typ: 'at+jwt', kid },
      {
        iss: ISSUER,
        sub: credential.subject,
        aud: ORIGIN,
        client_id: credential.subject,
        iat: now(),
        exp: now() + 3600,
        jti: randomBytes(16).toString('base64url'),
        cnf: { jkt: credential.keyThumbprint },
      },
    )
    const accessTokenHash = createHash('sha256').update(accessToken).digest('base64url')
    const path = `/stock/${index}`
    return { credential, key, jwk: { kty, crv, x, y }, accessToken, accessTokenHash, path }
  }

  const callers = await Promise.all(Array.from({ length: CALLERS }, createCaller))

  const wimse = ({ credential, path }) => ({
    'Workload-Identity-Token': credential.wit,
    'Workload-Proof-Token': signWpt(credential, { audience: ORIGIN + path }),
  })
  const fields = {
    wimse,
    /** The same, with the signature in DER: r and s side by side cost time to check that is not the signature's. */
    der: (caller) => {
      const both = wimse(caller)
      const input = both['Workload-Proof-Token'].slice(0, both['Workload-Proof-Token'].lastIndexOf('.'))
      const signature = sign(hash, Buffer.from(input), caller.key).toString('base64url')
      return { ...both, 'Workload-Proof-Token': `${input}.${signature}` }
    },
    dpop: ({ key, jwk, accessToken, accessTokenHash: ath, path }) => ({
      Authorization: `DPoP ${accessToken}`,
      DPoP: signJwt(
        key,
        { typ: 'dpop+jwt', jwk },
        {
          jti: randomBytes(16).toString('base64url'),
          htm: 'GET',
          htu: ORIGIN + path,
          iat: now(),
          ath,
        },
      ),
    }),
    bearer: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken}` }),
  }

  const bytesOf = ({ path }, headers) =>
    Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    )

  return {
    /** What the services are told; it goes to another process. */
    settings: {
      algorithm,
      origin: ORIGIN,
      issuer: ISSUER,
      trustDomains: identityServer.trustDomains,
      issuerJwk: identityServer.jwks.keys[0],
      issuerPem: createPublicKey(issuerKey).export({ format: 'pem', type: 'spki' }),
      callers: callers.map(({ jwk }) => jwk),
    },
    jwks: identityServer.jwks,
    requests: (kind, count) =>
      Array.from({ length: count }, (_, index) => {
        const caller = callers[index % CALLERS]
        return bytesOf(caller, fields[kind](caller))
      }),
    /** One that differs from a good one in a single bit of its last signature, well inside of it. */
    forged: (kind) => {
      const headers = fields[kind](callers[0])
      const name = Object.keys(headers).at(-1)
      const end = headers[name].lastIndexOf('.') + 1
      const signature = Buffer.from(headers[name].slice(end), 'base64url')
      signature[signature.length - 4] ^= 1
      return bytesOf(callers[0], {
        ...headers,
        [name]: headers[name].slice(0, end) + signature.toString('base64url'),
      })
    },
  }
}
