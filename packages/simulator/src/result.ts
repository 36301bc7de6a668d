import type { Label } from './labels/labels.ts'

/** One thing that went wrong. */
export interface Failure {
  /** `I3` and the like; `trip` for an invariant in the code, `stuck`, `crash` for other errors. */
  readonly rule: string
  readonly message: string
  /** Virtual milliseconds since the beginning. */
  readonly at: number
}

/** What a simulation came to. Plain JSON; a function of the plan alone. */
export interface SimulationResult {
  readonly seed: number
  /** Empty when all is well. The first is the one that counts: others may follow from it. */
  readonly failures: readonly Failure[]
  /** Of everything that happened, in order: equal for equal plans. */
  readonly hash: string
  readonly events: number
  readonly virtualMillis: number
  /** Operations by kind, then by how they ended. */
  readonly operations: Counts2
  readonly faults: Counts
  readonly injected: Counts
  readonly labels: readonly Label[]
  readonly checks: Counts
}

export type Counts = Readonly<Record<string, number>>
export type Counts2 = Readonly<Record<string, Counts>>

export function addCounts(into: Record<string, number>, counts: Counts): void {
  for (const [name, count] of Object.entries(counts)) into[name] = (into[name] ?? 0) + count
}
