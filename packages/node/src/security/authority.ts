/**
 * @shoal/node/authority: makes an authority and certificates of nodes. Apart from what reads them:
 * a running node makes none, and the library behind this is not loaded into it.
 */
import 'reflect-metadata'
import { createHash, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** In PEM. */
export interface CertificateAndKey {
  readonly cert: string
  readonly key: string
}

export interface Lifetime {
  /** Unix milliseconds. */
  readonly from: number
  readonly days: number
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000
/** Clocks of nodes differ a little. */
const EARLIER_MS = 3_600_000

/** A new authority: certificate and key. Whoever has the key can make nodes. */
export async function makeAuthority(name: string, lifetime: Lifetime): Promise<CertificateAndKey> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm: algorithm,
    serialNumber: newSerial(),
    ...datesOf(lifetime),
    extensions: [
      // No further authorities below it.
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await pemOf(keys.privateKey) }
}

/**
 * A certificate for one node, good for both ends of a connection.
 *
 * @param hosts  names and addresses under which clients reach it
 */
export async function makeNodeCertificate(
  authority: CertificateAndKey,
  { node, hosts, lifetime }: { node: string; hosts: readonly string[]; lifetime: Lifetime },
): Promise<CertificateAndKey> {
  const issuer = new X509Certificate(authority.cert)
  const keys = await newKeys()
  const names: JsonGeneralName[] = [...new Set(hosts)].map((host) => ({
    type: isIP(host) === 0 ? 'dns' : 'ip',
    value: host,
  }))
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [node] }],
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: await readKey(authority.key),
    signingAlgorithm: algorithm,
    serialNumber: newSerial(),
    ...datesOf(lifetime),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        ...names,
        { type: 'url', value: `urn:shoal:node:${node}` },
      ]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await pemOf(keys.privateKey) }
}

/** As people compare it: SHA-256 of the certificate. */
export const fingerprintOf = (pem: string): string =>
  createHash('sha256')
    .update(Buffer.from(new X509Certificate(pem).rawData))
    .digest('hex')

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** 127 random bits: positive, as a serial number has to be. */
function newSerial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01
  return bytes.toString('hex')
}

const datesOf = ({ from, days }: Lifetime) => ({
  notBefore: new Date(from - EARLIER_MS),
  notAfter: new Date(from + days * DAY_MS),
})

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', key)
  return `${PemConverter.encode(bytes, 'PRIVATE KEY')}\n`
}

async function readKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [bytes] = PemConverter.decode(pem)
  return webcrypto.subtle.importKey('pkcs8', bytes as ArrayBuffer, algorithm, false, ['sign'])
}
