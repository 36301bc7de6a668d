/** The report of a run: Markdown, with its plots beside it. */
import type { Baseline, Comparison } from './baseline.ts'
import { inWords } from './machine.ts'
import { figureOf, operationRows, type Summary, thresholdRows } from './summary.ts'

export interface ReportParts {
  readonly run: Baseline
  readonly summary: Summary
  /** Its alternative text and its file. */
  readonly plots: readonly (readonly [string, string])[]
  readonly comparison: (Comparison & { readonly with: Baseline }) | undefined
}

export function formatReport({ run, summary, plots, comparison }: ReportParts): string {
  const { scenario, machine, load } = run
  const all = thresholdRows(summary)
  const failed = all.filter(({ ok }) => !ok)
  const verdict =
    failed.length === 0
      ? 'All thresholds held.'
      : `**${failed.length} of ${all.length} thresholds did not hold:** ` +
        `${failed.map(nameOf).join(', ')}.`
  return [
    `# Load test: ${scenario}`,
    `${verdict} ${lossInWords(summary)}`,
    `${load.seconds} s at ${load.rate} iterations a second on ${load.nodes} nodes, which share ` +
      `the machine with k6. ${inWords(machine)}.`,
    '## Operations',
    'As clients had them, with every try, in milliseconds.',
    formatOperations(summary),
    ...plots.map(([title, file]) => `![${title}](${file})`),
    '## What was seen',
    formatSeen(summary),
    '## Thresholds',
    formatThresholds(summary),
    '## Compared with the baseline',
    formatComparison(comparison),
    '',
  ].join('\n\n')
}

const nameOf = ({ metric, rule }: { metric: string; rule: string }): string =>
  `\`${metric}\` ${rule}`

function lossInWords(summary: Summary): string {
  const checked = figureOf(summary, 'acks_checked', 'count') ?? 0
  const lost = figureOf(summary, 'lost_ack', 'count')
  if (lost === undefined) return 'Acknowledged writes were not looked for.'
  return `Of ${checked} acknowledged writes that nothing replaced, ${lost} were lost.`
}

function formatOperations(summary: Summary): string {
  const rows = operationRows(summary).map(({ name, count, failed, p50, p95, p99, max }) => [
    name,
    String(count),
    String(failed),
    ...[p50, p95, p99, max].map(figure),
  ])
  return formatTable(['operation', 'count', 'failed', 'p50', 'p95', 'p99', 'max'], rows)
}

const seen: readonly (readonly [string, string, string])[] = [
  ['lost_ack', 'count', 'acknowledged and gone'],
  ['acks_checked', 'count', 'acknowledged and looked for'],
  ['stale_read', 'passes', 'reads that missed what their client had been acknowledged'],
  ['stale_read', 'fails', 'reads that did not'],
  ['siblings_seen', 'max', 'most values of one key'],
  ['quorum_unmet', 'passes', 'tries that found too few replicas'],
  ['retries', 'count', 'tries after the first'],
  ['convergence_ms', 'med', 'ms until all replicas agreed, median'],
  ['convergence_ms', 'max', 'ms until all replicas agreed, longest'],
  ['dropped_iterations', 'count', 'iterations dropped: all clients were busy'],
]

function formatSeen(summary: Summary): string {
  const rows = seen.flatMap(([metric, name, meaning]) => {
    const value = figureOf(summary, metric, name)
    return value === undefined ? [] : [[`\`${metric}\``, figure(value), meaning]]
  })
  return formatTable(['metric', 'value', 'meaning'], rows)
}

function formatThresholds(summary: Summary): string {
  const rows = thresholdRows(summary).map(({ metric, rule, ok, measured }) => [
    ok ? 'held' : '**failed**',
    `\`${metric}\``,
    `\`${rule}\``,
    measured === undefined ? '' : figure(measured),
  ])
  return formatTable(['', 'metric', 'rule', 'measured'], rows)
}

const NOTABLE = 1.5

function formatComparison(comparison: ReportParts['comparison']): string {
  if (comparison === undefined) return 'There is none; `--save-baseline` keeps one.'
  const { rows, cautions, with: before } = comparison
  const lines = rows.map(({ name, before: old, now, ratio }) => [
    name,
    figure(old),
    figure(now),
    ratio > NOTABLE ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2),
  ])
  return [
    `The baseline: ${before.load.seconds} s at ${before.load.rate} a second; ` +
      `${inWords(before.machine)}. A ratio above 1 is worse than it, above ${NOTABLE} in bold.`,
    ...cautions.map((caution) => `Take care: ${caution}.`),
    formatTable(['figure', 'baseline', 'now', 'ratio'], lines),
  ].join('\n\n')
}

function formatTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(titles), `|${titles.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

/** Three digits are as many as such a measure has. */
const figure = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)))
