/**
 * The table while it is being made: sets, loads and counts kept in step, and the one place that
 * knows which change is legal.
 *
 * A set may be incomplete. It stays completable: `mayAdd` refuses a node that would leave too few
 * copies for a zone or host that must still get some. Because hosts nest in zones, that check is
 * exact.
 */
import { invariant } from '@shoal/kernel'
import { type Bounds, boundsOf } from './bounds.ts'
import type { PreviousTable, Shape } from './canonical.ts'
import { type Shares, sharesOf } from './share.ts'

/** One step of a plan: in `partition`, `to` takes the place of `from`. */
export interface Replacement {
  readonly partition: number
  readonly from: number
  readonly to: number
}

export class Draft {
  readonly shape: Shape
  readonly bounds: Bounds
  readonly shares: Shares
  readonly nodes: number
  readonly load: Int32Array
  /** How many partitions two nodes share, by `one * nodes + other`. */
  readonly together: Int32Array
  /** Whether there is a previous table. Without one every placement costs the same. */
  readonly hasPrevious: boolean
  readonly #sets: Int16Array
  readonly #sizes: Uint8Array
  readonly #has: Uint8Array
  readonly #before: Uint8Array
  readonly #inHost: Uint8Array
  readonly #inZone: Uint8Array
  /** Copies a zone will hold at least, given its members so far and its hosts' lower bounds. */
  readonly #zoneLeast: Uint8Array
  /** The same for the whole partition. */
  readonly #leastOfAll: Uint8Array

  constructor(shape: Shape, previous?: PreviousTable) {
    const { partitions, copies, ids, hosts, zones } = shape
    this.shape = shape
    this.bounds = boundsOf(shape)
    this.shares = sharesOf(shape, this.bounds)
    this.nodes = ids.length
    this.load = new Int32Array(ids.length)
    this.together = new Int32Array(ids.length * ids.length)
    this.hasPrevious = previous !== undefined
    this.#sets = new Int16Array(partitions * copies)
    this.#sizes = new Uint8Array(partitions)
    this.#has = new Uint8Array(partitions * ids.length)
    this.#before = new Uint8Array(previous === undefined ? 0 : partitions * ids.length)
    this.#inHost = new Uint8Array(partitions * hosts.length)
    this.#inZone = new Uint8Array(partitions * zones.length)
    this.#zoneLeast = new Uint8Array(partitions * zones.length)
    this.#leastOfAll = new Uint8Array(partitions)
    this.#startLeasts()
    if (previous) this.#remember(previous)
  }

  #startLeasts(): void {
    const { partitions, zones } = this.shape
    const { hostLow, zoneLow } = this.bounds
    zones.forEach((hosts, zone) => {
      const least = hosts.reduce((sum, host) => sum + (hostLow[host] as number), 0)
      for (let partition = 0; partition < partitions; partition++) {
        this.#zoneLeast[partition * zones.length + zone] = least
        this.#leastOfAll[partition] =
          (this.#leastOfAll[partition] as number) + Math.max(least, zoneLow[zone] as number)
      }
    })
  }

  #remember(previous: PreviousTable): void {
    const place = new Map(this.shape.ids.map((id, node) => [id, node]))
    invariant(
      previous.table.length === this.shape.partitions,
      'the number of partitions never changes',
    )
    previous.table.forEach((members, partition) => {
      for (const member of members) {
        const node = place.get(previous.ids[member] as (typeof previous.ids)[number])
        if (node !== undefined) this.#before[partition * this.nodes + node] = 1
      }
    })
  }

  size(partition: number): number {
    return this.#sizes[partition] as number
  }

  /** Member number `at` of a set, 0 ≤ at < size. The order means nothing. */
  memberAt(partition: number, at: number): number {
    return this.#sets[partition * this.shape.copies + at] as number
  }

  members(partition: number): number[] {
    const start = partition * this.shape.copies
    return Array.from(this.#sets.subarray(start, start + this.size(partition)))
  }

  has(partition: number, node: number): boolean {
    return this.#has[partition * this.nodes + node] === 1
  }

  /** Whether the previous table had it. */
  hadBefore(partition: number, node: number): boolean {
    return this.hasPrevious && this.#before[partition * this.nodes + node] === 1
  }

  /** Whether a set with this node added can still be completed within every bound. */
  mayAdd(partition: number, node: number): boolean {
    if (this.has(partition, node) || this.size(partition) === this.shape.copies) return false
    const { hostOf, zoneOf, hosts, zones, copies } = this.shape
    const { hostLow, hostHigh, zoneLow, zoneHigh } = this.bounds
    const host = hostOf[node] as number
    const zone = zoneOf[node] as number
    const inHost = this.#inHost[partition * hosts.length + host] as number
    if (inHost >= (hostHigh[host] as number)) return false
    if (inHost < (hostLow[host] as number)) return true
    const least = this.#zoneLeast[partition * zones.length + zone] as number
    if (least >= (zoneHigh[zone] as number)) return false
    return least < (zoneLow[zone] as number) || (this.#leastOfAll[partition] as number) < copies
  }

  /** Whether `to` may take the place of `from` in a complete set. */
  mayReplace(partition: number, from: number, to: number): boolean {
    if (!this.has(partition, from) || this.has(partition, to)) return false
    const { hostOf, zoneOf, hosts, zones } = this.shape
    const { hostLow, hostHigh, zoneLow, zoneHigh } = this.bounds
    const hostA = hostOf[from] as number
    const hostB = hostOf[to] as number
    if (hostA === hostB) return true
    const host = partition * hosts.length
    if ((this.#inHost[host + hostA] as number) <= (hostLow[hostA] as number)) return false
    if ((this.#inHost[host + hostB] as number) >= (hostHigh[hostB] as number)) return false
    const zoneA = zoneOf[from] as number
    const zoneB = zoneOf[to] as number
    if (zoneA === zoneB) return true
    const zone = partition * zones.length
    return (
      (this.#inZone[zone + zoneA] as number) > (zoneLow[zoneA] as number) &&
      (this.#inZone[zone + zoneB] as number) < (zoneHigh[zoneB] as number)
    )
  }

  add(partition: number, node: number): void {
    invariant(!this.has(partition, node), 'a set holds no node twice')
    const start = partition * this.shape.copies
    const size = this.size(partition)
    for (let at = start; at < start + size; at++) this.#meet(this.#sets[at] as number, node, 1)
    this.#sets[start + size] = node
    this.#sizes[partition] = size + 1
    this.#count(partition, node, 1)
  }

  remove(partition: number, node: number): void {
    invariant(this.has(partition, node), 'only a member can leave a set')
    const start = partition * this.shape.copies
    const last = start + this.size(partition) - 1
    const at = this.#sets.indexOf(node, start)
    this.#sets[at] = this.#sets[last] as number
    this.#sizes[partition] = last - start
    for (let other = start; other < last; other++) this.#meet(this.#sets[other] as number, node, -1)
    this.#count(partition, node, -1)
  }

  replace({ partition, from, to }: Replacement): void {
    this.remove(partition, from)
    this.add(partition, to)
  }

  #meet(one: number, other: number, by: 1 | -1): void {
    const { together, nodes } = this
    together[one * nodes + other] = (together[one * nodes + other] as number) + by
    together[other * nodes + one] = (together[other * nodes + one] as number) + by
  }

  /** Keeps every count in step with one node joining (by = 1) or leaving (by = −1) a set. */
  #count(partition: number, node: number, by: 1 | -1): void {
    const { hostOf, zoneOf, hosts, zones } = this.shape
    const host = partition * hosts.length + (hostOf[node] as number)
    const zone = partition * zones.length + (zoneOf[node] as number)
    const hostBefore = this.#inHost[host] as number
    const zoneBefore = this.#zoneLeast[zone] as number
    const hostLow = this.bounds.hostLow[hostOf[node] as number] as number
    const zoneLow = this.bounds.zoneLow[zoneOf[node] as number] as number
    const hostAfter = hostBefore + by
    const zoneAfter = zoneBefore + Math.max(hostAfter, hostLow) - Math.max(hostBefore, hostLow)
    this.#has[partition * this.nodes + node] = by === 1 ? 1 : 0
    this.load[node] = (this.load[node] as number) + by
    this.#inHost[host] = hostAfter
    this.#inZone[zone] = (this.#inZone[zone] as number) + by
    this.#zoneLeast[zone] = zoneAfter
    this.#leastOfAll[partition] =
      (this.#leastOfAll[partition] as number) +
      Math.max(zoneAfter, zoneLow) -
      Math.max(zoneBefore, zoneLow)
  }

  /**
   * Change in placements that were not there before: −1 when a move is undone, 0, or +1 when an old
   * placement gives way to a new one.
   */
  costOf(partition: number, from: number, to: number): number {
    if (!this.hasPrevious) return 0
    return (this.hadBefore(partition, from) ? 1 : 0) - (this.hadBefore(partition, to) ? 1 : 0)
  }

  /** Placements that the previous table does not have: the data that must move. */
  moved(): number {
    let count = 0
    for (let partition = 0; partition < this.shape.partitions; partition++) {
      count += this.newIn(partition)
    }
    return count
  }

  /** Members of one set that were not there before. */
  newIn(partition: number): number {
    let count = 0
    for (let at = 0; at < this.size(partition); at++) {
      if (!this.hadBefore(partition, this.memberAt(partition, at))) count++
    }
    return count
  }

  /** How often a node meets the members of a set elsewhere; `without` is not counted. */
  meetings(partition: number, node: number, without = -1): number {
    const row = node * this.nodes
    const start = partition * this.shape.copies
    const end = start + this.size(partition)
    let sum = 0
    for (let at = start; at < end; at++) {
      const other = this.#sets[at] as number
      if (other !== without) sum += this.together[row + other] as number
    }
    return sum
  }
}
