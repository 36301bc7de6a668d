/**
 * A rate that may be used unevenly: `burst` at once, `rate` a second over time.
 *
 * A single number is kept, the moment at which everything taken so far would have been allowed at
 * an even pace (the generic cell rate algorithm). It needs no timer, and what nobody uses any more
 * can be forgotten without giving anything away once its burst has filled up again.
 */
export class Allowance {
  readonly #spacingMs: number
  readonly #aheadMs: number
  #paidUntil: number

  /** @param now  milliseconds on the clock that `take` is told */
  constructor({ rate, burst }: { readonly rate: number; readonly burst: number }, now: number) {
    this.#spacingMs = 1_000 / rate
    this.#aheadMs = burst * this.#spacingMs
    this.#paidUntil = now
  }

  /** @returns 0 when `count` was taken, else the milliseconds until it can be; nothing is taken */
  take(count: number, now: number): number {
    const paidUntil = Math.max(this.#paidUntil, now) + count * this.#spacingMs
    const early = paidUntil - now - this.#aheadMs
    if (early > EPSILON_MS) return Math.ceil(early)
    this.#paidUntil = paidUntil
    return 0
  }
}

/** Rounding of a thousand additions must not cost an operation. */
const EPSILON_MS = 1e-6
