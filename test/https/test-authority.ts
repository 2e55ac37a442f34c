import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

/** A certificate and its private key, PEM, as `https.createServer` takes them. */
export interface ServerCertificate {
  readonly cert: string
  readonly key: string
}

/** A certificate authority that exists for one test and that no system trusts. */
export interface TestAuthority {
  /** Its certificate, PEM: what a client has to trust. */
  readonly ca: string
  /**
   * Issues a certificate for a host name or an IP address; `expired` makes one that was good until yesterday,
   * `uris` are further subject alternative names.
   */
  certificateFor(
    host: string,
    options?: { readonly expired?: boolean; readonly uris?: readonly string[] },
  ): ServerCertificate
}

/**
 * Makes a certificate authority. Certificates are written here byte by byte, since Node reads X.509 and
 * does not write it, and the tests are to need nothing but Node.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.1}
 */
export function createTestAuthority(
  name = `Test authority ${randomBytes(4).toString('hex')}`,
): TestAuthority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ca = issue({
    issuer: name,
    subject: name,
    publicKey,
    signedWith: privateKey,
    validDays: [-30, 30],
    extensions: [
      extension(BASIC_CONSTRAINTS, sequence(tlv(0x01, Buffer.of(0xff)))),
      extension(KEY_USAGE, tlv(0x03, Buffer.of(1, 0b0000_0110))),
    ],
  })
  return {
    ca,
    certificateFor: (host, { expired = false, uris = [] } = {}) => {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const cert = issue({
        issuer: name,
        subject: host,
        publicKey: pair.publicKey,
        signedWith: privateKey,
        validDays: expired ? [-20, -1] : [-1, 20],
        extensions: [
          extension(KEY_USAGE, tlv(0x03, Buffer.of(7, 0b1000_0000))),
          extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTHENTICATION)),
          extension(
            SUBJECT_ALTERNATIVE_NAME,
            sequence(alternativeName(host), ...uris.map((uri) => tlv(0x86, Buffer.from(uri)))),
          ),
        ],
      })
      return { cert, key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
    },
  }
}

interface Certificate {
  readonly issuer: string
  readonly subject: string
  readonly publicKey: KeyObject
  readonly signedWith: KeyObject
  /** First and last day, counted from today. */
  readonly validDays: readonly [first: number, last: number]
  readonly extensions: readonly Buffer[]
}

function issue({ issuer, subject, publicKey, signedWith, validDays, extensions }: Certificate): string {
  const algorithm = sequence(ECDSA_WITH_SHA256)
  const content = sequence(
    tlv(0xa0, integer(Buffer.of(2))),
    integer(randomBytes(8)),
    algorithm,
    distinguishedName(issuer),
    sequence(...validDays.map(utcTime)),
    distinguishedName(subject),
    publicKey.export({ format: 'der', type: 'spki' }),
    tlv(0xa3, sequence(...extensions)),
  )
  const signature = tlv(0x03, Buffer.of(0), sign('sha256', content, signedWith))
  const lines = sequence(content, algorithm, signature)
    .toString('base64')
    .match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const COMMON_NAME = identifier('550403')
const KEY_USAGE = identifier('551d0f')
const SUBJECT_ALTERNATIVE_NAME = identifier('551d11')
const BASIC_CONSTRAINTS = identifier('551d13')
const EXTENDED_KEY_USAGE = identifier('551d25')
const SERVER_AUTHENTICATION = identifier('2b06010505070301')
const ECDSA_WITH_SHA256 = identifier('2a8648ce3d040302')

function distinguishedName(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from(commonName)))))
}

function alternativeName(host: string): Buffer {
  switch (isIP(host)) {
    case 4:
      return tlv(0x87, Buffer.from(host.split('.').map(Number)))
    case 6:
      return tlv(0x87, ipv6Bytes(host))
    default:
      return tlv(0x82, Buffer.from(host, 'ascii'))
  }
}

function ipv6Bytes(address: string): Buffer {
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':').filter(Boolean))
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, tlv(0x04, value))
}

function utcTime(daysFromNow: number): Buffer {
  const text = new Date(Date.now() + daysFromNow * 86_400_000).toISOString()
  return tlv(0x17, Buffer.from(`${text.slice(2, 19).replaceAll(/[-:T]/g, '')}Z`))
}

/** @param bytes a positive number; its first bit is cleared where it would make it negative */
function integer(bytes: Buffer): Buffer {
  return tlv(0x02, Buffer.of((bytes[0]! & 0x7f) | (bytes.length > 1 ? 0x40 : 0), ...bytes.subarray(1)))
}

function identifier(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts)
}

/** One DER value: tag, length, content. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...octets), content])
}
