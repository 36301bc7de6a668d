/** What a run has come to. */
import type { Violation } from './checker.ts'
import type { History } from './history.ts'
import type { FaultKind } from './plan.ts'

export interface ChaosReport {
  readonly rounds: number
  readonly seconds: number
  readonly counts: History['counts']
  readonly reads: number
  readonly keys: number
  readonly siblings: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly equalAfterMs: readonly number[]
  readonly violations: readonly Violation[]
  readonly surprises: readonly string[]
  /** Where the logs, the plan and the histories are, after a failure. */
  readonly folder: string | undefined
}

const SHOWN_MAX = 10

/** The report as lines for people. */
export function describeReport(report: ChaosReport, { seed }: { seed: number }): string[] {
  const { rounds, seconds, counts, reads, keys, siblings, faults, equalAfterMs } = report
  const { violations, surprises, folder } = report
  const happened = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`)
  const slowest = Math.max(0, ...equalAfterMs) / 1_000
  const lines = [
    `seed ${seed}: ${rounds} rounds in ${seconds.toFixed(0)} s`,
    `faults: ${happened.join(', ') || 'none'}`,
    `writes: ${counts.acknowledged} acknowledged, ${counts.unknown} of unknown outcome, ` +
      `${counts.refused} refused; ${reads} reads`,
    `judged ${keys} times a key, ${siblings} with siblings; ` +
      `copies were equal ${slowest.toFixed(1)} s after healing at most`,
  ]
  for (const { rule, key, words } of violations.slice(0, SHOWN_MAX)) {
    lines.push(`${rule.toUpperCase()} ${key}: ${words}`)
  }
  for (const words of surprises.slice(0, SHOWN_MAX)) lines.push(`SURPRISE ${words}`)
  const more = violations.length + surprises.length - 2 * SHOWN_MAX
  if (more > 0) lines.push(`and up to ${more} more`)
  if (folder !== undefined) lines.push(`logs, plan and histories are in ${folder}`)
  return lines
}
