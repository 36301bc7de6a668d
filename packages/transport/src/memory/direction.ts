import { type Clock, invariant, type Millis, millis, type Random, type Timer } from '@shoal/kernel'
import type { FrameHandler } from '@shoal/wire'
import type { Outbox } from '../exchange/exchange.ts'

/** What can go wrong from one node to another. Probabilities from 0 to 1, of each message. */
export interface Faults {
  readonly delayMin: Millis
  readonly delayMax: Millis
  /**
   * A message is lost and nobody is told. A real channel does not do this; what stands above must
   * bear it.
   */
  readonly loss: number
  /** A question arrives twice, as after a retry elsewhere. */
  readonly duplicateQuestions: number
  /** An answer arrives twice. */
  readonly duplicateAnswers: number
  /** A message may overtake those before it. A real channel keeps their order. */
  readonly reorder: number
}

export const noFaults: Faults = {
  delayMin: millis(0.1),
  delayMax: millis(1),
  loss: 0,
  duplicateQuestions: 0,
  duplicateAnswers: 0,
  reorder: 0,
}

/** A question has an epoch and a timeout, a frame has a type. */
interface Message {
  readonly due: number
  readonly type: number
  readonly kind: number
  readonly id: number
  readonly epoch: number
  readonly timeout: number
  readonly body: Buffer
  readonly trace?: Buffer
}

const QUESTION = -1
const EMPTY = Buffer.alloc(0)

export interface DirectionParts {
  /** Of the network: when messages arrive. */
  readonly clock: () => Clock
  readonly random: Random
  readonly faults: () => Faults
  /** Told of each message when it is sent, as numbers that depend on what is sent. */
  readonly sent?: ((kind: number, bytes: number) => void) | undefined
}

/**
 * Messages on their way from one node to another. Bodies are copied when they are sent, so that a
 * sender who changes them too early, or a receiver who changes what it was given, is found out.
 */
export class Direction implements Outbox {
  readonly #parts: DirectionParts
  #queue: Message[] = []
  #bytes = 0
  #lastDue = 0
  #timer: Timer | undefined
  #held = false
  #receiver: FrameHandler | undefined

  constructor(parts: DirectionParts) {
    this.#parts = parts
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A channel opens: what the old one had under way is lost. */
  connect(receiver: FrameHandler): void {
    this.disconnect()
    this.#receiver = receiver
  }

  /** What is on its way is lost, and what is sent from now on. */
  disconnect(): void {
    this.#receiver = undefined
    this.#timer?.cancel()
    this.#timer = undefined
    this.#queue = []
    this.#bytes = this.#lastDue = 0
  }

  /**
   * Nothing arrives while held; what was sent meanwhile arrives afterwards, as on a real network.
   */
  hold(held: boolean): void {
    if (this.#held === held) return
    this.#held = held
    this.#arm()
  }

  question(kind: number, id: number, epoch: number, timeout: number, body: Uint8Array): void {
    if (this.#receiver === undefined) return
    this.#send({ due: 0, type: QUESTION, kind, id, epoch, timeout, body: Buffer.from(body) })
    if (this.#happens(this.#parts.faults().duplicateQuestions)) {
      this.#send({ due: 0, type: QUESTION, kind, id, epoch, timeout, body: Buffer.from(body) })
    }
  }

  /** Traces are for those who look on: what they cost is not simulated. */
  tracedQuestion(
    kind: number,
    id: number,
    epoch: number,
    timeout: number,
    body: Uint8Array,
    trace: Uint8Array,
  ): void {
    if (this.#receiver === undefined) return
    const message = { due: 0, type: QUESTION, kind, id, epoch, timeout, trace: Buffer.from(trace) }
    this.#send({ ...message, body: Buffer.from(body) })
  }

  frame(type: number, kind: number, id: number, body: Uint8Array = EMPTY): void {
    if (this.#receiver === undefined) return
    this.#send({ due: 0, type, kind, id, epoch: 0, timeout: 0, body: Buffer.from(body) })
    if (this.#happens(this.#parts.faults().duplicateAnswers)) {
      this.#send({ due: 0, type, kind, id, epoch: 0, timeout: 0, body: Buffer.from(body) })
    }
  }

  #send(unsent: Message): void {
    const { faults, random, sent } = this.#parts
    const { delayMin, delayMax, loss, reorder } = faults()
    sent?.(unsent.kind, unsent.body.length)
    if (this.#happens(loss)) return
    const spread = random.below(1_000_000) / 1_000_000
    const arrives = this.#now() + delayMin + (delayMax - delayMin) * spread
    const overtakes = this.#happens(reorder)
    const due = overtakes ? arrives : Math.max(arrives, this.#lastDue)
    this.#lastDue = Math.max(due, this.#lastDue)
    this.#bytes += unsent.body.length
    const message = { ...unsent, due }
    const later = overtakes ? this.#queue.findIndex((other) => other.due > due) : -1
    if (later < 0) this.#queue.push(message)
    else this.#queue.splice(later, 0, message)
    if (this.#timer === undefined || later === 0) this.#arm()
  }

  #happens(probability: number): boolean {
    if (probability <= 0) return false
    return this.#parts.random.below(1_000_000) < probability * 1_000_000
  }

  #now(): number {
    return this.#parts.clock().elapsed()
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const [head] = this.#queue
    if (head === undefined || this.#held) return
    const delay = Math.max(0, head.due - this.#now()) as Millis
    this.#timer = this.#parts.clock().after(delay, this.#deliver)
  }

  readonly #deliver = (): void => {
    this.#timer = undefined
    const now = this.#now()
    const receiver = this.#receiver
    invariant(receiver !== undefined, 'messages travel on open channels only')
    let arrived = 0
    while (arrived < this.#queue.length && (this.#queue[arrived] as Message).due <= now) arrived++
    const messages = this.#queue.splice(0, arrived)
    for (const message of messages) {
      // The channel may close while a message is handled.
      if (this.#receiver !== receiver) return
      this.#bytes -= message.body.length
      handOver(message, receiver)
    }
    if (this.#receiver === receiver) this.#arm()
  }
}

function handOver(message: Message, receiver: FrameHandler): void {
  const { type, kind, id, epoch, timeout, body, trace } = message
  if (type === QUESTION) receiver.onQuestion(kind, id, epoch, timeout, body, trace)
  else receiver.onFrame(type, kind, id, body)
}
