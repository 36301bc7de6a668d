/**
 * The requests of one session: each carries the session's tokens, each answer's token joins them,
 * and no more are on the way at a time than the list of tokens may grow long.
 */
import { limits } from '@shoal/kernel'
import { type Answer, headerOf } from '../core/answer.ts'
import { headers } from '../core/headers.ts'
import { joinAnswer, type SessionTokens, sessionHeader } from '../core/session-tokens.ts'
import type { Exchange, Sink, TransportFailure } from './transport.ts'

/** Sends a request with this value of `Shoal-Session`. */
export type SendWithSession = (session: string, sink: Sink) => Exchange

export class SessionGate {
  #tokens: SessionTokens
  #running = 0
  readonly #waiting: Passage[] = []

  constructor(tokens: SessionTokens) {
    this.#tokens = tokens
  }

  get tokens(): SessionTokens {
    return this.#tokens
  }

  /** Waiting is bounded by the calls one client may have open. */
  submit(send: SendWithSession, sink: Sink): Exchange {
    const passage = new Passage(this, send, sink)
    if (this.#running < limits.clientSessionParallelMax) this.#start(passage)
    else this.#waiting.push(passage)
    return passage
  }

  #start(passage: Passage): void {
    this.#running++
    passage.start(this.#tokens)
  }

  ended(sent: SessionTokens, token: string): void {
    if (token !== '') this.#tokens = joinAnswer(this.#tokens, { sent, token })
    this.#running--
    const next = this.#waiting.shift()
    if (next !== undefined) this.#start(next)
  }

  withdrew(passage: Passage): void {
    const at = this.#waiting.indexOf(passage)
    if (at >= 0) this.#waiting.splice(at, 1)
  }
}

/** One request's way through the gate. */
class Passage implements Exchange, Sink {
  readonly #gate: SessionGate
  readonly #send: SendWithSession
  readonly #sink: Sink
  #exchange: Exchange | undefined
  #sent: SessionTokens = []
  #over = false

  constructor(gate: SessionGate, send: SendWithSession, sink: Sink) {
    this.#gate = gate
    this.#send = send
    this.#sink = sink
  }

  get started(): boolean {
    return this.#exchange?.started ?? false
  }

  start(tokens: SessionTokens): void {
    this.#sent = tokens
    this.#exchange = this.#send(sessionHeader(tokens), this)
  }

  answered(answer: Answer): void {
    this.#end(headerOf(answer, headers.session))
    this.#sink.answered(answer)
  }

  failed(failure: TransportFailure): void {
    this.#end('')
    this.#sink.failed(failure)
  }

  cancel(): void {
    if (this.#over) return
    if (this.#exchange === undefined) {
      this.#over = true
      this.#gate.withdrew(this)
      return
    }
    this.#exchange.cancel()
    this.#end('')
  }

  #end(token: string): void {
    this.#over = true
    this.#gate.ended(this.#sent, token)
  }
}
