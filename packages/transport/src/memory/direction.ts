import { type Clock, invariant, type Millis, millis, type Random, type Timer } from '@shoal/kernel'
import type { FrameHandler } from '@shoal/wire'
import type { Outbox } from '../exchange/exchange.ts'

/** What can go wrong from one node to another. Probabilities from 0 to 1. */
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
  /** Messages may overtake each other. A real channel keeps their order. */
  readonly reorder: boolean
}

export const noFaults: Faults = {
  delayMin: millis(0.1),
  delayMax: millis(1),
  loss: 0,
  duplicateQuestions: 0,
  duplicateAnswers: 0,
  reorder: false,
}

interface Message {
  readonly due: number
  readonly bytes: number
  readonly deliver: (to: FrameHandler) => void
}

/**
 * Messages on their way from one node to another. Bodies are copied when they are sent, so that a
 * sender who changes them too early, or a receiver who changes what it was given, is found out.
 */
export class Direction implements Outbox {
  readonly #clock: Clock
  readonly #random: Random
  readonly #faults: () => Faults
  #queue: Message[] = []
  #bytes = 0
  #lastDue = 0
  #timer: Timer | undefined
  #held = false
  #receiver: FrameHandler | undefined

  constructor(clock: Clock, random: Random, faults: () => Faults) {
    this.#clock = clock
    this.#random = random
    this.#faults = faults
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A channel opens: what the old one had under way is lost. */
  connect(receiver: FrameHandler): void {
    this.disconnect()
    this.#receiver = receiver
  }

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
    this.#held = held
    this.#arm()
  }

  question(kind: number, id: number, epoch: number, timeout: number, body: Uint8Array): void {
    const { duplicateQuestions } = this.#faults()
    const copy = Buffer.from(body)
    const send = (bytes: Buffer) =>
      this.#send(bytes.length, (to) => to.onQuestion(kind, id, epoch, timeout, bytes))
    send(copy)
    if (this.#happens(duplicateQuestions)) send(Buffer.from(copy))
  }

  frame(type: number, kind: number, id: number, body: Uint8Array = Buffer.alloc(0)): void {
    const { duplicateAnswers } = this.#faults()
    const copy = Buffer.from(body)
    const send = (bytes: Buffer) =>
      this.#send(bytes.length, (to) => to.onFrame(type, kind, id, bytes))
    send(copy)
    if (this.#happens(duplicateAnswers)) send(Buffer.from(copy))
  }

  #send(bytes: number, deliver: Message['deliver']): void {
    const { delayMin, delayMax, loss, reorder } = this.#faults()
    if (this.#receiver === undefined || this.#happens(loss)) return
    const spread = this.#random.below(1_000_000) / 1_000_000
    const arrives = this.#clock.elapsed() + delayMin + (delayMax - delayMin) * spread
    const due = reorder ? arrives : Math.max(arrives, this.#lastDue)
    this.#lastDue = due
    this.#bytes += bytes
    const message = { due, bytes, deliver }
    const later = reorder ? this.#queue.findIndex((other) => other.due > due) : -1
    if (later < 0) this.#queue.push(message)
    else this.#queue.splice(later, 0, message)
    if (this.#timer === undefined || later === 0) this.#arm()
  }

  #happens(probability: number): boolean {
    if (probability <= 0) return false
    return this.#random.below(1_000_000) < probability * 1_000_000
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const [head] = this.#queue
    if (head === undefined || this.#held) return
    const delay = Math.max(0, head.due - this.#clock.elapsed()) as Millis
    this.#timer = this.#clock.after(delay, () => this.#deliver())
  }

  #deliver(): void {
    this.#timer = undefined
    const now = this.#clock.elapsed()
    const ready = this.#queue.findIndex(({ due }) => due > now)
    const messages = this.#queue.splice(0, ready < 0 ? this.#queue.length : ready)
    const receiver = this.#receiver
    invariant(receiver !== undefined, 'messages travel on open channels only')
    for (const { bytes, deliver } of messages) {
      // The channel may close while a message is handled.
      if (this.#receiver !== receiver) return
      this.#bytes -= bytes
      deliver(receiver)
    }
    this.#arm()
  }
}
