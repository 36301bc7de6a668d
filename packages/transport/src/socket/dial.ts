import type { Duplex } from 'node:stream'
import { Client } from 'undici'
import { faultOfServer, type PeerTls } from './certified.ts'

/**
 * The token of the `Upgrade` header. The number is that of the opening; the rest is negotiated in
 * it.
 */
export const upgradeProtocol = 'shoal-peer/1'

export interface Dialling {
  abort(): void
}

/**
 * Reaches a peer and asks for an upgrade. Exactly one of the callbacks is called, later, unless
 * aborted. The only place that names undici. Sets no timer of its own: the caller bounds the time.
 */
export function dial(
  {
    url,
    peer,
    tls,
  }: { readonly url: string; readonly peer: string; readonly tls?: PeerTls | undefined },
  on: { connected(socket: Duplex): void; failed(reason: string): void },
): Dialling {
  let aborted = false
  let client: Client | undefined
  const settle = (error: Error | null, socket?: Duplex) => {
    if (aborted) socket?.destroy()
    else if (error || !socket) on.failed(describe(error))
    else on.connected(socket)
    client?.destroy().catch(() => {})
  }
  try {
    client = new Client(new URL(url).origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
      connect: {
        ...(tls === undefined ? {} : { secureContext: tls.context }),
        checkServerIdentity: (host, certificate) => faultOfServer(peer, host, certificate),
      },
    })
    client.upgrade({ path: '/', protocol: upgradeProtocol }, (error, data) =>
      settle(error, data?.socket),
    )
  } catch (error) {
    queueMicrotask(() => settle(error as Error))
  }
  return {
    abort: () => {
      aborted = true
      client?.destroy().catch(() => {})
    },
  }
}

function describe(error: NodeJS.ErrnoException | null): string {
  if (error === null) return 'no socket'
  if (error.code === 'ECONNREFUSED') return 'connection refused'
  if (error.message === 'bad upgrade') return 'the address answers, but refuses shoal-peer/1'
  const nested = (error as { errors?: NodeJS.ErrnoException[] }).errors?.[0]
  if (nested?.code === 'ECONNREFUSED') return 'connection refused'
  return error.code ? `${error.code} ${error.message}`.trim() : error.message
}
