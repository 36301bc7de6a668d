/**
 * Open connections, counted and bounded.
 *
 * Node's own bound (`maxConnections`) closes the surplus without a word, and lets whoever came
 * first stay, though it never says anything. Here a newcomer takes the place of the connection that
 * has been silent longest since it opened, if there is one: idle sockets keep nobody out. Where all
 * are in use the newcomer is one too many. It is held for a second: if a request comes it is
 * answered with 503 and a reason, if none comes the same answer is sent unasked. Peers that ask for
 * an upgrade are let through even then, so that a flood of clients cannot part the nodes of a
 * cluster.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Env, millis, ShoalError, type Timer } from '@shoal/kernel'
import { type AnyServer, connectionEvent } from './listener.ts'
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
  /** No request has come yet. */
  silent = true
  /** Told that it is one too many. */
  leaving = false
  /** Requests that the parser has found on it. */
  requests = 0
  /** Looks at what comes before the parser does, since the node had too much to do. */
  watch: { end(): void } | undefined

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
  /** Those without a request so far, the oldest first, and since when. */
  readonly #silent = new Map<Socket, number>()
  #open = 0
  /** Being told that they are one too many. */
  #leaving = 0
  #peers = 0
  #clientsGone: (() => void) | undefined

  constructor(server: AnyServer, parts: { env: Env; limits: HttpLimits; metrics: HttpMetrics }) {
    this.#env = parts.env
    this.#limits = parts.limits
    this.#metrics = parts.metrics
    server.on(connectionEvent(server), (socket: Socket) => this.#opened(socket))
  }

  #opened(socket: Socket): void {
    this.#metrics.connections = ++this.#open
    this.#silent.set(socket, this.#env.clock.elapsed())
    socket.once('close', () => this.#closed(connectionOf(socket)))
    const over = this.#open - this.#leaving - this.#limits.connectionsMax
    if (over <= 0) return
    this.#metrics.connectionsRefused++
    const idle = this.#longestSilent()
    if (idle !== undefined) return this.#refuseUnasked(idle)
    if (over > this.#limits.connectionsRefusingMax) return this.#refuseUnasked(socket)
    const wait = millis(this.#limits.connectionRefusingMs)
    connectionOf(socket).surplus = this.#env.clock.after(wait, () => this.#refuseUnasked(socket))
  }

  #closed({ socket, surplus, isPeer, leaving }: Connection): void {
    this.#metrics.connections = --this.#open
    this.#silent.delete(socket)
    surplus?.cancel()
    if (leaving) this.#leaving--
    if (isPeer) this.#peers--
    if (this.#open === this.#peers) this.#clientsGone?.()
  }

  /** One that opened a while ago; a client that has just connected is about to speak. */
  #longestSilent(): Socket | undefined {
    const [oldest] = this.#silent
    if (oldest === undefined) return undefined
    const [socket, since] = oldest
    const waited = this.#env.clock.elapsed() - since
    return waited < this.#limits.connectionRefusingMs ? undefined : socket
  }

  /** The first request of a connection has come. */
  heard(connection: Connection): void {
    connection.silent = false
    this.#silent.delete(connection.socket)
  }

  /** Closes those that wait without having said anything, which Node counts as busy. */
  dropSilent(): void {
    for (const socket of this.#silent.keys()) socket.destroy()
  }

  /** The connection became a peer's channel. */
  keep(socket: Socket): void {
    const connection = connectionOf(socket)
    connection.surplus?.cancel()
    connection.surplus = undefined
    this.heard(connection)
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
    const connection = connectionOf(socket)
    connection.failure = failure
    connection.leaving = true
    this.#leaving++
    this.#silent.delete(socket)
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
