/**
 * A running hash of everything that happened, in order. Two lanes of 32 bits, each as FNV-1a with a
 * prime of its own: BigInt would cost more than the events.
 */
export class HashChain {
  #high = 0x811c9dc5 | 0
  #low = 0xcbf29ce4 | 0
  readonly #float = new Float64Array(1)
  readonly #words = new Uint32Array(this.#float.buffer)

  /** A whole number. Only its low 32 bits count. */
  mix(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193)
    this.#low = Math.imul((this.#low ^ value) + (this.#high >>> 15), 0x85ebca6b)
  }

  /** Any number, a fraction of a millisecond too. */
  mixTime(value: number): void {
    this.#float[0] = value
    this.mix(this.#words[0] as number)
    this.mix(this.#words[1] as number)
  }

  /** 16 hex digits. */
  get value(): string {
    const hex = (lane: number): string => (lane >>> 0).toString(16).padStart(8, '0')
    return hex(this.#high) + hex(this.#low)
  }
}
