import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'jose'
import { type Instant, readInstant } from '../clock.js'
import type { AuthenticationErrorCode } from '../codes.js'
import { randomIdentifier } from '../crypto/random-identifier.js'
import { makeSignature, verifySignature } from '../crypto/signature.js'
import { AuthenticationError } from '../errors.js'
import {
  ALGORITHM_NAMES,
  type AlgorithmName,
  ALGORITHMS,
  type SignatureAlgorithm,
} from '../jws/algorithms.js'
import { JwsRefused, parseCompactJws, type UnverifiedJws } from '../jws/compact-jws.js'
import { readAlgorithms, readNumber, refuseUnknownOptions } from '../options.js'
import { readExpiry, readIdentifier, type Refuse } from '../proof/proof-claims.js'
import { readConfirmationKey } from '../trust/confirmation.js'

/** What a workload asks an identity server for an identity token with. */
export interface WitRequest {
  /** JWT that names the public half of a new key in `cnf` and is signed by the private one. */
  readonly jws: string
  /** The new private key, with its `alg`. It goes nowhere. */
  readonly key: JWK
}

/** A request for an identity token that whoever sent it made with the key it names. */
export interface VerifiedWitRequest {
  /** Public JWK, with its `alg`: what to bind the workload to. */
  readonly confirmationKey: JWK
  /** RFC 7638 SHA-256 thumbprint of it, base64url. */
  readonly keyThumbprint: string
  readonly jti: string
  /** Epoch seconds. */
  readonly expiresAt: number
}

/** Seconds: the longest a request for an identity token may live. */
export const LONGEST_WIT_REQUEST = 60

const TYPE = 'wit-request+jwt'
const DEFAULT_LIFETIME = 30

/**
 * Makes a key pair, and a request to bind its public half to the workload that sends it.
 *
 * The request shows that its sender holds the key, and NOT who the sender is: something beside it has to.
 *
 * @param options `audience` the URL it is sent to; `algorithm` of the key, default `ES256`; `lifetime` in
 *   seconds, default 30, at most 60; `now` in epoch seconds
 * @throws TypeError naming the option that is wrong
 */
export async function createWitRequest(options: {
  readonly audience: string
  readonly algorithm?: AlgorithmName | undefined
  readonly lifetime?: number | undefined
  readonly now?: Instant | undefined
}): Promise<WitRequest> {
  refuseUnknownOptions('createWitRequest', options, ['audience', 'algorithm', 'lifetime', 'now'])
  const { audience } = options
  if (typeof audience !== 'string' || audience === '') throw new TypeError('option audience is required')
  const algorithm = ALGORITHMS.get(options.algorithm ?? 'ES256')
  if (algorithm === undefined) throw new TypeError('option algorithm is not one we know')
  const lifetime = readNumber('lifetime', options.lifetime, {
    default: DEFAULT_LIFETIME,
    min: 1,
    max: LONGEST_WIT_REQUEST,
  })
  const now = Math.floor(readInstant(options.now))
  const alg = algorithm.name
  const privateKey = await generateKey(algorithm)
  const claims = {
    aud: audience,
    iat: now,
    exp: now + lifetime,
    jti: randomIdentifier(),
    cnf: { jwk: { ...createPublicKey(privateKey).export({ format: 'jwk' }), alg } },
  }
  const signingInput = `${encode({ alg, typ: TYPE })}.${encode(claims)}`
  return {
    jws: `${signingInput}.${makeSignature(algorithm, privateKey, signingInput)}`,
    key: { ...privateKey.export({ format: 'jwk' }), alg },
  }
}

/**
 * Checks that a request for an identity token was made with the key it names, for this server and now.
 *
 * This does NOT check who sent it, which an identity server has to know in another way, nor whether it was
 * sent before: claim `jti` together with `keyThumbprint` until `expiresAt` in a replay store.
 *
 * @param expected `audience` the URL of this server; `algorithms` it takes, default all; `now` in epoch
 *   seconds; `clockTolerance` in seconds, default 5
 * @throws AuthenticationError `WIMSE_WPT_MALFORMED`, `_CRITICAL`, `_TYPE`, `_ALGORITHM`, `_EXPIRED`,
 *   `_NOT_YET_VALID`, `_LIFETIME`, `_JTI`, `_AUDIENCE`, `_SIGNATURE`, `WIMSE_WIT_CONFIRMATION`
 */
export function verifyWitRequest(
  jws: string,
  expected: {
    readonly audience: string
    readonly algorithms?: readonly AlgorithmName[] | undefined
    readonly clockTolerance?: number | undefined
    readonly now?: Instant | undefined
  },
): VerifiedWitRequest {
  refuseUnknownOptions('verifyWitRequest', expected, ['audience', 'algorithms', 'clockTolerance', 'now'])
  const { audience } = expected
  // One that is missing would be that of a request without one.
  if (typeof audience !== 'string' || audience === '') {
    throw new TypeError('option audience must be the URL of this server')
  }
  const algorithms = readAlgorithms('algorithms', expected.algorithms, ALGORITHM_NAMES)
  const clockTolerance = readNumber('clockTolerance', expected.clockTolerance, {
    default: 5,
    min: 0,
    max: LONGEST_WIT_REQUEST,
  })
  const { algorithm, claims, signingInput, signature } = parse(jws, algorithms)
  const confirmation = readConfirmationKey(claims['cnf'], algorithms)
  if (typeof confirmation === 'string') throw refuse('WIMSE_WIT_CONFIRMATION', confirmation)
  if (!confirmation.names.includes(algorithm.name)) {
    throw refuse('WIMSE_WPT_ALGORITHM', 'alg is not that of cnf.jwk', confirmation.names, algorithm.name)
  }
  const rules = { clockTolerance, maxProofLifetime: LONGEST_WIT_REQUEST }
  const expiresAt = readExpiry(claims, rules, readInstant(expected.now), refuse)
  const jti = readIdentifier(claims, refuse)
  if (claims['aud'] !== audience) {
    throw refuse('WIMSE_WPT_AUDIENCE', 'aud is not this server', audience, claims['aud'])
  }
  if (!verifySignature(algorithm, confirmation.key, signingInput, signature)) {
    throw refuse('WIMSE_WPT_SIGNATURE', 'the signature does not verify under cnf.jwk')
  }
  const confirmationKey = { ...confirmation.key.export({ format: 'jwk' }), alg: algorithm.name }
  return { confirmationKey, keyThumbprint: confirmation.thumbprint, jti, expiresAt }
}

function parse(jws: unknown, algorithms: ReadonlySet<string>): UnverifiedJws {
  try {
    if (typeof jws !== 'string') throw new JwsRefused('MALFORMED', 'not a string')
    return parseCompactJws(jws, { typ: TYPE, algorithms })
  } catch (error) {
    if (!(error instanceof JwsRefused)) throw error
    throw refuse(`WIMSE_WPT_${error.fault}`, error.message, undefined, error.received)
  }
}

const refuse: Refuse = (code: AuthenticationErrorCode, reason, expected, received) =>
  new AuthenticationError(code, { reason, expected, received })

const generate = promisify(generateKeyPair)

async function generateKey(algorithm: SignatureAlgorithm): Promise<KeyObject> {
  // Through DER: on Node 20 exporting a fresh key object as JWK can hang when done thousands of times.
  const der = (await generateFor(algorithm)).export({ format: 'der', type: 'pkcs8' })
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

async function generateFor(algorithm: SignatureAlgorithm): Promise<KeyObject> {
  switch (algorithm.kty) {
    case 'EC':
      return (await generate('ec', { namedCurve: algorithm.crv })).privateKey
    case 'OKP':
      return (await generate('ed25519')).privateKey
    case 'RSA':
      return (await generate('rsa', { modulusLength: 2048 })).privateKey
    default:
      return algorithm satisfies never
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
