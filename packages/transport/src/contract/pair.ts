import { type ErrorCode, type Millis, millis, type NodeId, seconds } from '@shoal/kernel'
import type { AnswerSink, IncomingQuestion, Peers } from '../peers.ts'

/**
 * Two nodes that know each other, as an implementation of Peers has to present them to the
 * contract.
 */
export interface PeersPair {
  readonly a: Peers
  readonly b: Peers
  readonly aId: NodeId
  readonly bId: NodeId
  /** What node `a` says to be its ring epoch. */
  setEpoch(epoch: number): void
  elapsed(): Millis
  /** Lets time pass until the condition holds; fails after ten seconds. */
  until(condition: () => boolean, what: string): Promise<void>
  elapse(time: Millis): Promise<void>
  /** Resets the channel: both ends notice, and connect again. */
  sever(): void
  /** Ends node `b` without a word; `a` notices at once. */
  unplug(): Promise<void>
  close(): Promise<void>
}

export interface Handlers {
  readonly onA?: (question: IncomingQuestion) => void
  readonly onB?: (question: IncomingQuestion) => void
}

/** Opens a pair whose nodes have been started with these handlers. */
export type OpenPair = (handlers: Handlers) => Promise<PeersPair>

export interface Ending {
  readonly tag: number
  readonly kind?: number
  readonly body?: Buffer
  readonly code?: ErrorCode
}

/** Remembers how questions ended, and counts what must not happen. */
export class Recorder implements AnswerSink {
  readonly endings: Ending[] = []
  readonly parts: Ending[] = []
  readonly #ended = new Set<number>()
  /** Questions that ended more than once, or had a part after their end. */
  repeated = 0
  /** Calls that came from inside `ask`. */
  early = 0
  #asking = false

  answered(tag: number, kind: number, body: Buffer, more: boolean): void {
    this.#see(tag, !more)
    if (more) this.parts.push({ tag, kind, body })
    else this.endings.push({ tag, kind, body })
  }

  failed(tag: number, code: ErrorCode): void {
    this.#see(tag, true)
    this.endings.push({ tag, code })
  }

  get codes(): (ErrorCode | undefined)[] {
    return this.endings.map(({ code }) => code)
  }

  ask(peers: Peers, to: NodeId, asked: Partial<Asked> = {}): void {
    const { tag = 0, kind = 1, body = Buffer.alloc(0), timeout = seconds(8), trace } = asked
    this.#asking = true
    peers.ask({ to, kind, body, timeout, tag, trace }, this)
    this.#asking = false
  }

  #see(tag: number, ends: boolean): void {
    if (this.#asking) this.early++
    if (this.#ended.has(tag)) this.repeated++
    if (ends) this.#ended.add(tag)
  }
}

interface Asked {
  readonly tag: number
  readonly kind: number
  readonly body: Uint8Array
  readonly timeout: Millis
  readonly trace: Uint8Array
}

/** Answers with the kind raised by one and the body as it came. */
export function echo(question: IncomingQuestion): void {
  question.answer(question.kind + 1, question.body)
}

export const soon: Millis = millis(200)
