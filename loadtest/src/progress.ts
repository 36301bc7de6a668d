/** A line now and then, so that whoever waits knows that something happens. */
import { Histogram } from './histogram.ts'
import type { Series } from './series.ts'

/** In a run, at least. */
const LINES = 10
const SECONDS_MIN = 2

export class Progress {
  readonly #series: Series
  readonly #timer: NodeJS.Timeout
  #shown = 0

  constructor(series: Series, seconds: number) {
    this.#series = series
    const everySeconds = Math.max(SECONDS_MIN, seconds / LINES)
    this.#timer = setInterval(() => this.#show(), everySeconds * 1_000)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** What has ended since the last line. */
  #show(): void {
    const { slices, sliceSeconds } = this.#series
    const fresh = slices.slice(this.#shown, -1)
    if (fresh.length === 0) return
    const took = new Histogram()
    for (const { took: byName } of fresh) for (const each of byName.values()) took.merge(each)
    const failed = fresh.reduce((sum, slice) => sum + slice.failed, 0)
    this.#shown += fresh.length
    const rate = took.count / (fresh.length * sliceSeconds)
    const quantile = (share: number): string => `${(took.quantile(share) ?? 0).toFixed(1)} ms`
    process.stdout.write(
      `${this.#shown * sliceSeconds} s: ${rate.toFixed(0)} operations a second, ` +
        `p50 ${quantile(0.5)}, p99 ${quantile(0.99)}, ${failed} failed\n`,
    )
  }
}
