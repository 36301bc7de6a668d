/** A listener for peers alone. Whoever is none has little to gain here and little to hold on to. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits } from '@shoal/kernel'
import { upgradeProtocol } from '@shoal/transport'
import { type AnyServer, createListener } from './http/listener.ts'
import type { TlsIdentity } from './security/certificate.ts'

export function createPeerListener(
  identity: TlsIdentity | undefined,
  accept: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): AnyServer {
  const server = createListener(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.headersTimeout,
      keepAliveTimeout: 1,
      connectionsCheckingInterval: 1_000,
    },
    identity,
  )
  server.maxConnections = limits.peerConnectionsMax
  server.on('request', (_request, response) => {
    response.writeHead(426, { upgrade: upgradeProtocol, connection: 'close' }).end()
  })
  server.on('upgrade', accept)
  // A body that nobody reads would hold the connection open.
  server.on('checkContinue', (_request, response) => response.writeHead(426).end())
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}
