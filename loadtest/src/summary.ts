/** What k6 writes at its end. */

export interface Metric {
  readonly values: Readonly<Record<string, number>>
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>
}

export interface Summary {
  readonly metrics: Readonly<Record<string, Metric>>
}

/** One operation at one level, as its clients had it. */
export interface OperationRow {
  readonly name: string
  readonly count: number
  readonly failed: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** Those that the scenario has thresholds for, in order of their names. */
export function operationRows({ metrics }: Summary): OperationRow[] {
  return Object.entries(metrics)
    .flatMap(([name, { values }]) => {
      const [, op, level] = /^op_ms\{scenario:load,op:(\w+),level:(\w+)\}$/.exec(name) ?? []
      if (op === undefined || level === undefined || !values.count) return []
      const failures = metrics[name.replace('op_ms', 'op_failed')]?.values.passes ?? 0
      const at = (figure: string): number => values[figure] ?? Number.NaN
      return [
        {
          name: `${op} ${level}`,
          count: at('count'),
          failed: failures,
          p50: at('med'),
          p95: at('p(95)'),
          p99: at('p(99)'),
          max: at('max'),
        },
      ]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export interface ThresholdRow {
  readonly metric: string
  readonly rule: string
  readonly ok: boolean
  /** What was measured, of the figure that the rule names. */
  readonly measured: number | undefined
}

export function thresholdRows({ metrics }: Summary): ThresholdRow[] {
  return Object.entries(metrics)
    .flatMap(([metric, { values, thresholds = {} }]) =>
      Object.entries(thresholds).map(([rule, { ok }]) => {
        const [figure = ''] = rule.split(/[<>=!]/, 1)
        return { metric, rule, ok, measured: values[figure] }
      }),
    )
    .sort((a, b) => (a.metric < b.metric ? -1 : 1))
}

/** A figure of a metric; undefined when nothing was measured. */
export const figureOf = (
  { metrics }: Summary,
  metric: string,
  figure: string,
): number | undefined => metrics[metric]?.values[figure]
