/** A line of the goals table: what is measured, what is asked, what was found. */
export interface Goal {
  readonly measure: string
  readonly must: string
  readonly stretch: string
  readonly got: string
  readonly verdict: 'stretch' | 'must' | 'missed' | 'not measured'
}

export interface Bound {
  readonly measure: string
  readonly unit: string
  readonly must: number
  readonly stretch: number
  readonly digits?: number
}

/** Smaller is better in every line. */
export function judgeGoal(bound: Bound, got: number, note = ''): Goal {
  const { measure, unit, must, stretch, digits = 1 } = bound
  const show = (value: number): string => `≤ ${value}${unit}`
  const verdict = Number.isNaN(got)
    ? 'not measured'
    : got <= stretch
      ? 'stretch'
      : got <= must
        ? 'must'
        : 'missed'
  const figure = Number.isFinite(got) ? `${got.toFixed(digits)}${unit}` : '–'
  return {
    measure,
    must: show(must),
    stretch: show(stretch),
    got: note === '' ? figure : `${figure} (${note})`,
    verdict,
  }
}

export function formatGoals(goals: readonly Goal[]): string {
  const head = ['measure', 'must', 'stretch', 'measured', '']
  const rows = goals.map(({ measure, must, stretch, got, verdict }) => [
    measure,
    must,
    stretch,
    got,
    verdict,
  ])
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  return lines.join('\n')
}
