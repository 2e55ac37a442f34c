import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { AlgorithmName } from 'wimse'
import type { Command } from '../command.js'
import { EXIT, inputFailure, usageFailure } from '../failure.js'
import { nameOf } from '../input.js'
import { publicHalf, readOut, readPublicKey, type WrittenJwk, writeSecret } from '../key-files.js'

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

const ALGORITHMS: readonly AlgorithmName[] = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
]

/** `wimse key` */
export const keyCommand: Command = {
  name: 'key',
  summary: 'Make a key pair, or print the public half of one.',
  options: {
    alg: { value: 'ALG', about: 'its one algorithm; default ES256', choices: ALGORITHMS },
    kid: { value: 'ID', about: 'its key id; default its RFC 7638 thumbprint' },
    out: {
      value: 'FILE',
      about: 'write the private key there, readable by you alone, and print the public half',
      isFile: true,
    },
    force: { about: 'replace FILE when it is there' },
    public: {
      value: 'FILE',
      about: 'make nothing: print the public half of the key in FILE, with --alg and --kid where it has none',
      isFile: true,
    },
    set: { about: 'print the public half as a JWK set' },
  },
  notes: [
    'Without --out the private key is printed, so that it can be piped into a secret store. RSA keys have 2048 bits.',
  ],
  positionals: [0, 0],
  examples: [
    'wimse key --out issuer.jwk --set > jwks.json',
    'wimse key --alg EdDSA --out checkout.jwk',
    'wimse key --public checkout.jwk',
    'wimse key --public checkout.pem --alg ES256 --set',
  ],
  async run({ given, terminal, json }) {
    const source = given.one('public')
    const kid = given.one('kid')
    if (kid === '') throw usageFailure('--kid is empty', 'Leave it out, and it is the thumbprint of the key.')
    const file = source === undefined ? readOut(given) : undefined
    const print = (name: string, jwk: WrittenJwk): void => {
      const printed = given.has('set') ? { keys: [jwk] } : jwk
      const document = json ? { command: 'key', file: file ?? null, [name]: printed } : printed
      terminal.stdout(`${JSON.stringify(document, null, 2)}\n`)
    }
    if (source !== undefined) {
      const odd = ['out', 'force'].find((name) => given.has(name))
      if (odd !== undefined) {
        throw usageFailure(`--${odd} has no meaning beside --public`, 'Leave one of the two out.')
      }
      const jwk = await readPublicKey(source, 'the key', terminal)
      const alg = given.has('alg') ? readAlgorithm(given.one('alg')) : undefined
      if (alg !== undefined && !isOf(alg, jwk)) {
        throw inputFailure(
          `the key: ${nameOf(source)} is not of ${alg}`,
          'Its type, its curve and an alg that it has already decide which --alg it may get.',
        )
      }
      print('publicKey', {
        ...jwk,
        ...(alg === undefined ? {} : { alg }),
        ...(kid === undefined ? {} : { kid }),
      })
      return EXIT.done
    }
    if (given.has('set') && file === undefined) {
      throw usageFailure('--set is for public keys', 'Give --out for the private half, or --public FILE.')
    }
    const key = makeKey(readAlgorithm(given.one('alg')), kid)
    if (file === undefined) {
      print('privateKey', key)
      return EXIT.done
    }
    await writeSecret(file, `${JSON.stringify(key, null, 2)}\n`, given.has('force'))
    print('publicKey', publicHalf(key, 'the key'))
    return EXIT.done
  },
}

function readAlgorithm(text: string | undefined): AlgorithmName {
  const found = ALGORITHMS.find((name) => name === (text ?? 'ES256'))
  if (found !== undefined) return found
  throw usageFailure('--alg is not an algorithm for WITs or proofs', `It is one of ${ALGORITHMS.join(', ')}.`)
}

/** Whether a key can be used with an algorithm, and says of no other that it is its own. */
function isOf(alg: AlgorithmName, jwk: WrittenJwk): boolean {
  if (jwk.alg !== undefined && jwk.alg !== alg) return false
  const curve = alg.startsWith('Ed') ? 'Ed25519' : CURVES[alg]
  return curve === undefined ? jwk.kty === 'RSA' : jwk.crv === curve
}

function makeKey(alg: AlgorithmName, kid: string | undefined): WrittenJwk {
  // Through DER: on Node 20 exporting a fresh key object as JWK can hang.
  const der = generateKey(alg).export({ format: 'der', type: 'pkcs8' })
  const jwk = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  return { ...jwk, alg, kid: kid ?? thumbprintOf(jwk) }
}

function generateKey(alg: AlgorithmName): KeyObject {
  const namedCurve = CURVES[alg]
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve }).privateKey
  return alg === 'EdDSA' || alg === 'Ed25519'
    ? generateKeyPairSync('ed25519').privateKey
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}

/** RFC 7638: the members that make the public key, by name, without spaces. */
function thumbprintOf(jwk: WrittenJwk): string {
  const members = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => jwk[name] !== undefined)
  const text = JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])))
  return createHash('sha256').update(text).digest('base64url')
}
