/** What a load saw. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

export interface Latencies {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface KindFigures {
  readonly count: number
  readonly perSecond: number
  /** Milliseconds; `null` where nothing was measured. */
  readonly latencyMs: Latencies | null
}

export interface BenchFigures {
  readonly seconds: number
  readonly perSecond: number
  readonly reads: KindFigures & { readonly found: number }
  readonly writes: KindFigures
  /** How often each code came. */
  readonly errors: Readonly<Record<string, number>>
  readonly failed: number
}

const MICROS_PER_MILLI = 1_000

/** Counts as it goes; a histogram has a fixed size however long the load runs. */
export class Tally {
  readonly #reads = createHistogram()
  readonly #writes = createHistogram()
  readonly #errors = new Map<string, number>()
  #found = 0
  #failed = 0

  get operations(): number {
    return this.#reads.count + this.#writes.count
  }

  get failed(): number {
    return this.#failed
  }

  read(elapsedMs: number, found: boolean): void {
    this.#reads.record(toMicros(elapsedMs))
    if (found) this.#found++
  }

  wrote(elapsedMs: number): void {
    this.#writes.record(toMicros(elapsedMs))
  }

  /** Failures are counted and not timed: a quick refusal must not flatter the latencies. */
  fail(code: string): void {
    this.#failed++
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
  }

  figures(elapsedMs: number): BenchFigures {
    const seconds = elapsedMs / 1_000
    return {
      seconds,
      perSecond: this.operations / seconds,
      reads: { ...kindFigures(this.#reads, seconds), found: this.#found },
      writes: kindFigures(this.#writes, seconds),
      errors: Object.fromEntries([...this.#errors].sort(([, one], [, other]) => other - one)),
      failed: this.#failed,
    }
  }
}

const toMicros = (ms: number): number => Math.max(1, Math.round(ms * MICROS_PER_MILLI))

function kindFigures(histogram: RecordableHistogram, seconds: number): KindFigures {
  const { count } = histogram
  const at = (percent: number): number => histogram.percentile(percent) / MICROS_PER_MILLI
  return {
    count,
    perSecond: count / seconds,
    latencyMs:
      count === 0
        ? null
        : {
            mean: histogram.mean / MICROS_PER_MILLI,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            p999: at(99.9),
            max: histogram.max / MICROS_PER_MILLI,
          },
  }
}
