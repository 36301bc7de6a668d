/** Virtual time counts in these parts of a millisecond: sums of them are exact. */
const TICK = 1 / 1_024

export const roundUp = (time: number): number => Math.ceil(time / TICK) * TICK

const WALL_START = 1_700_000_000_000

/**
 * The clocks of one machine, made from the honest time. They outlive the processes on it. What
 * measures elapsed time may run too fast or too slow, never back; the wall clock may show anything.
 */
export class MachineClock {
  readonly #honest: () => number
  #rate = 1
  /** Where both clocks stood when the rate last changed. */
  #since = 0
  #elapsedThen = 0
  #offset = 0
  #frozenAt: number | undefined

  constructor(honest: () => number) {
    this.#honest = honest
  }

  /** Since the machine was built. */
  elapsed(): number {
    return this.#elapsedThen + (this.#honest() - this.#since) * this.#rate
  }

  wall(): number {
    return this.#frozenAt ?? WALL_START + this.elapsed() + this.#offset
  }

  /** How much honest time passes while this clock measures `delay`. */
  honestDelay(delay: number): number {
    return delay / this.#rate
  }

  get rate(): number {
    return this.#rate
  }

  /** How far the wall clock is from an honest one. */
  get wallError(): number {
    return this.wall() - WALL_START - this.#honest()
  }

  /** 1 is honest. */
  setRate(rate: number): void {
    this.#elapsedThen = this.elapsed()
    this.#since = this.#honest()
    this.#rate = rate
  }

  /** Sets the wall clock forward, or, with a negative amount, back. */
  shiftWall(by: number): void {
    this.#offset += by
    if (this.#frozenAt !== undefined) this.#frozenAt += by
  }

  freezeWall(): void {
    this.#frozenAt ??= this.wall()
  }

  thawWall(): void {
    this.#frozenAt = undefined
  }

  /** Both tell the truth from now on. */
  correct(): void {
    this.setRate(1)
    this.#frozenAt = undefined
    this.#offset = this.#honest() - this.elapsed()
  }
}
