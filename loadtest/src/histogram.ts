/** Times by classes that grow by a twentieth each: any quantile within 5 %, in 1.2 KB. */
const SMALLEST_MS = 0.05
const GROWTH = Math.log(1.05)
const CLASSES = 300

export class Histogram {
  readonly #counts = new Uint32Array(CLASSES)
  #count = 0

  get count(): number {
    return this.#count
  }

  add(ms: number): void {
    const index = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / GROWTH)
    const fitting = Math.min(CLASSES - 1, index)
    this.#counts[fitting] = (this.#counts[fitting] ?? 0) + 1
    this.#count++
  }

  merge(other: Histogram): void {
    for (const [index, count] of other.#counts.entries()) {
      this.#counts[index] = (this.#counts[index] ?? 0) + count
    }
    this.#count += other.#count
  }

  /** @returns milliseconds; undefined when nothing was added */
  quantile(share: number): number | undefined {
    let left = Math.ceil(share * this.#count)
    if (left === 0) return undefined
    const index = this.#counts.findIndex((count) => {
      left -= count
      return left <= 0
    })
    return SMALLEST_MS * Math.exp(index * GROWTH)
  }
}
