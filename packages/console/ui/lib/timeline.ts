import type { Trace } from './api.ts'

/** One replica's row of a trace. */
export interface Lane {
  readonly node: string
  readonly coordinates: boolean
  /** The last thing known of it. */
  readonly state: string
  /** Milliseconds from when it was asked to the last that is known of it. */
  readonly from: number
  readonly to: number
  readonly marks: readonly {
    readonly at: number
    readonly event: string
    readonly detail: string
  }[]
}

/** The coordinator first, then the others in the order in which they were heard of. */
export function lanesOf(trace: Trace): Lane[] {
  const nodes = [
    trace.node,
    ...trace.replicas.map(({ node }) => node),
    ...trace.events.map(({ node }) => node),
  ]
  return [...new Set(nodes)]
    .filter((node) => node !== '')
    .map((node) => {
      const marks = trace.events.filter((event) => event.node === node)
      const report = trace.replicas.find((replica) => replica.node === node)
      const times = marks.length > 0 ? marks.map(({ at }) => at) : [report?.ms ?? 0]
      return {
        node,
        coordinates: node === trace.node,
        state: marks.at(-1)?.event ?? report?.state ?? '',
        from: Math.min(...times),
        to: Math.max(...times),
        marks,
      }
    })
}

/** Where the time axis ends: a round number of milliseconds a little behind the last event. */
export function axisEnd(lanes: readonly Lane[]): number {
  const last = Math.max(0.1, ...lanes.map(({ to }) => to))
  const unit = 10 ** Math.floor(Math.log10(last))
  return Math.ceil((last * 1.05) / (unit / 2)) * (unit / 2)
}
