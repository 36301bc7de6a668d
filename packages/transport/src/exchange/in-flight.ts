import { type ErrorCode, invariant, limits } from '@shoal/kernel'
import type { AnswerSink } from '../peers.ts'

const FIRST_SIZE = 64

/**
 * The questions sent on one channel and not yet ended: a hash table by request id in plain arrays,
 * because an object, a closure and a timer for each question would cost more than the question.
 *
 * Ids count up through 32 bits and are not used again before all others were, so a late answer to a
 * question that has timed out can never end a younger one.
 */
export class InFlight {
  #mask = FIRST_SIZE - 1
  /** 0 marks a free slot. An id lives in the slot of its low bits, and only there. */
  #ids = new Uint32Array(FIRST_SIZE)
  #deadlines = new Float64Array(FIRST_SIZE)
  #sizes = new Uint32Array(FIRST_SIZE)
  #tags: number[] = new Array(FIRST_SIZE).fill(0)
  #sinks: (AnswerSink | undefined)[] = new Array(FIRST_SIZE).fill(undefined)
  #next = 1
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  /** Bytes of the bodies of all questions in flight. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether one more question of this size fits the window. */
  admits(size: number): boolean {
    return (
      this.#count < limits.peerRequestsInFlightMax &&
      this.#bytes + size <= limits.peerBytesInFlightMax
    )
  }

  /** @returns the id under which the question travels */
  add(sink: AnswerSink, tag: number, deadline: number, size: number): number {
    if (this.#count * 2 > this.#mask) this.#resize((this.#mask + 1) * 2)
    let id = this.#next
    while (id === 0 || this.#ids[id & this.#mask] !== 0) id = (id + 1) >>> 0
    this.#next = (id + 1) >>> 0
    const slot = id & this.#mask
    this.#ids[slot] = id
    this.#deadlines[slot] = deadline
    this.#sizes[slot] = size
    this.#tags[slot] = tag
    this.#sinks[slot] = sink
    this.#count++
    this.#bytes += size
    return id
  }

  /** The sink of a question, or undefined when it has ended or never was. */
  sinkOf(id: number): AnswerSink | undefined {
    const slot = id & this.#mask
    return this.#ids[slot] === id && id !== 0 ? this.#sinks[slot] : undefined
  }

  /** Of a question that has a sink. */
  tagOf(id: number): number {
    return this.#tags[id & this.#mask] as number
  }

  /** Ends a question that has a sink. Only the caller may now call the sink, once. */
  remove(id: number): void {
    const slot = id & this.#mask
    invariant(this.#ids[slot] === id, 'a question ends once')
    this.#ids[slot] = 0
    this.#sinks[slot] = undefined
    this.#count--
    this.#bytes -= this.#sizes[slot] as number
  }

  /**
   * Fails what is overdue. Cost: linear in the largest number that was ever in flight, nothing when
   * idle.
   */
  sweep(now: number): void {
    if (this.#count === 0) return
    const overdue: number[] = []
    for (let slot = 0; slot <= this.#mask; slot++) {
      const id = this.#ids[slot] as number
      if (id !== 0 && (this.#deadlines[slot] as number) <= now) overdue.push(id)
    }
    for (const id of overdue) this.fail(id, 'SHOAL_PEER_TIMEOUT')
  }

  /** Does nothing for a question that has ended. */
  fail(id: number, code: ErrorCode): void {
    const sink = this.sinkOf(id)
    if (sink === undefined) return
    const tag = this.tagOf(id)
    this.remove(id)
    sink.failed(tag, code)
  }

  failAll(code: ErrorCode): void {
    const ids = this.#ids.filter((id) => id !== 0)
    for (const id of ids) this.fail(id, code)
  }

  #resize(size: number): void {
    const { ids, sinks, tags, deadlines, sizes } = this.#columns()
    this.#mask = size - 1
    this.#ids = new Uint32Array(size)
    this.#deadlines = new Float64Array(size)
    this.#sizes = new Uint32Array(size)
    this.#tags = new Array(size).fill(0)
    this.#sinks = new Array(size).fill(undefined)
    for (let from = 0; from < ids.length; from++) {
      const id = ids[from] as number
      if (id === 0) continue
      // Two ids that differ in their low bits still do when more bits count.
      const slot = id & this.#mask
      this.#ids[slot] = id
      this.#deadlines[slot] = deadlines[from] as number
      this.#sizes[slot] = sizes[from] as number
      this.#tags[slot] = tags[from] as number
      this.#sinks[slot] = sinks[from]
    }
  }

  #columns() {
    return {
      ids: this.#ids,
      sinks: this.#sinks,
      tags: this.#tags,
      deadlines: this.#deadlines,
      sizes: this.#sizes,
    }
  }
}
