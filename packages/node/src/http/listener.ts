/** Node's server, over TLS or without. */
import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import { type TlsIdentity, tlsVersionMin } from '../security/certificate.ts'

export type AnyServer = Server | TlsServer

/** @param options  of Node's server, with `headersTimeout`, which bounds handshakes too */
export function createListener(
  options: ServerOptions & { readonly headersTimeout: number },
  identity: TlsIdentity | undefined,
): AnyServer {
  if (identity === undefined) return createServer(options)
  return createTlsServer({
    ...options,
    ...secureOptions(identity),
    handshakeTimeout: options.headersTimeout,
    // Clients have tokens. Of a peer that shows no certificate its own listener says so.
    requestCert: identity.ca !== undefined,
    rejectUnauthorized: false,
  })
}

const secureOptions = ({ cert, key, ca }: TlsIdentity) => ({
  cert,
  key,
  minVersion: tlsVersionMin,
  ...(ca === undefined ? {} : { ca }),
})

/** For connections from now on; those that are open go on as they are. */
export function renewCertificate(server: AnyServer, identity: TlsIdentity): void {
  if (server instanceof TlsServer) server.setSecureContext(secureOptions(identity))
}

/** When a connection is as far as to carry requests. */
export const connectionEvent = (server: AnyServer): 'secureConnection' | 'connection' =>
  server instanceof TlsServer ? 'secureConnection' : 'connection'
