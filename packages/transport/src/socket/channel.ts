import { type ErrorCode, limits, type Millis, type NodeId } from '@shoal/kernel'
import { decodeRefused, encodeRefused, frameTypes } from '@shoal/wire'
import { Exchange, type ExchangeHost } from '../exchange/exchange.ts'
import type { Flushable, Turn } from '../exchange/turn.ts'
import type { AnswerSink, IncomingQuestion, Question } from '../peers.ts'
import type { Connection } from './connection.ts'

/**
 * A silence is noticed this much earlier, so that a peer is known to be down within
 * `peerSilenceMax`.
 */
const SILENCE = limits.peerSilenceMax - 2 * limits.peerSweep
/**
 * The most that one sweep counts as silence: if we were stopped ourselves, the peer was not silent.
 */
const SWEEP_COUNTED_MAX = 5 * limits.peerSweep
/** How much one new sample moves the round-trip time shown. */
const ROUND_TRIP_WEIGHT = 0.25

export interface ChannelOptions {
  readonly peer: NodeId
  readonly connection: Connection
  readonly takesTraces: boolean
  readonly turn: Turn
  isDraining(): boolean
  handle(question: IncomingQuestion): void
  /** The peer takes no new questions. */
  goodbye(reason: string): void
  /** A ping was answered. */
  answered(ping: number): void
  /** The channel ended by itself. Not called after `close`. */
  ended(reason: string): void
}

/** A connection on which both sides have agreed: questions, answers, signs of life. */
export class Channel implements ExchangeHost, Flushable {
  readonly peer: NodeId
  readonly outbox: Connection['writer']
  readonly takesTraces: boolean
  /** When it came up, on the elapsed clock. */
  readonly since: Millis
  roundTripMs: number | undefined
  readonly #connection: Connection
  readonly #options: ChannelOptions
  readonly #turn: Turn
  readonly #exchange: Exchange
  readonly handle: (question: IncomingQuestion) => void
  #flushing = false
  #silentFor = 0
  #pingDueIn = 0
  #ping = 0
  #pingSentAt = 0

  constructor(options: ChannelOptions) {
    const { peer, connection, turn, handle } = options
    this.peer = peer
    this.takesTraces = options.takesTraces
    this.outbox = connection.writer
    this.handle = handle
    this.#connection = connection
    this.#options = options
    this.#turn = turn
    this.#exchange = new Exchange(this)
    this.since = turn.now()
    connection.admit(limits.peerFrameBytesMax)
    connection.handOver(this.#exchange, (reason) => options.ended(reason))
  }

  /** @returns why the question did not leave, or undefined */
  ask(question: Question, epoch: number, sink: AnswerSink): ErrorCode | undefined {
    return this.#exchange.ask(question, epoch, sink)
  }

  get inFlight(): number {
    return this.#exchange.inFlight
  }

  get isIdle(): boolean {
    return this.#exchange.isIdle && this.#connection.waiting === 0
  }

  waiting(): number {
    return this.#connection.waiting
  }

  now(): Millis {
    return this.#turn.now()
  }

  isDraining(): boolean {
    return this.#options.isDraining()
  }

  wrote(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#turn.flushLater(this)
  }

  flush(): void {
    this.#flushing = false
    this.#connection.flush()
    const { waiting } = this.#connection
    if (waiting > limits.peerOutputBytesMax) this.#giveUp(`${waiting} bytes wait and are not read`)
  }

  control(type: number, id: number, body: Buffer): void {
    switch (type) {
      case frameTypes.ping:
        this.outbox.frame(frameTypes.pong, 0, id)
        this.wrote()
        break
      case frameTypes.pong:
        this.#ponged(id)
        break
      case frameTypes.goodbye:
        this.#options.goodbye(`the peer is leaving: ${wordsOf(body)}`)
        break
      case frameTypes.refused:
        this.#giveUp(`the peer closed the channel: ${wordsOf(body)}`)
        break
      default:
        this.#connection.fail(`malformed: frame type ${type} on an open channel`)
    }
  }

  malformed(reason: string): void {
    this.#connection.fail(reason)
  }

  /** Asks for a sign of life. @returns the number that `answered` will tell */
  probe(): number {
    this.#pingDueIn = limits.peerPing
    this.#pingSentAt = this.#turn.now()
    this.#ping = (this.#ping + 1) >>> 0
    this.outbox.frame(frameTypes.ping, 0, this.#ping)
    this.wrote()
    return this.#ping
  }

  sayGoodbye(reason: string): void {
    this.outbox.frame(
      frameTypes.goodbye,
      0,
      0,
      encodeRefused({ code: 'later', words: reason }, limits.peerOpeningBytesMax),
    )
    this.wrote()
  }

  /** @param gap  since the last sweep */
  sweep(now: Millis, gap: Millis): void {
    this.#exchange.sweep(now)
    const counted = Math.min(gap, SWEEP_COUNTED_MAX)
    this.#silentFor = this.#connection.takeHeard() ? 0 : this.#silentFor + counted
    if (this.#silentFor >= SILENCE) {
      this.#giveUp(`silent for ${limits.peerSilenceMax} ms`)
      return
    }
    this.#pingDueIn -= gap
    if (this.#pingDueIn > 0) return
    this.outbox.shrink()
    this.probe()
  }

  /**
   * Closes the connection, on request `politely`: after what was written has left. `end` is to
   * follow.
   */
  close(politely: boolean): void {
    if (politely) this.#connection.end()
    else this.#connection.close()
  }

  closed(): Promise<void> {
    return this.#connection.closed()
  }

  /** Ends all questions, because the connection is gone. */
  end(): void {
    this.#exchange.end()
  }

  #ponged(ping: number): void {
    if (ping !== this.#ping) return
    const sample = this.#turn.now() - this.#pingSentAt
    const before = this.roundTripMs ?? sample
    this.roundTripMs = before + (sample - before) * ROUND_TRIP_WEIGHT
    this.#options.answered(ping)
  }

  #giveUp(reason: string): void {
    if (this.#connection.isOver) return
    this.#connection.close()
    this.#options.ended(reason)
  }
}

/** Last words of a peer. What cannot be read must not keep the channel from closing. */
function wordsOf(body: Buffer): string {
  try {
    return decodeRefused(body).words
  } catch {
    return 'it gave no reason'
  }
}
