/** What k6 tells while it runs, sample by sample, gathered by time so that it can be drawn. */
import { Histogram } from './histogram.ts'

/** Points in a plot, at most. */
const SLICES_MAX = 120

export interface Slice {
  /** Of operations that ended, by `operation level`, milliseconds. */
  readonly took: Map<string, Histogram>
  failed: number
}

export interface Fault {
  readonly atSeconds: number
  readonly what: string
}

export class Series {
  readonly sliceSeconds: number
  readonly faults: Fault[] = []
  readonly slices: Slice[] = []
  #startMs: number | undefined
  #columns: readonly string[] = []

  /** @param seconds  how long the load will last */
  constructor(seconds: number) {
    this.sliceSeconds = Math.max(1, Math.ceil(seconds / SLICES_MAX))
  }

  /** By the clock of k6; undefined before the first sample. */
  get startMs(): number | undefined {
    return this.#startMs
  }

  /** A line of k6's CSV output, its header first. */
  take(line: string): void {
    const fields = line.split(',')
    if (this.#columns.length === 0) {
      this.#columns = fields
      return
    }
    const sample = this.#read(fields)
    if (sample.scenario === 'load' || sample.metric === 'faults') this.#note(sample)
  }

  #read(fields: readonly string[]): Sample {
    const at = (name: string): string => fields[this.#columns.indexOf(name)] ?? ''
    return {
      metric: at('metric_name'),
      timeMs: Number(at('timestamp')),
      value: Number(at('metric_value')),
      scenario: at('scenario'),
      tags: new Map(at('extra_tags').split('&').map(pairOf)),
    }
  }

  #note({ metric, timeMs, value, tags }: Sample): void {
    this.#startMs ??= timeMs
    const atSeconds = (timeMs - this.#startMs) / 1_000
    if (metric === 'faults') {
      this.faults.push({ atSeconds, what: `${tags.get('action')} ${tags.get('node')}` })
    }
    if (metric === 'op_failed' && value > 0) this.#slice(atSeconds).failed++
    if (metric !== 'op_ms') return
    const name = `${tags.get('op')} ${tags.get('level')}`
    const { took } = this.#slice(atSeconds)
    const histogram = took.get(name) ?? new Histogram()
    took.set(name, histogram)
    histogram.add(value)
  }

  #slice(atSeconds: number): Slice {
    const index = Math.max(0, Math.floor(atSeconds / this.sliceSeconds))
    while (this.slices.length <= index) this.slices.push({ took: new Map(), failed: 0 })
    return this.slices[index] as Slice
  }
}

interface Sample {
  readonly metric: string
  readonly timeMs: number
  readonly value: number
  readonly scenario: string
  readonly tags: ReadonlyMap<string, string>
}

function pairOf(text: string): [string, string] {
  const [name = '', value = ''] = text.split('=', 2)
  return [name, value]
}

/** Of one slice, those whose name begins so, together. */
export function together({ took }: Slice, prefix: string): Histogram {
  const sum = new Histogram()
  for (const [name, histogram] of took) if (name.startsWith(prefix)) sum.merge(histogram)
  return sum
}
