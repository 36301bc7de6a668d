/**
 * The graph of replacements: an edge from one node to another where, in some partition, the second
 * may take the first one's place. It is the residual network of the placement flow with the
 * partition vertices left out: n² edges instead of partitions × nodes.
 *
 * Each edge keeps the partition that moves least data: cost −1, 0 or +1 against the previous table.
 */
import { invariant } from '@shoal/kernel'
import { mix } from './canonical.ts'
import type { Draft, Replacement } from './draft.ts'

const NO_EDGE = 127
/** Cheapest first, then fewest steps: paths have fewer steps than this. */
const COST_SCALE = 4_096

/** Replacements to make together: each giver is the taker of the one before. */
export interface Chain {
  readonly kind: 'path' | 'cycle'
  readonly steps: readonly Replacement[]
}

export class ReplacementGraph {
  readonly #nodes: number
  readonly #cost: Int8Array
  readonly #partition: Int16Array

  constructor(draft: Draft) {
    const { partitions, idHashes } = draft.shape
    this.#nodes = draft.nodes
    this.#cost = new Int8Array(draft.nodes * draft.nodes).fill(NO_EDGE)
    this.#partition = new Int16Array(draft.nodes * draft.nodes)
    for (let partition = 0; partition < partitions; partition++) {
      for (let at = 0; at < draft.size(partition); at++) {
        const from = draft.memberAt(partition, at)
        for (let to = 0; to < draft.nodes; to++) {
          const edge = from * draft.nodes + to
          const known = this.#cost[edge] as number
          const cost = draft.costOf(partition, from, to)
          if (cost > known || !draft.mayReplace(partition, from, to)) continue
          const tie = idHashes[to] as number
          if (cost === known && mix(partition, tie) > mix(this.#partition[edge] as number, tie)) {
            continue
          }
          this.#cost[edge] = cost
          this.#partition[edge] = partition
        }
      }
    }
  }

  /**
   * The cheapest, then shortest chain from a giver to a taker; or a cycle that saves moves, if one
   * is met on the way. Cycles must go first: with none left, a cheapest shortest path never needs
   * two conflicting changes of one partition.
   *
   * Cost: Bellman–Ford, nodes² for each round, and few rounds.
   */
  findChain(givers: readonly number[], takers: readonly number[]): Chain | undefined {
    const distance = new Float64Array(this.#nodes).fill(Number.POSITIVE_INFINITY)
    const cameFrom = new Int16Array(this.#nodes).fill(-1)
    for (const giver of givers) distance[giver] = 0
    while (this.#relax(distance, cameFrom)) {
      const cycle = loopIn(cameFrom)
      if (cycle) return { kind: 'cycle', steps: this.#steps([...cycle, cycle[0] as number]) }
    }
    let best: number | undefined
    for (const taker of takers) {
      if (distance[taker] === Number.POSITIVE_INFINITY) continue
      if (best === undefined || (distance[taker] as number) < (distance[best] as number))
        best = taker
    }
    if (best === undefined) return undefined
    const path = [best]
    for (let at = cameFrom[best] as number; at >= 0; at = cameFrom[at] as number) path.unshift(at)
    return { kind: 'path', steps: this.#steps(path) }
  }

  /**
   * The saving cycle through nodes alone, or one closed by a giver and a taker with slack in their
   * loads.
   */
  findSaving(givers: readonly number[], takers: readonly number[]): Chain | undefined {
    const everyone = Array.from({ length: this.#nodes }, (_, node) => node)
    const cycle = this.findChain(everyone, [])
    if (cycle) return cycle
    const path = this.findChain(givers, takers)
    return path && this.#total(path.steps) < 0 ? path : undefined
  }

  #relax(distance: Float64Array, cameFrom: Int16Array): boolean {
    let changed = false
    for (let from = 0; from < this.#nodes; from++) {
      const start = distance[from] as number
      if (start === Number.POSITIVE_INFINITY) continue
      for (let to = 0; to < this.#nodes; to++) {
        const cost = this.#cost[from * this.#nodes + to] as number
        if (cost === NO_EDGE) continue
        const length = start + cost * COST_SCALE + 1
        if (length >= (distance[to] as number)) continue
        distance[to] = length
        cameFrom[to] = from
        changed = true
      }
    }
    return changed
  }

  #steps(path: readonly number[]): Replacement[] {
    return path.slice(1).map((to, index) => {
      const from = path[index] as number
      return { partition: this.#partition[from * this.#nodes + to] as number, from, to }
    })
  }

  #total(steps: readonly Replacement[]): number {
    return steps.reduce(
      (sum, { from, to }) => sum + (this.#cost[from * this.#nodes + to] as number),
      0,
    )
  }
}

/** A loop among predecessors, in forward order. There is one only where a cycle saves moves. */
function loopIn(cameFrom: Int16Array): number[] | undefined {
  const seenBy = new Int16Array(cameFrom.length).fill(-1)
  for (let start = 0; start < cameFrom.length; start++) {
    let at = start
    while (at >= 0 && seenBy[at] === -1) {
      seenBy[at] = start
      at = cameFrom[at] as number
    }
    if (at < 0 || seenBy[at] !== start) continue
    const loop = [at]
    for (let back = cameFrom[at] as number; back !== at; back = cameFrom[back] as number) {
      loop.unshift(back)
    }
    invariant(loop.length > 1, 'a node never replaces itself')
    return loop
  }
  return undefined
}
