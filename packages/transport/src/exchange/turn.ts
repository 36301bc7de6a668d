import type { Env, ErrorCode, Millis } from '@shoal/kernel'
import type { AnswerSink } from '../peers.ts'

export interface Flushable {
  flush(): void
}

/**
 * What one turn of the event loop collects: channels that have something to send, and questions
 * that failed before they left and whose sinks must not be called from inside `ask`. One callback
 * serves all peers.
 */
export class Turn {
  readonly #env: Env
  readonly #end = () => this.#run()
  #scheduled = false
  #dirty: Flushable[] = []
  #failedSinks: AnswerSink[] = []
  #failedTags: number[] = []
  #failedCodes: ErrorCode[] = []
  #now = -1

  constructor(env: Env) {
    this.#env = env
  }

  /** The elapsed clock, read once in a turn. */
  now(): Millis {
    if (this.#now < 0) {
      this.#now = this.#env.clock.elapsed()
      this.#schedule()
    }
    return this.#now as Millis
  }

  /** Flushes once when the turn ends; the caller sees to it that it is added once. */
  flushLater(what: Flushable): void {
    this.#dirty.push(what)
    this.#schedule()
  }

  failLater(sink: AnswerSink, tag: number, code: ErrorCode): void {
    this.#failedSinks.push(sink)
    this.#failedTags.push(tag)
    this.#failedCodes.push(code)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#env.nextTurn(this.#end)
  }

  #run(): void {
    this.#scheduled = false
    this.#now = -1
    if (this.#failedSinks.length > 0) this.#fail()
    if (this.#dirty.length === 0) return
    const dirty = this.#dirty
    this.#dirty = []
    for (const channel of dirty) channel.flush()
  }

  #fail(): void {
    const [sinks, tags, codes] = [this.#failedSinks, this.#failedTags, this.#failedCodes]
    this.#failedSinks = []
    this.#failedTags = []
    this.#failedCodes = []
    for (let index = 0; index < sinks.length; index++) {
      sinks[index]?.failed(tags[index] as number, codes[index] as ErrorCode)
    }
  }
}
