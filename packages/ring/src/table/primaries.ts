/**
 * Steps 8 and 9: who stands first in each set, and the order of the rest.
 *
 * The first of a set is asked first, so primaries are spread like load: each node leads floor or
 * ceiling of its replicas / copies. Moving the lead moves no data. A previous lead is kept where it
 * can be; then the lead is passed along chains of shared sets from nodes that lead too much to
 * nodes that lead too little. Such chains exist because 1/copies of every set is a fractional
 * answer.
 */
import { invariant } from '@shoal/kernel'
import { mix, type PlacementTable, type PreviousTable } from './canonical.ts'
import type { Draft } from './draft.ts'
import { byHolder, type Holdings, handOn } from './hand-on.ts'

/** Orders every set of a finished draft. */
export function orderSets(draft: Draft, previous?: PreviousTable): PlacementTable {
  const leads = new Leads(draft, previous)
  leads.level()
  return Array.from({ length: draft.shape.partitions }, (_, partition) => {
    const primary = leads.holderOf(partition)
    const score = (node: number): number => mix(partition, draft.shape.idHashes[node] as number)
    const others = draft.members(partition).filter((node) => node !== primary)
    return [primary, ...others.sort((a, b) => score(b) - score(a) || a - b)]
  })
}

class Leads implements Holdings {
  readonly #draft: Draft
  readonly #primary: Int16Array
  readonly #count: Int32Array

  constructor(draft: Draft, previous: PreviousTable | undefined) {
    this.#draft = draft
    this.#primary = new Int16Array(draft.shape.partitions).fill(-1)
    this.#count = new Int32Array(draft.nodes)
    this.#keep(previous)
    for (let partition = 0; partition < draft.shape.partitions; partition++) {
      if (this.#primary[partition] === -1) this.give(partition, this.#leastLeading(partition))
    }
  }

  holderOf(partition: number): number {
    return this.#primary[partition] as number
  }

  held(): number[][] {
    return byHolder(this.#primary, this.#draft.nodes)
  }

  takersOf(partition: number): readonly number[] {
    return this.#draft.members(partition)
  }

  give(partition: number, node: number): void {
    const before = this.#primary[partition] as number
    if (before >= 0) this.#count[before] = (this.#count[before] as number) - 1
    this.#primary[partition] = node
    this.#count[node] = (this.#count[node] as number) + 1
  }

  /** Hands leads on until every node is within its bounds. */
  level(): void {
    const nodes = Array.from({ length: this.#draft.nodes }, (_, node) => node)
    const over = (node: number): boolean => this.#leads(node) > this.#high(node)
    const under = (node: number): boolean => this.#leads(node) < this.#low(node)
    const room = (node: number): boolean => this.#leads(node) < this.#high(node)
    const spare = (node: number): boolean => this.#leads(node) > this.#low(node)
    for (const node of nodes) {
      while (over(node)) {
        const passed = handOn(this, [node], under) || handOn(this, [node], room)
        invariant(passed, 'leads can be spread evenly')
      }
    }
    while (nodes.some(under)) {
      invariant(handOn(this, nodes.filter(spare), under), 'leads can be spread evenly')
    }
  }

  #keep(previous: PreviousTable | undefined): void {
    if (!previous) return
    const place = new Map(this.#draft.shape.ids.map((id, node) => [id, node]))
    previous.table.forEach((members, partition) => {
      const id = previous.ids[members[0] as number]
      const node = id === undefined ? undefined : place.get(id)
      if (node === undefined || !this.#draft.has(partition, node)) return
      if (this.#leads(node) < this.#high(node)) this.give(partition, node)
    })
  }

  #leads(node: number): number {
    return this.#count[node] as number
  }

  #low(node: number): number {
    return Math.floor((this.#draft.load[node] as number) / this.#draft.shape.copies)
  }

  #high(node: number): number {
    return Math.ceil((this.#draft.load[node] as number) / this.#draft.shape.copies)
  }

  /** The member that leads least for what it holds; ties by hash. */
  #leastLeading(partition: number): number {
    const rank = (node: number): number => this.#leads(node) / (this.#draft.load[node] as number)
    const tie = (node: number): number => mix(partition, this.#draft.shape.idHashes[node] as number)
    return this.#draft
      .members(partition)
      .reduce((best, node) =>
        (rank(node) - rank(best) || tie(node) - tie(best) || node - best) < 0 ? node : best,
      )
  }
}
