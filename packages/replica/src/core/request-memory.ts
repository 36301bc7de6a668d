import type { Millis } from '@shoal/kernel'

/**
 * Which dot a request id got (V10), so that a retry through the same coordinator finds its first
 * try.
 *
 * Entries live for `age`, in a slab of equal slots, eight to a set. Under more ids than the slab
 * holds the oldest of a set leaves early: a retry after that is caught by the request hash inside
 * the live value, or makes a second dot, which the guarantees say.
 */
export interface Remembered {
  readonly actor: Buffer
  readonly counter: number
  /**
   * Hash of what was written, to tell a retry from another request under the same id. Undefined
   * when the dot was found in a live value, whose bytes then tell.
   */
  readonly content: bigint | undefined
}

const WAYS = 8
/** Per slot: request hash (2), actor (2), counter (2), content hash (2), each as 32-bit halves. */
const WORDS = 8

export class RequestMemory {
  readonly #sets: number
  readonly #age: Millis
  #words: Uint32Array | undefined
  #times: Float64Array | undefined

  constructor(options: { entries: number; age: Millis }) {
    let sets = 1
    while (sets * 2 * WAYS <= options.entries) sets *= 2
    this.#sets = sets
    this.#age = options.age
  }

  /** @param request  8-byte hash of request id and key @param now  on the elapsed clock */
  recall(request: Buffer, now: Millis): Remembered | undefined {
    const { words, times } = this.#slab()
    const slot = this.#find(words, request)
    if (slot < 0 || now - (times[slot] as number) > this.#age) return undefined
    const at = slot * WORDS
    const actor = Buffer.allocUnsafe(8)
    actor.writeUInt32BE(words[at + 2] as number, 0)
    actor.writeUInt32BE(words[at + 3] as number, 4)
    return {
      actor,
      counter: (words[at + 4] as number) * 0x1_0000_0000 + (words[at + 5] as number),
      content: (BigInt(words[at + 6] as number) << 32n) | BigInt(words[at + 7] as number),
    }
  }

  remember(request: Buffer, dot: Remembered & { content: bigint }, now: Millis): void {
    const { words, times } = this.#slab()
    const known = this.#find(words, request)
    const slot = known >= 0 ? known : this.#oldest(times, request)
    const at = slot * WORDS
    words[at] = request.readUInt32BE(0)
    words[at + 1] = request.readUInt32BE(4)
    words[at + 2] = dot.actor.readUInt32BE(0)
    words[at + 3] = dot.actor.readUInt32BE(4)
    words[at + 4] = Math.floor(dot.counter / 0x1_0000_0000)
    words[at + 5] = dot.counter >>> 0
    words[at + 6] = Number(dot.content >> 32n)
    words[at + 7] = Number(dot.content & 0xffff_ffffn)
    times[slot] = now
  }

  /** Its write was not done after all. */
  forget(request: Buffer): void {
    const { words, times } = this.#slab()
    const slot = this.#find(words, request)
    if (slot >= 0) times[slot] = Number.NEGATIVE_INFINITY
  }

  #find(words: Uint32Array, request: Buffer): number {
    const high = request.readUInt32BE(0)
    const low = request.readUInt32BE(4)
    const first = (low & (this.#sets - 1)) * WAYS
    for (let slot = first; slot < first + WAYS; slot++) {
      if (words[slot * WORDS] === high && words[slot * WORDS + 1] === low) return slot
    }
    return -1
  }

  #oldest(times: Float64Array, request: Buffer): number {
    const first = (request.readUInt32BE(4) & (this.#sets - 1)) * WAYS
    let oldest = first
    for (let slot = first + 1; slot < first + WAYS; slot++) {
      if ((times[slot] as number) < (times[oldest] as number)) oldest = slot
    }
    return oldest
  }

  /** Made at the first use: a node whose clients send no ids pays nothing. */
  #slab(): { words: Uint32Array; times: Float64Array } {
    this.#words ??= new Uint32Array(this.#sets * WAYS * WORDS)
    this.#times ??= new Float64Array(this.#sets * WAYS).fill(Number.NEGATIVE_INFINITY)
    return { words: this.#words, times: this.#times }
  }
}
