/**
 * One node of the cluster as this client deals with it: its connections, what is under way there,
 * and the watch that notices when it stops answering.
 */
import type { Env, Millis, Timer } from '@shoal/kernel'
import type { Answer } from '../core/answer.ts'
import { NodeHealth, type NodeTrouble } from '../core/health.ts'
import type { HttpRequest } from '../core/operation.ts'
import type { Exchange, NodeConnections, Sink, Transport, TransportFailure } from './transport.ts'

export interface WatchSettings {
  /** A node that owes answers and gave none for this long is probed. */
  readonly silence: Millis
  /** A probe unanswered for this long finds the node down. */
  readonly probeTimeout: Millis
}

export interface NodeParts {
  readonly env: Env
  readonly transport: Transport
}

export class Node {
  readonly url: string
  readonly health = new NodeHealth()
  readonly #parts: NodeParts
  readonly #settings: WatchSettings
  readonly #flights = new Set<Flight>()
  #connections: NodeConnections | undefined
  /** When it last answered, or when the oldest unanswered request left. */
  #heardAt: Millis
  #watch: Timer | undefined
  #probe: Exchange | undefined
  #closed = false

  constructor(url: string, parts: NodeParts, settings: WatchSettings) {
    this.url = url
    this.#parts = parts
    this.#settings = settings
    this.#heardAt = parts.env.clock.elapsed()
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#flights.size
  }

  send(request: HttpRequest, sink: Sink): Exchange {
    const now = this.#now()
    if (this.#flights.size === 0) this.#heardAt = now
    const flight = new Flight(this, sink, now)
    this.#flights.add(flight)
    this.#connections ??= this.#parts.transport.open(this.url)
    flight.exchange = this.#connections.send(request, flight)
    this.#keepWatch()
    return flight
  }

  /** A flight ended with an answer. */
  heard(flight: Flight): void {
    this.#flights.delete(flight)
    const now = this.#now()
    this.#heardAt = now
    this.health.answered(now, (now - flight.sentAt) as Millis)
  }

  /** A flight ended without one. */
  lost(flight: Flight, failure: TransportFailure): void {
    this.#flights.delete(flight)
    if (failure.kind === 'not-sent') this.#blame('unreachable')
    else if (failure.kind === 'lost') this.#blame('broken')
  }

  /** The caller gave a flight up. */
  dropped(flight: Flight): void {
    this.#flights.delete(flight)
  }

  /** Lets what is under way end, then closes. */
  async close(): Promise<void> {
    this.#stop()
    await this.#connections?.close()
  }

  /** Breaks off what is under way. */
  async destroy(): Promise<void> {
    this.#stop()
    await this.#connections?.destroy()
  }

  #stop(): void {
    this.#closed = true
    this.#watch?.cancel()
    this.#probe?.cancel()
  }

  #now(): Millis {
    return this.#parts.env.clock.elapsed()
  }

  /** One timer for all that is under way; it is left to run out rather than set anew each time. */
  #keepWatch(): void {
    if (this.#watch !== undefined || this.#closed) return
    const left = this.#heardAt + this.#settings.silence - this.#now()
    this.#watch = this.#parts.env.clock.after(Math.max(1, left) as Millis, () => {
      this.#watch = undefined
      if (this.#flights.size === 0) return
      if (this.#silent()) this.#ask()
      else this.#keepWatch()
    })
  }

  #silent(): boolean {
    return this.#now() - this.#heardAt >= this.#settings.silence
  }

  /** Slow or gone? Somebody else's slow request must not condemn the node, so it is asked. */
  #ask(): void {
    this.#startProbe((alive) => {
      if (alive) this.#heardAt = this.#now()
      else if (this.#silent()) this.#giveUpFlights()
      if (this.#flights.size > 0) this.#keepWatch()
    })
  }

  #giveUpFlights(): void {
    this.#blame('frozen')
    const message = `${this.url} neither answered nor reacted to a probe`
    for (const flight of [...this.#flights]) flight.giveUp({ kind: 'silent', message })
  }

  #blame(trouble: NodeTrouble): void {
    this.health.failed(trouble)
    if (this.health.down && this.#probe === undefined) this.#probeLater()
  }

  #probeLater(): void {
    if (this.#closed) return
    const chance = this.#parts.env.random('client/probe').below(1 << 20) / (1 << 20)
    const timer = this.#parts.env.clock.after(this.health.nextProbe(chance), () => {
      this.#probe = undefined
      if (!this.health.down) return
      this.#startProbe((alive) => {
        if (!alive) this.#probeLater()
      })
    })
    this.#probe = { started: false, cancel: () => timer.cancel() }
  }

  #startProbe(done: (alive: boolean) => void): void {
    if (this.#closed) return
    this.#probe?.cancel()
    this.#probe = this.#parts.transport.probe(this.url, this.#settings.probeTimeout, (alive) => {
      this.#probe = undefined
      if (alive) this.health.revived()
      done(alive)
    })
  }
}

/** One request under way at a node. */
class Flight implements Sink, Exchange {
  readonly sentAt: Millis
  readonly #node: Node
  #sink: Sink | undefined
  exchange: Exchange | undefined

  constructor(node: Node, sink: Sink, sentAt: Millis) {
    this.#node = node
    this.#sink = sink
    this.sentAt = sentAt
  }

  get started(): boolean {
    return this.exchange?.started ?? false
  }

  answered(answer: Answer): void {
    const sink = this.#end()
    this.#node.heard(this)
    sink?.answered(answer)
  }

  failed(failure: TransportFailure): void {
    const sink = this.#end()
    this.#node.lost(this, failure)
    sink?.failed(failure)
  }

  cancel(): void {
    if (this.#end() === undefined) return
    this.#node.dropped(this)
    this.exchange?.cancel()
  }

  giveUp(failure: TransportFailure): void {
    const sink = this.#end()
    if (sink === undefined) return
    this.#node.dropped(this)
    const kind = this.started ? failure.kind : 'not-sent'
    this.exchange?.cancel()
    sink.failed({ ...failure, kind })
  }

  #end(): Sink | undefined {
    const sink = this.#sink
    this.#sink = undefined
    return sink
  }
}
