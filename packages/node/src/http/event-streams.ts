/** `/v1/events` as server-sent events. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Env, limits, millis, ShoalError, type Timer } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import type { EventHub, FollowOptions } from '../events/event-hub.ts'
import type { NodeEvent } from '../events/node-event.ts'

/** What a stream does to the exchange that it is the answer of. */
export interface StreamedExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly caller: { mayUse(bucket: string): boolean }
  readonly services: { readonly env: Env }
  closing: boolean
  begin(status: number, lines: string[]): void
  finish(body: string): void
  abandon(): void
}

/** What a client waits before it connects again. */
const RETRY_MS = 1_000

/**
 * Who follows the events of this node. A client that reads too slowly is cut off rather than
 * waited for: it knows the last id it has, and comes back with it.
 */
export class EventStreams {
  readonly #hub: EventHub
  readonly #open = new Set<EventStream>()
  #cutOff = 0

  constructor(hub: EventHub) {
    this.#hub = hub
  }

  get open(): number {
    return this.#open.size
  }

  /** Clients that did not read in time, since the start. */
  get cutOff(): number {
    return this.#cutOff
  }

  /** @throws SHOAL_OVERLOADED while too many others follow */
  begin(exchange: StreamedExchange, options: FollowOptions): void {
    if (this.#open.size >= limits.eventStreamsMax) throw full()
    const stream = new EventStream(exchange, (slow) => {
      following.stop()
      this.#open.delete(stream)
      if (slow) this.#cutOff++
    })
    const following = this.#hub.follow(options, (event) => stream.tell(event))
    this.#open.add(stream)
    stream.begin(following.missed)
    for (const event of following.replay) stream.tell(event)
  }

  /** The node is about to stop; a stream would keep it waiting. */
  end(): void {
    for (const stream of this.#open) stream.end()
  }
}

class EventStream {
  readonly #exchange: StreamedExchange
  readonly #ended: (slow: boolean) => void
  #over = false
  #timer: Timer | undefined

  constructor(exchange: StreamedExchange, ended: (slow: boolean) => void) {
    this.#exchange = exchange
    this.#ended = ended
  }

  begin(missed: number | null): void {
    const { request, response } = this.#exchange
    response.once('close', () => {
      this.#close(false)
      this.#exchange.abandon()
    })
    // Who says no more does not listen either, and would be noticed only when written to, twice.
    request.socket.once('end', () => this.end())
    // A stream has its connection for itself, and nothing follows it there.
    this.#exchange.closing = true
    this.#exchange.begin(200, [headerNames.contentType, mediaTypes.events])
    this.#write(`retry: ${RETRY_MS}\n\n`)
    if (missed !== 0) this.#write(`event: gap\ndata: ${JSON.stringify({ missed })}\n\n`)
    this.#beat()
  }

  /** Whoever may not read a bucket is not told of its keys. */
  tell(event: NodeEvent): void {
    const { bucket } = event.details
    if (typeof bucket === 'string' && !this.#exchange.caller.mayUse(bucket)) return
    this.#write(`id: ${event.id}\nevent: ${event.topic}\ndata: ${JSON.stringify(event)}\n\n`)
  }

  end(): void {
    if (this.#over) return
    this.#close(false)
    this.#exchange.finish('')
  }

  /** Shows both ends, and whatever lies between them, that the connection lives. */
  #beat(): void {
    const { clock } = this.#exchange.services.env
    this.#timer = clock.after(millis(limits.eventHeartbeat), () => {
      this.#write(': alive\n\n')
      if (!this.#over) this.#beat()
    })
  }

  #write(text: string): void {
    const { response } = this.#exchange
    if (this.#over || response.destroyed) return
    response.write(text)
    if (response.writableLength <= limits.eventStreamBytesMax) return
    this.#close(true)
    response.destroy()
  }

  #close(slow: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#timer?.cancel()
    this.#ended(slow)
  }
}

const full = (): ShoalError =>
  new ShoalError('SHOAL_OVERLOADED', 'too many clients follow the events of this node', {
    wanted: limits.eventStreamsMax,
    retryAfterMs: 5_000,
  })
