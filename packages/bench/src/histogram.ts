/**
 * Latencies in buckets 2 % apart, from 10 µs to 100 s: percentiles without keeping every sample.
 */
export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS)
  #total = 0

  add(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(ms, FLOOR_MS) / FLOOR_MS) / STEP)
    const at = Math.min(BUCKETS - 1, bucket)
    this.#counts[at] = (this.#counts[at] as number) + 1
    this.#total++
  }

  get total(): number {
    return this.#total
  }

  /** @param share  0 to 1 */
  percentile(share: number): number {
    let left = Math.ceil(this.#total * share)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] as number
      if (left <= 0) return FLOOR_MS * Math.exp((bucket + 0.5) * STEP)
    }
    return 0
  }
}

const FLOOR_MS = 0.01
const STEP = Math.log(1.02)
const BUCKETS = 820
