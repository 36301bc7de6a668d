import { limits, type Millis, type NodeId } from '@shoal/kernel'
import type { IncomingQuestion } from '../peers.ts'

/** What an incoming question needs to be answered. */
export interface Answering {
  answer(question: Incoming, kind: number, body: Uint8Array, more: boolean): void
}

/** One question of a peer. Plain fields: one of these is made for every message that arrives. */
export class Incoming implements IncomingQuestion {
  readonly from: NodeId
  readonly kind: number
  readonly body: Buffer
  readonly epoch: number
  readonly deadline: Millis
  readonly trace: Buffer | undefined
  readonly id: number
  /** Undefined once the last answer was given, or when nobody listens any more. */
  open: Answering | undefined
  /** Place in the table of unanswered questions. */
  slot = -1

  constructor(
    open: Answering,
    from: NodeId,
    id: number,
    kind: number,
    epoch: number,
    deadline: Millis,
    body: Buffer,
    trace: Buffer | undefined,
  ) {
    this.from = from
    this.kind = kind
    this.body = body
    this.epoch = epoch
    this.deadline = deadline
    this.trace = trace
    this.id = id
    this.open = open
  }

  answer(kind: number, body: Uint8Array, more = false): void {
    this.open?.answer(this, kind, body, more)
  }
}

/**
 * The questions of one peer that have not been answered: bounded, and forgotten after their
 * deadline.
 */
export class Unanswered {
  #questions: (Incoming | undefined)[] = []
  #free: number[] = []
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  admits(size: number): boolean {
    return (
      this.#count < limits.peerRequestsInFlightMax &&
      this.#bytes + size <= limits.peerBytesInFlightMax
    )
  }

  add(question: Incoming): void {
    const slot = this.#free.pop() ?? this.#questions.length
    question.slot = slot
    this.#questions[slot] = question
    this.#count++
    this.#bytes += question.body.length
  }

  remove(question: Incoming): void {
    question.open = undefined
    this.#questions[question.slot] = undefined
    this.#free.push(question.slot)
    this.#count--
    this.#bytes -= question.body.length
  }

  /** Forgets questions whose asker no longer listens: whoever works on one may never answer it. */
  sweep(now: number): void {
    if (this.#count === 0) return
    for (const question of this.#questions) {
      if (question !== undefined && question.deadline <= now) this.remove(question)
    }
  }

  clear(): void {
    for (const question of this.#questions) if (question !== undefined) this.remove(question)
  }
}
