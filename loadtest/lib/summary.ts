/** The end of a run: its figures as JSON for the report, or as lines for whoever runs k6 alone. */
import { summaryFile } from './settings.ts'

interface Metric {
  readonly values: Readonly<Record<string, number>>
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>
}

interface Summary {
  readonly metrics: Readonly<Record<string, Metric>>
}

export function handleSummary(data: Summary): Record<string, string> {
  if (summaryFile === undefined) return { stdout: `${linesOf(data).join('\n')}\n` }
  return { [summaryFile]: JSON.stringify(data) }
}

function linesOf({ metrics }: Summary): string[] {
  return Object.entries(metrics)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, { values, thresholds = {} }]) => [
      `${name} ${figuresOf(values)}`,
      ...Object.entries(thresholds).map(([rule, { ok }]) => `  ${ok ? 'ok  ' : 'FAIL'} ${rule}`),
    ])
}

const figuresOf = (values: Metric['values']): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${Number(value.toFixed(2))}`)
    .join(' ')
