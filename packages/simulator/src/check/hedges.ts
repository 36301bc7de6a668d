import type { SimNode } from '../cluster/sim-cluster.ts'
import type { World } from './world.ts'

/** Of the reads of one process. */
const SHARE = 0.05

/** O4: of a hundred reads at most five are asked of one replica more. */
export class Hedges {
  readonly #world: World
  readonly #reads: { life: number; count: number }[]

  constructor(world: World) {
    this.#world = world
    this.#reads = world.nodes.map(() => ({ life: 0, count: 0 }))
  }

  /** A coordinator takes a request that reads, if only to look before it writes. */
  reads({ index, life, coordinator }: SimNode): void {
    const reads = this.#reads[index] as { life: number; count: number }
    if (reads.life !== life) Object.assign(reads, { life, count: 0 })
    reads.count++
    const hedges = coordinator?.desk.speeds.hedges ?? 0
    if (hedges <= 1 + SHARE * reads.count) return
    this.#world.findings.add('O4', `node ${index} has hedged ${hedges} of ${reads.count} reads`)
  }
}
