import {
  type ErrorCode,
  invariant,
  limits,
  type Millis,
  type NodeId,
  ShoalError,
} from '@shoal/kernel'
import {
  type FrameHandler,
  frameBodyBytesMax,
  frameTypes,
  questionHeaderBytes,
  refusalKinds,
  tracedHeaderBytes,
} from '@shoal/wire'
import type { AnswerSink, IncomingQuestion, PeerStatus, Question } from '../peers.ts'
import { InFlight } from './in-flight.ts'
import { Incoming, Unanswered } from './unanswered.ts'

/** Where an exchange puts what it has to say. `FrameWriter` is one. */
export interface Outbox {
  question(kind: number, id: number, epoch: number, timeout: number, body: Uint8Array): void
  tracedQuestion(
    kind: number,
    id: number,
    epoch: number,
    timeout: number,
    body: Uint8Array,
    trace: Uint8Array,
  ): void
  frame(type: number, kind: number, id: number, body?: Uint8Array): void
}

export interface ExchangeHost {
  readonly peer: NodeId
  readonly outbox: Outbox
  /** Whether the peer takes questions that carry a trace. */
  readonly takesTraces: boolean
  /** The elapsed clock, at most one turn old. */
  now(): Millis
  /** Bytes that wait for the peer to read them. */
  waiting(): number
  /** Something was put into the outbox. */
  wrote(): void
  /** This node takes no new questions. */
  isDraining(): boolean
  handle(question: IncomingQuestion): void
  /** A frame that is neither question nor answer. */
  control(type: number, id: number, body: Buffer): void
  /** The peer has sent what nobody can read: the channel is to end. */
  malformed(reason: string): void
}

const TIMEOUT_MAX = 0xffff_ffff
/** Beside it there is room for the longest trace. */
const TRACED_BODY_BYTES_MAX =
  frameBodyBytesMax - (tracedHeaderBytes - questionHeaderBytes) - limits.peerTraceBytesMax

/**
 * Questions and answers over one channel, both ways, with their windows. Knows nothing of sockets,
 * so that channels in memory behave as those over the network do.
 *
 * Reading is never paused. Both ends send answers through the stream they would pause, so two ends
 * that wait for each other would wait for ever. What bounds the memory instead: the asker's window,
 * the refusal of questions beyond the window here, and the end of a channel whose peer does not
 * read.
 */
export class Exchange implements FrameHandler {
  readonly #host: ExchangeHost
  readonly #inFlight = new InFlight()
  readonly #unanswered = new Unanswered()

  constructor(host: ExchangeHost) {
    this.#host = host
  }

  /** @returns why the question did not leave, or undefined */
  ask(question: Question, epoch: number, sink: AnswerSink): ErrorCode | undefined {
    const { kind, body, tag, trace } = question
    const size = body.length
    if (size > frameBodyBytesMax) return 'SHOAL_PEER_TOO_LARGE'
    if (!this.#inFlight.admits(size)) return 'SHOAL_PEER_BUSY'
    const timeout = Math.min(Math.max(Math.ceil(question.timeout), 0), TIMEOUT_MAX)
    const host = this.#host
    const id = this.#inFlight.add(sink, tag, host.now() + timeout, size)
    if (trace !== undefined && host.takesTraces && size <= TRACED_BODY_BYTES_MAX) {
      host.outbox.tracedQuestion(kind, id, epoch, timeout, body, trace)
    } else {
      host.outbox.question(kind, id, epoch, timeout, body)
    }
    host.wrote()
    return undefined
  }

  onQuestion(
    kind: number,
    id: number,
    epoch: number,
    timeout: number,
    body: Buffer,
    trace?: Buffer,
  ): void {
    try {
      this.#question(kind, id, epoch, timeout, body, trace)
    } catch (error) {
      this.#judge(error)
    }
  }

  onFrame(type: number, kind: number, id: number, body: Buffer): void {
    try {
      this.#frame(type, kind, id, body)
    } catch (error) {
      this.#judge(error)
    }
  }

  #question(
    kind: number,
    id: number,
    epoch: number,
    timeout: number,
    body: Buffer,
    trace: Buffer | undefined,
  ): void {
    const host = this.#host
    if (host.isDraining()) {
      this.#refuse(id, refusalKinds.stopping)
      return
    }
    if (!this.#admits(body.length)) {
      this.#refuse(id, refusalKinds.busy)
      return
    }
    const deadline = (host.now() + timeout) as Millis
    const question = new Incoming(this, host.peer, id, kind, epoch, deadline, body, trace)
    this.#unanswered.add(question)
    host.handle(question)
  }

  #frame(type: number, kind: number, id: number, body: Buffer): void {
    if (type > frameTypes.refusal) {
      this.#host.control(type, id, body)
      return
    }
    const inFlight = this.#inFlight
    const sink = inFlight.sinkOf(id)
    // Late: the question has timed out.
    if (sink === undefined) return
    const tag = inFlight.tagOf(id)
    if (type === frameTypes.answerMore) {
      sink.answered(tag, kind, body, true)
      return
    }
    inFlight.remove(id)
    if (type === frameTypes.answer) sink.answered(tag, kind, body, false)
    else sink.failed(tag, codeOfRefusal(kind))
  }

  /** The end of a question, called by the question itself. */
  answer(question: Incoming, kind: number, body: Uint8Array, more: boolean): void {
    const fits = body.length <= frameBodyBytesMax
    if (!more || !fits) this.#unanswered.remove(question)
    if (!fits) {
      this.#refuse(question.id, refusalKinds.tooLarge)
      return
    }
    const type = more ? frameTypes.answerMore : frameTypes.answer
    this.#host.outbox.frame(type, kind, question.id, body)
    this.#host.wrote()
  }

  get isIdle(): boolean {
    return this.#inFlight.count === 0 && this.#unanswered.count === 0
  }

  get inFlight(): PeerStatus['inFlight'] {
    return this.#inFlight.count
  }

  sweep(now: Millis): void {
    this.#inFlight.sweep(now)
    this.#unanswered.sweep(now)
  }

  /** The channel is gone: every question ends, no answer leaves. */
  end(): void {
    this.#unanswered.clear()
    this.#inFlight.failAll('SHOAL_PEER_LOST')
    invariant(this.#unanswered.count === 0, 'a closed channel owes no answers')
  }

  /**
   * A body that its reader calls malformed is the fault of the peer, anything else a bug of ours.
   */
  #judge(error: unknown): void {
    if (!(error instanceof ShoalError) || error.code !== 'SHOAL_FRAME_INVALID') throw error
    this.#host.malformed(`malformed: ${error.message}`)
  }

  #admits(size: number): boolean {
    return this.#unanswered.admits(size) && this.#host.waiting() <= limits.peerBytesInFlightMax
  }

  #refuse(id: number, why: number): void {
    this.#host.outbox.frame(frameTypes.refusal, why, id)
    this.#host.wrote()
  }
}

function codeOfRefusal(kind: number): ErrorCode {
  switch (kind) {
    case refusalKinds.stopping:
      return 'SHOAL_PEER_UNREACHABLE'
    case refusalKinds.tooLarge:
      return 'SHOAL_PEER_TOO_LARGE'
    default:
      return 'SHOAL_PEER_BUSY'
  }
}
