import { LABELS } from '../labels/labels.ts'
import { addCounts, type SimulationResult } from '../result.ts'
import type { JobResult } from './worker.ts'

/** What many runs came to together. */
export class Summary {
  seeds = 0
  failed = 0
  verified = 0
  #events = 0
  #virtualMillis = 0
  #cpuMillis = 0
  readonly #operations: Record<string, Record<string, number>> = {}
  readonly #faults: Record<string, number> = {}
  readonly #injected: Record<string, number> = {}
  readonly #checks: Record<string, number> = {}
  /** Seeds that reached each label. */
  readonly #labels: Record<string, number> = {}
  readonly #faultsOfSeeds: Record<string, number>[] = []

  add({ result, cpuMillis, secondHash }: JobResult): void {
    this.seeds++
    if (result.failures.length > 0) this.failed++
    if (secondHash !== undefined) this.verified++
    this.#events += result.events
    this.#virtualMillis += result.virtualMillis
    this.#cpuMillis += cpuMillis
    for (const [kind, counts] of Object.entries(result.operations)) {
      const sum = this.#operations[kind] ?? {}
      this.#operations[kind] = sum
      addCounts(sum, counts)
    }
    addCounts(this.#faults, result.faults)
    addCounts(this.#injected, result.injected)
    addCounts(this.#checks, result.checks)
    for (const label of result.labels) this.#labels[label] = (this.#labels[label] ?? 0) + 1
    this.#faultsOfSeeds.push(result.faults)
  }

  /** Virtual hours that all runs lasted. */
  get virtualHours(): number {
    return this.#virtualMillis / 3_600_000
  }

  progress(realMillis: number): string {
    const failures = this.failed === 0 ? 'no failure' : `${this.failed} FAILED`
    return [
      `${this.seeds} seeds`,
      `${this.virtualHours.toFixed(1)} virtual hours`,
      `${Math.round((this.#events * 1_000) / Math.max(1, realMillis))} events/s`,
      failures,
    ].join(', ')
  }

  lines(realMillis: number): string[] {
    const perCore = this.#virtualMillis / Math.max(1, this.#cpuMillis)
    const seconds = realMillis / 1_000
    const perSecond = Math.round(this.#events / Math.max(0.001, this.#cpuMillis / 1_000))
    return [
      `${this.seeds} seeds, ${this.virtualHours.toFixed(2)} virtual hours ` +
        `in ${seconds.toFixed(0)} s; ${this.failed} failed; ${this.verified} ran twice`,
      `${this.#events} events, ${perSecond} for each second of a core; ` +
        `${perCore.toFixed(0)} times real time for each core`,
      '',
      'operations',
      ...Object.entries(this.#operations).flatMap(([kind, counts]) => table(counts, kind)),
      'faults that struck, and in the median seed',
      ...table(this.#faults, '', (name) => ` (${this.#medianOf(name)})`),
      'seams that took the rarer way',
      ...table(this.#injected),
      'checks made',
      ...table(this.#checks),
      'states reached, in how many seeds',
      ...table(this.#labels),
      ...this.#holes(),
    ]
  }

  #medianOf(fault: string): number {
    const counts = this.#faultsOfSeeds.map((faults) => faults[fault] ?? 0)
    return counts.sort((one, other) => one - other)[counts.length >> 1] ?? 0
  }

  #holes(): string[] {
    const never = LABELS.filter((label) => this.#labels[label] === undefined)
    if (never.length === 0) return ['every state was reached']
    return ['NEVER REACHED: holes in the workload', ...never.map((label) => `  ${label}`)]
  }
}

function table(
  counts: Readonly<Record<string, number>>,
  prefix = '',
  behind: (name: string) => string = () => '',
): string[] {
  const before = prefix === '' ? '' : `${prefix}: `
  return Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${String(count).padStart(12)}  ${before}${name}${behind(name)}`)
}

/** What one run did, in a few lines. */
export function describeRun(result: SimulationResult): string[] {
  const { seed, hash, events, virtualMillis } = result
  return [
    `seed ${seed}: ${(virtualMillis / 1_000).toFixed(1)} virtual seconds, ` +
      `${events} events, hash ${hash}`,
  ]
}
