/**
 * The port to the network: requests out, answers or failures back. `undici.ts` is its one real
 * form.
 */
import type { Millis } from '@shoal/kernel'
import type { Answer } from '../core/answer.ts'
import type { HttpRequest } from '../core/operation.ts'

export interface TransportFailure {
  /**
   * - `not-sent`: no connection was made, no byte left.
   * - `lost`: the connection broke after the request began to leave.
   * - `garbled`: what came back is not HTTP, or larger than any answer may be.
   * - `unsendable`: the request cannot be put into HTTP, a header holds a forbidden character.
   * - `silent`: given up by the node's watch, never by the transport itself.
   */
  readonly kind: 'not-sent' | 'lost' | 'garbled' | 'unsendable' | 'silent'
  readonly message: string
  readonly cause?: unknown
}

/**
 * Told exactly one of the two, once, and never from inside `send`; after `cancel` told nothing
 * more.
 */
export interface Sink {
  answered(answer: Answer): void
  failed(failure: TransportFailure): void
}

export interface Exchange {
  /** Whether a byte of the request may have left. */
  readonly started: boolean
  /** Breaks off: nothing more is told, the connection is given up. */
  cancel(): void
}

/** The connections to one node. Never retries by itself (Q9). */
export interface NodeConnections {
  send(request: HttpRequest, sink: Sink): Exchange
  /** Waits for what is under way, then closes. */
  close(): Promise<void>
  /** Breaks off what is under way. */
  destroy(): Promise<void>
}

export interface Transport {
  open(url: string): NodeConnections
  /** Asks whether anybody is there, over a connection of its own. False after `timeout`. */
  probe(url: string, timeout: Millis, done: (alive: boolean) => void): Exchange
}
