/**
 * TLS handshakes come before there is a request or anything else that our other bounds know of, so
 * they have bounds of their own: in number here, and in time by the listener.
 */
import { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Env, limits, ShoalError } from '@shoal/kernel'
import { closeWith } from './connections.ts'
import type { AnyServer } from './listener.ts'
import { rawProblem } from './raw-answers.ts'

/** Connections that have not yet agreed on their keys. */
export class Handshakes {
  readonly #env: Env
  readonly #lingerMs: number
  /** The oldest first. */
  readonly #pending = new Map<string, Socket>()

  constructor(
    server: AnyServer,
    services: {
      readonly env: Env
      readonly limits: { readonly lingerMs: number }
      readonly metrics: { malformed: number }
    },
  ) {
    this.#env = services.env
    this.#lingerMs = services.limits.lingerMs
    if (!(server instanceof TlsServer)) return
    server.on('connection', (socket: Socket) => this.#began(socket))
    server.on('secureConnection', (socket) => this.#pending.delete(placeOf(socket)))
    // Node would hand it to the listener for malformed requests, which answers in HTTP.
    server.removeAllListeners('tlsClientError')
    server.on('tlsClientError', (error: Error & { code?: string }, socket) => {
      services.metrics.malformed++
      this.#failed(error, socket)
    })
  }

  /** For the end of the node: these would keep the server open. */
  drop(): void {
    for (const socket of this.#pending.values()) socket.destroy()
  }

  #began(socket: Socket): void {
    const place = placeOf(socket)
    const [oldest] = this.#pending.values()
    if (oldest && this.#pending.size >= limits.tlsHandshakesMax) oldest.destroy()
    this.#pending.set(place, socket)
    socket.once('close', () => {
      if (this.#pending.get(place) === socket) this.#pending.delete(place)
    })
  }

  #failed({ code }: { code?: string }, secure: TLSSocket): void {
    const socket = this.#pending.get(placeOf(secure))
    if (code !== 'ERR_SSL_HTTP_REQUEST' || socket === undefined) return void secure.destroy()
    // Somebody wrote http for https: the one mistake that can be answered in words.
    const failure = new ShoalError('SHOAL_REQUEST_INVALID', 'this port speaks TLS: use https')
    closeWith(socket, rawProblem(failure), { env: this.#env, lingerMs: this.#lingerMs })
  }
}

/** The same for a connection and for what speaks TLS over it, as long as it is open. */
const placeOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`
