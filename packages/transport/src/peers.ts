import type { ErrorCode, Millis, NodeId } from '@shoal/kernel'

/**
 * The Peers port: questions and answers between nodes, by node id. Delivery is at most once (Q9):
 * nothing here retries. Messages are opaque: a kind and bytes; what they mean is written in
 * @shoal/wire.
 */
export interface Peers {
  /**
   * Asks one peer. Everything asked in one turn of the event loop leaves in one socket write, so
   * `body` is copied before the turn ends and must not be changed before. A body of 64 KiB or more
   * is not copied and must never be changed. Exactly one of `sink.answered` (the last one with
   * `more` false) or `sink.failed` ends the question, never from inside this call.
   *
   * @param tag   returned to the sink unchanged; lets one sink object serve all replicas of a
   *   request
   * @param timeout  when the answer is no longer of use; travels along, so the peer may drop work
   *   that is too late
   */
  ask(question: Question, sink: AnswerSink): void
  /**
   * Who answers the questions of others. Set once, before `start`. A handler, or a sink, that
   * throws SHOAL_FRAME_INVALID blames the peer: the channel is closed with its message. Anything
   * else thrown is a bug and not caught.
   */
  onQuestion(handler: (question: IncomingQuestion) => void): void
  /** Whether a question to this peer would leave now. Costs nothing. */
  isUp(peer: NodeId): boolean
  /** Called on each change of `isUp`. */
  onChange(listener: (peer: NodeId, up: boolean) => void): void
  status(): readonly PeerStatus[]
  /** Dials all peers and keeps dialling. */
  start(): Promise<void>
  /**
   * Refuses new questions, lets those in flight end until the deadline, then closes every channel.
   *
   * @param deadline  on the elapsed clock
   */
  stop(deadline: Millis): Promise<void>
}

export interface Question {
  readonly to: NodeId
  readonly kind: number
  readonly body: Uint8Array
  readonly timeout: Millis
  readonly tag: number
  /**
   * The trace it belongs to, unread here: 1 byte to `peerTraceBytesMax`. Left out on the way to
   * peers that do not take it, and where it does not fit the frame beside the body.
   */
  readonly trace?: Uint8Array | undefined
}

export interface AnswerSink {
  /**
   * `body` is a view of the receive buffer: it stays valid, but keeping it keeps up to 64 KiB
   * alive.
   */
  answered(tag: number, kind: number, body: Buffer, more: boolean): void
  /**
   * SHOAL_PEER_UNREACHABLE, SHOAL_PEER_BUSY: it never left, or the peer did not take it.
   * SHOAL_PEER_LOST, SHOAL_PEER_TIMEOUT: it may have been done. SHOAL_PEER_TOO_LARGE: question or
   * answer does not fit a frame; in the second case it was done. Overdue questions are looked for
   * ten times a second.
   */
  failed(tag: number, code: ErrorCode): void
}

export interface IncomingQuestion {
  readonly from: NodeId
  readonly kind: number
  /** A view of the receive buffer, as in `answered`. */
  readonly body: Buffer
  /** The trace it belongs to, unread; undefined for most. */
  readonly trace?: Buffer | undefined
  /** The ring epoch of the asker (Q8). */
  readonly epoch: number
  /** On this node's elapsed clock: after this nobody listens any more. */
  readonly deadline: Millis
  /**
   * May be called several times with `more` true, then once without. Answers after the channel
   * closed, after the last one and after the deadline are dropped. `body` as in `ask`.
   */
  answer(kind: number, body: Uint8Array, more?: boolean): void
}

export interface PeerStatus {
  readonly peer: NodeId
  readonly up: boolean
  /** Why it is down, in words. */
  readonly reason: string | undefined
  readonly roundTripMs: number | undefined
  readonly inFlight: number
  readonly bytesQueued: number
}
