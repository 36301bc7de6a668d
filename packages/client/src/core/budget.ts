import { invariant } from '@shoal/kernel'

/**
 * A token bucket that is filled by the work it is a share of (O4): each call puts `ratio` of a
 * token in, each retry or hedge takes a whole one out. Clients without it multiply the load of a
 * cluster that is already failing. The bucket begins full, so that one frozen node does not fail
 * the calls of a quiet client, and its size bounds the burst.
 */
export class Budget {
  readonly #ratio: number
  readonly #max: number
  #tokens: number

  constructor({ ratio, max }: { ratio: number; max: number }) {
    invariant(ratio >= 0 && ratio <= 1 && max >= 1, 'a budget is a share of the work', () => ({
      ratio,
      max,
    }))
    this.#ratio = ratio
    this.#max = max
    this.#tokens = max
  }

  /** One more call was made. */
  earn(): void {
    this.#tokens = Math.min(this.#max, this.#tokens + this.#ratio)
  }

  get available(): boolean {
    return this.#tokens >= 1
  }

  /** Takes one token. Only call when `available`. */
  spend(): void {
    invariant(this.#tokens >= 1, 'a budget is never overspent')
    this.#tokens -= 1
  }
}
