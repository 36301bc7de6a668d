import {
  HEADER_BYTES,
  liveAt,
  nextStamp,
  observeStamp,
  type Stamp,
  stampOf,
  zeroStamp,
} from '@shoal/causality'
import type { Clock } from '@shoal/kernel'

/**
 * This node's hybrid clock (V12). Stamps order nothing but what people see and what `lww` buckets
 * show; causality is the clocks' business.
 */
export class Stamps {
  readonly #clock: Clock
  #last: Stamp = zeroStamp
  #clamped = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Stamps seen that lay further ahead of this machine's clock than allowed. */
  get clamped(): number {
    return this.#clamped
  }

  next(): Stamp {
    this.#last = nextStamp(this.#last, this.#clock.wall())
    return this.#last
  }

  /**
   * Takes note of the stamps of another node's values, so that ours do not lag behind what we saw.
   */
  observe(version: Buffer): void {
    for (let header = liveAt(version); header < version.length; header += HEADER_BYTES) {
      const observed = observeStamp(this.#last, stampOf(version, header), this.#clock.wall())
      this.#last = observed.stamp
      if (observed.clamped) this.#clamped++
    }
  }
}
