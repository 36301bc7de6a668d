/**
 * Open connections, counted and bounded.
 *
 * Node's own bound (`maxConnections`) closes the surplus without a word. Here a surplus connection
 * is held for a second: if a request comes it is answered with 503 and a reason, if none comes the
 * same answer is sent unasked. Peers that ask for an upgrade are let through even then, so that a
 * flood of clients cannot part the nodes of a cluster.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Env, millis, ShoalError, type Timer } from '@shoal/kernel'
import type { HttpMetrics } from './metrics.ts'
import type { HttpLimits } from './ports.ts'
import { rawProblem } from './raw-answers.ts'

/** What is remembered of a connection, beside what Node does. */
export class Connection {
  readonly socket: Socket
  /** The newest response on this connection. */
  last: ServerResponse | undefined
  /** The body being received, told when the connection fails. */
  body: { fail(error: ShoalError): void } | undefined
  /** Not HTTP, cut off or too slow: everything that still comes is ignored. */
  failure: ShoalError | undefined
  /** Set while the connection is one too many. */
  surplus: Timer | undefined
  /** It became a peer's channel, which ends in its own time. */
  isPeer = false

  constructor(socket: Socket) {
    this.socket = socket
  }
}

const key = Symbol('connection')
type Known = Socket & { [key]?: Connection }

/** Our notes on the connection under a request. */
export function connectionOf(socket: Socket): Connection {
  const known = socket as Known
  known[key] ??= new Connection(socket)
  return known[key]
}

export class Connections {
  readonly #env: Env
  readonly #limits: HttpLimits
  readonly #metrics: HttpMetrics
  #open = 0
  #peers = 0
  #clientsGone: (() => void) | undefined

  constructor(server: Server, parts: { env: Env; limits: HttpLimits; metrics: HttpMetrics }) {
    this.#env = parts.env
    this.#limits = parts.limits
    this.#metrics = parts.metrics
    server.on('connection', (socket: Socket) => this.#opened(socket))
  }

  get open(): number {
    return this.#open
  }

  #opened(socket: Socket): void {
    this.#metrics.connections = ++this.#open
    socket.once('close', () => {
      this.#metrics.connections = --this.#open
      const { surplus, isPeer } = connectionOf(socket)
      if (surplus !== undefined) surplus.cancel()
      if (isPeer) this.#peers--
      if (this.#open === this.#peers) this.#clientsGone?.()
    })
    const over = this.#open - this.#limits.connectionsMax
    if (over <= 0) return
    this.#metrics.connectionsRefused++
    if (over > this.#limits.connectionsRefusingMax) return this.#refuseUnasked(socket)
    const wait = millis(this.#limits.connectionRefusingMs)
    connectionOf(socket).surplus = this.#env.clock.after(wait, () => this.#refuseUnasked(socket))
  }

  /**
   * Whether the request under way is one on a surplus connection, which a peer's upgrade is not.
   */
  isSurplus(request: IncomingMessage): boolean {
    return connectionOf(request.socket).surplus !== undefined
  }

  /** The connection became a peer's channel. */
  keep(socket: Socket): void {
    const connection = connectionOf(socket)
    connection.surplus?.cancel()
    connection.surplus = undefined
    connection.isPeer = true
    this.#peers++
    if (this.#open === this.#peers) this.#clientsGone?.()
  }

  /**
   * Resolves when only peers are connected. Node's server emits 'close' after the last of those
   * too, and they stay until the clients have their answers.
   */
  clientsGone(): Promise<void> {
    if (this.#open === this.#peers) return Promise.resolve()
    return new Promise((resolve) => {
      this.#clientsGone = resolve
    })
  }

  refusal(): ShoalError {
    const { connectionsMax } = this.#limits
    const detail = `${this.#open} connections are open, at most ${connectionsMax} are served`
    return new ShoalError('SHOAL_CONNECTIONS_FULL', detail, {
      wanted: connectionsMax,
      got: this.#open,
      retryAfterMs: 1_000,
    })
  }

  #refuseUnasked(socket: Socket): void {
    const failure = this.refusal()
    connectionOf(socket).failure = failure
    closeWith(socket, rawProblem(failure), { env: this.#env, lingerMs: LAST_WORDS_MS })
  }
}

const LAST_WORDS_MS = 500

/** Sends the last bytes of a connection, lets the other end read them, and closes it for good. */
export function closeWith(
  socket: Socket,
  bytes: string,
  { env, lingerMs }: { env: Env; lingerMs: number },
): void {
  if (!socket.writable) return void socket.destroy()
  const timer = env.clock.after(millis(lingerMs), () => socket.destroy())
  socket.once('close', () => timer.cancel())
  // Node's parser goes on reading the other side, so that it is not reset before it has read this.
  socket.end(bytes, 'latin1')
}
