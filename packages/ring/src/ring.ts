/**
 * The ring as one node looks things up in it.
 *
 * Every request asks it who holds a partition, so all answers of the hot path are worked out when
 * the ring changes: a call returns an array that already exists.
 */
import {
  type Epoch,
  invariant,
  limits,
  type NodeId,
  type Partition,
  ShoalError,
} from '@shoal/kernel'
import { Fallbacks } from './fallback.ts'
import type { Member } from './member.ts'
import type { RingRecord } from './ring-record.ts'
import { canonicalShape } from './table/canonical.ts'

/**
 * @param record  a founded or decoded ring record
 * @param self    the node that looks
 * @throws SHOAL_CONFIG_INVALID when `self` is not a member
 * Cost: O(partitions × replicas).
 */
export function createRing(record: RingRecord, self: NodeId): Ring {
  return new Ring(record, self)
}

/** Immutable: a change of the ring is another Ring. */
export class Ring {
  readonly record: RingRecord
  readonly self: NodeId
  readonly epoch: Epoch
  /** Q. */
  readonly partitions: number
  /** Copies of each key: fewer than configured while there are fewer members. */
  readonly copies: number
  readonly #members: ReadonlyMap<NodeId, Member>
  readonly #indices: ReadonlyMap<NodeId, number>
  readonly #lists: readonly (readonly NodeId[])[]
  readonly #held: ReadonlyMap<NodeId, readonly Partition[]>
  readonly #fallbacks: Fallbacks
  readonly #views = new Map<string, (readonly NodeId[] | undefined)[]>()

  constructor(record: RingRecord, self: NodeId) {
    const ids = record.members.map((member) => member.id)
    const held = new Map(ids.map((id) => [id, [] as Partition[]]))
    this.record = record
    this.self = self
    this.epoch = record.epoch
    this.partitions = record.partitions
    this.copies = Math.min(record.replicas, ids.length)
    this.#members = new Map(record.members.map((member) => [member.id, member]))
    this.#indices = new Map(ids.map((id, index) => [id, index]))
    this.#lists = record.table.map((set) => set.map((index) => ids[index] as NodeId))
    this.#lists.forEach((list, partition) => {
      for (const node of list) held.get(node)?.push(partition as Partition)
    })
    this.#held = held
    this.#fallbacks = new Fallbacks(canonicalShape(record), record.table)
    if (!this.#members.has(self)) {
      throw new ShoalError('SHOAL_CONFIG_INVALID', `node ${self} is not a member of the ring`, {
        wanted: ids.slice(0, 20).join(', '),
        got: self,
      })
    }
  }

  /** The nodes that should hold a partition, primary first. The same array on every call. */
  preferenceList(partition: Partition): readonly NodeId[] {
    const list = this.#lists[partition]
    invariant(list !== undefined, 'the partition is one of the ring', () => ({ partition }))
    return list
  }

  isReplica(partition: Partition, node: NodeId): boolean {
    return this.preferenceList(partition).includes(node)
  }

  /** Place of a node in the preference list, 0 for the primary, −1 when it holds no copy. */
  replicaIndex(partition: Partition, node: NodeId): number {
    return this.preferenceList(partition).indexOf(node)
  }

  /** The partitions a node holds, ascending. Empty for a stranger. The same array on every call. */
  partitionsOf(node: NodeId): readonly Partition[] {
    return this.#held.get(node) ?? []
  }

  member(id: NodeId): Member | undefined {
    return this.#members.get(id)
  }

  /**
   * Nodes that may stand in for those that are down, best first.
   *
   * Entry k stands in for the k-th member of the preference list that is down: it keeps hosts and
   * zones apart where it can, and shares the work of one dead node evenly among the living. After
   * them come other living nodes in rendezvous order, for when stand-ins fail too.
   *
   * @param down nodes thought down; strangers and nodes without a copy are only left out of the
   *   answer
   * @returns     at most limits.fallbacksMax, none of the preference list, none that is down; empty
   *              when nobody else is left. The same array while `down` names the same nodes.
   * Cost: a look-up; O(nodes log nodes) the first time for a partition and these nodes.
   */
  fallbacks(partition: Partition, down: readonly NodeId[]): readonly NodeId[] {
    invariant(partition >= 0 && partition < this.partitions, 'the partition is one of the ring')
    const view = this.#viewFor(down)
    const known = view[partition]
    if (known) return known
    const indices = new Set(down.map((node) => this.#indices.get(node)))
    const list = this.#fallbacks
      .list(partition, (node) => indices.has(node))
      .map((index) => (this.record.members[index] as Member).id)
    view[partition] = list
    return list
  }

  /** Lists worked out for one set of down nodes. The oldest set is forgotten first. */
  #viewFor(down: readonly NodeId[]): (readonly NodeId[] | undefined)[] {
    const name = down.join(' ')
    let view = this.#views.get(name)
    if (view) return view
    if (this.#views.size >= limits.fallbackViewsMax) {
      const [oldest] = this.#views.keys()
      if (oldest !== undefined) this.#views.delete(oldest)
    }
    view = []
    this.#views.set(name, view)
    return view
  }
}
