/**
 * Who stands in for a node that is down.
 *
 * Walking on round the ring, or taking the next in rendezvous order, sends the writes of a dead
 * node to a few unlucky ones (4 to 7 times the mean at 20 to 50 nodes). Instead the partitions of
 * the dead node are dealt out one by one to whoever has been dealt least for its weight, then
 * evened out along chains. That needs no metadata: it is a function of the table, worked out when a
 * node is first seen down and kept.
 */
import { invariant, limits } from '@shoal/kernel'
import { type Bounds, boundsOf } from './table/bounds.ts'
import { mix, type PlacementTable, type Shape } from './table/canonical.ts'
import { byHolder, type Holdings, handOn } from './table/hand-on.ts'

export class Fallbacks {
  readonly #shape: Shape
  readonly #bounds: Bounds
  readonly #table: PlacementTable
  /**
   * By down node, then partition: its first stand-in, or −1. At most nodes × partitions small
   * integers.
   */
  readonly #first: (Int16Array | undefined)[] = []

  constructor(shape: Shape, table: PlacementTable) {
    this.#shape = shape
    this.#bounds = boundsOf(shape)
    this.#table = table
  }

  /**
   * Nodes outside the set that are not down: first a stand-in for each down member of the set, in
   * the set's order, then others in rendezvous order; at most limits.fallbacksMax.
   *
   * Cost: sorts the nodes; the first call for a down node also deals out its partitions.
   */
  list(partition: number, isDown: (node: number) => boolean): number[] {
    const set = this.#setOf(partition)
    const standing = set.filter((node) => !isDown(node))
    const order = this.#orderOf(partition).filter((node) => !isDown(node) && !set.includes(node))
    const chosen: number[] = []
    for (const down of set.filter(isDown)) {
      const free = order.filter((node) => !chosen.includes(node))
      const next = this.#bestPlaced(free, [...standing, ...chosen], this.#firstFor(down)[partition])
      if (next !== undefined) chosen.push(next)
    }
    const others = order.filter((node) => !chosen.includes(node))
    return [...chosen, ...others].slice(0, limits.fallbacksMax)
  }

  /**
   * The candidate that keeps hosts and zones apart best: among equals the dealt one, then the
   * first.
   */
  #bestPlaced(
    candidates: readonly number[],
    beside: readonly number[],
    dealt: number | undefined,
  ): number | undefined {
    const crowding = candidates.map((node) => this.#crowding(node, beside))
    const least = Math.min(...crowding)
    const best = candidates.filter((_, at) => crowding[at] === least)
    return best.find((node) => node === dealt) ?? best[0]
  }

  /**
   * 0 when a node joining these copies keeps every bound, 1 when its zone, 2 or 3 when its host is
   * too full.
   */
  #crowding(node: number, beside: readonly number[]): number {
    const { hostOf, zoneOf } = this.#shape
    const host = hostOf[node] as number
    const zone = zoneOf[node] as number
    const onHost = beside.filter((other) => hostOf[other] === host).length
    const inZone = beside.filter((other) => zoneOf[other] === zone).length
    const hostFull = onHost >= (this.#bounds.hostHigh[host] as number)
    const zoneFull = inZone >= (this.#bounds.zoneHigh[zone] as number)
    return (hostFull ? 2 : 0) + (zoneFull ? 1 : 0)
  }

  #firstFor(down: number): Int16Array {
    let dealt = this.#first[down]
    if (!dealt) {
      dealt = this.#deal(down)
      this.#first[down] = dealt
    }
    return dealt
  }

  /** For each partition of a down node, in index order, the best placed of the rest are asked. */
  #deal(down: number): Int16Array {
    const deal = new Deal(this.#shape)
    this.#table.forEach((set, partition) => {
      if (!set.includes(down)) return
      const beside = set.filter((node) => node !== down)
      const others = Array.from(this.#shape.ids.keys()).filter((node) => !set.includes(node))
      const crowding = others.map((node) => this.#crowding(node, beside))
      const least = Math.min(...crowding)
      deal.add(
        partition,
        others.filter((_, at) => crowding[at] === least),
      )
    })
    return deal.finish()
  }

  /** All nodes by rendezvous score, the highest first. */
  #orderOf(partition: number): number[] {
    const scores = Array.from(this.#shape.idHashes, (idHash) => mix(partition, idHash))
    const score = (node: number): number => scores[node] as number
    return Array.from(scores.keys()).sort((a, b) => score(b) - score(a) || a - b)
  }

  #setOf(partition: number): readonly number[] {
    const set = this.#table[partition]
    invariant(set !== undefined, 'the partition is one of the ring', () => ({ partition }))
    return set
  }
}

/** The partitions of one down node, and who stands in for it in each. */
class Deal implements Holdings {
  readonly #shape: Shape
  readonly #dealt: Int16Array
  readonly #used: Int32Array
  readonly #takers: (readonly number[])[] = []

  constructor(shape: Shape) {
    this.#shape = shape
    this.#dealt = new Int16Array(shape.partitions).fill(-1)
    this.#used = new Int32Array(shape.ids.length)
  }

  /** Gives a partition to the taker that is least used for its weight; ties by hash. */
  add(partition: number, takers: readonly number[]): void {
    this.#takers[partition] = takers
    const tie = (node: number): number => mix(partition, this.#shape.idHashes[node] as number)
    const worse = (a: number, b: number): number =>
      this.#use(a, 1) - this.#use(b, 1) || tie(a) - tie(b) || a - b
    const [first, ...others] = takers
    if (first === undefined) return
    this.give(
      partition,
      others.reduce((best, node) => (worse(node, best) < 0 ? node : best), first),
    )
  }

  /** Hands partitions on until nobody is used more than needed. */
  finish(): Int16Array {
    for (let changed = true; changed; ) {
      changed = false
      for (const node of this.#used.keys()) {
        const relieved = (other: number): boolean => this.#use(other, 1) < this.#use(node, 0)
        while (handOn(this, [node], relieved)) changed = true
      }
    }
    return this.#dealt
  }

  holderOf(partition: number): number {
    return this.#dealt[partition] as number
  }

  held(): number[][] {
    return byHolder(this.#dealt, this.#used.length)
  }

  takersOf(partition: number): readonly number[] {
    return this.#takers[partition] ?? []
  }

  give(partition: number, to: number): void {
    const before = this.#dealt[partition] as number
    if (before >= 0) this.#used[before] = (this.#used[before] as number) - 1
    this.#dealt[partition] = to
    this.#used[to] = (this.#used[to] as number) + 1
  }

  #use(node: number, more: number): number {
    return ((this.#used[node] as number) + more) / (this.#shape.weights[node] as number)
  }
}
