import type { RingRecord } from '@shoal/ring'
import type { MemoryNetwork } from '@shoal/transport'
import type { HashChain } from '../kernel/hash-chain.ts'
import type { Scheduler } from '../kernel/scheduler.ts'
import type { Dice, Seams } from '../kernel/sim-process.ts'
import type { ClusterPlan } from '../plan/plan.ts'
import type { Watchers } from './watchers.ts'

/** What the machines of one cluster share. */
export interface World {
  readonly scheduler: Scheduler
  readonly chain: HashChain
  readonly dice: Dice
  readonly network: MemoryNetwork
  readonly watchers: Watchers
  readonly injections: Injections
  readonly founded: RingRecord
  readonly plan: ClusterPlan
  readonly figures: MutableFigures
  /** The run has failed. */
  readonly fail: (error: unknown) => void
  /** A process has just ended. */
  readonly died: () => void
}

export interface MutableFigures {
  boots: number
  halts: number
  readonly faults: Map<string, number>
}

/** The seams of the code at which this run takes the rarer way, and how often it did. */
export class Injections implements Seams {
  isOn = false
  readonly counts = new Map<string, number>()
  readonly #probabilities: ReadonlyMap<string, number>

  constructor(probabilities: Readonly<Record<string, number>>) {
    this.#probabilities = new Map(Object.entries(probabilities))
  }

  probability(label: string): number {
    return this.isOn ? (this.#probabilities.get(label) ?? 0) : 0
  }

  fired(label: string): void {
    countOne(this.counts, label)
  }
}

export function countOne(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
