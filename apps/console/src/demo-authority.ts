// The library keeps its attributes with it.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate authority for the demo. Its key is forgotten once the certificates are made. */
export interface DemoAuthority {
  /** Its certificate, PEM. */
  readonly ca: string
  /** Until when it and its certificates are valid. */
  readonly until: Date
  /** Issues a certificate for DNS names, PEM. */
  certificateFor(names: readonly string[]): Promise<{ readonly cert: string; readonly key: string }>
}

const DAYS = 90
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Makes an authority that is trusted by nobody who is not told to. */
export async function createDemoAuthority(now: Date): Promise<DemoAuthority> {
  const crypto = webcrypto
  const until = new Date(now.getTime() + DAYS * 86_400_000)
  const validity = { notBefore: new Date(now.getTime() - 60_000), notAfter: until }
  const newKeys = async (): Promise<webcrypto.CryptoKeyPair> =>
    crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const keys = await newKeys()
  const ca = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=wimse demo authority',
      ...validity,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      ],
    },
    crypto,
  )
  return {
    ca: ca.toString('pem'),
    until,
    async certificateFor(names) {
      const own = await newKeys()
      const certificate = await X509CertificateGenerator.create(
        {
          subject: `CN=${names[0]}`,
          issuer: ca.subject,
          ...validity,
          signingAlgorithm: ALGORITHM,
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          extensions: [
            new BasicConstraintsExtension(false, undefined, true),
            new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
            new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
            new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
            await AuthorityKeyIdentifierExtension.create(keys.publicKey, false, crypto),
          ],
        },
        crypto,
      )
      const key = await crypto.subtle.exportKey('pkcs8', own.privateKey)
      return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') }
    },
  }
}
