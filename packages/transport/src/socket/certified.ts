/**
 * Whose certificate the other end of a connection has.
 *
 * A name in a certificate that is a host says where a node is, and nodes move. One that is
 * `urn:shoal:node:n2` says who it is: it stands for that node at any address, and for no other, so
 * a key stolen from one node does not make another.
 */
import type { Duplex } from 'node:stream'
import { checkServerIdentity, type PeerCertificate, type SecureContext, TLSSocket } from 'node:tls'

export interface PeerTls {
  /** Own certificate and key, and the authorities that those of peers must come from. */
  readonly context: SecureContext
  /** Whoever dials must show a certificate of these authorities. */
  readonly demandsCertificate: boolean
}

const PREFIX = 'urn:shoal:node:'

/** The nodes that a certificate names, from `subjectAltName` as node:tls writes it. */
export const nodesNamed = (subjectAltName: string | undefined): readonly string[] =>
  (subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith(`URI:${PREFIX}`))
    .map((name) => name.slice(`URI:${PREFIX}`.length))

/** Why this certificate is not that of the node expected at this host, undefined when it is. */
export function faultOfServer(
  expected: string,
  host: string,
  certificate: PeerCertificate,
): Error | undefined {
  const named = nodesNamed(certificate.subjectaltname)
  if (named.length === 0) return checkServerIdentity(host, certificate)
  if (named.includes(expected)) return undefined
  return new Error(`the certificate is that of ${named.join(', ')}, not of ${expected}`)
}

/** What is known of whoever dialled. */
export type Certified =
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'missing'; readonly reason: string }
  /** By a certificate that names these nodes; none: any node may have it. */
  | { readonly kind: 'certified'; readonly nodes: readonly string[] }

export function certifiedBy(socket: Duplex, tls: PeerTls | undefined): Certified {
  if (!tls?.demandsCertificate) return { kind: 'unchecked' }
  if (!(socket instanceof TLSSocket)) {
    return { kind: 'missing', reason: 'the connection is not over TLS' }
  }
  if (!socket.authorized) {
    const reason = String(socket.authorizationError ?? 'it showed none')
    return { kind: 'missing', reason: `no certificate of the cluster: ${reason}` }
  }
  return { kind: 'certified', nodes: nodesNamed(socket.getPeerCertificate().subjectaltname) }
}
