import { type Millis, millis } from '@shoal/kernel'

const WINDOW = 128
const RENEW_EVERY = 32
const SAMPLES_MIN = 20

/**
 * The 95th percentile of the last 128 read latencies, for the moment at which a read is hedged.
 * Sorting happens once in 32 samples: about 0.1 µs a sample.
 */
export class LatencyWindow {
  readonly #samples = new Float64Array(WINDOW)
  #count = 0
  #p95: number | undefined

  add(latency: Millis): void {
    this.#samples[this.#count++ % WINDOW] = latency
    if (this.#count === SAMPLES_MIN || this.#count % RENEW_EVERY === 0) this.#renew()
  }

  /** Undefined until 20 reads were measured. */
  get p95(): Millis | undefined {
    return this.#p95 === undefined ? undefined : millis(this.#p95)
  }

  #renew(): void {
    if (this.#count < SAMPLES_MIN) return
    const sorted = this.#samples.slice(0, Math.min(this.#count, WINDOW)).sort()
    this.#p95 = sorted[Math.ceil(sorted.length * 0.95) - 1]
  }
}
